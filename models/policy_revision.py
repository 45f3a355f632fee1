"""The life of a policy change: drafted, checked, reviewed, approved, published, active."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from models.base import Day, Flag, Frozen, Identifier
from models.plan import Sha256
from models.principal import Subject


class PolicyFiles(Frozen):
    """The files of a policy bundle, as they were written: bytes, never a pretty-print."""

    # A blank at the end of a file is a byte of it, too.
    model_config = ConfigDict(str_strip_whitespace=False)

    files: dict[Annotated[str, Field(max_length=200)], str]
    """Path with "/" below the bundle root -> UTF-8 text. Tests (x_test.rego) are files like
    any other."""


class DraftState(StrEnum):
    """Where a draft stands."""

    DRAFT = "draft"
    REVIEWED = "reviewed"
    """Somebody other than the author vouches for it."""
    APPROVED = "approved"
    """The board allowed it; the bundle may be published."""
    PUBLISHED = "published"
    REJECTED = "rejected"


class DraftDefect(Frozen):
    """One thing wrong with a draft."""

    check: str
    """fmt, check, capabilities, regal, test, coverage or limits."""
    file: str
    row: int = 0
    column: int = 0
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.row}:{self.column}" if self.row else self.file
        return f"{place}: {self.check}: {self.message}"


class DraftReport(Frozen):
    """What checking a draft found."""

    digest: Sha256
    """Digest of the PolicyFiles that were checked."""
    defects: tuple[DraftDefect, ...]
    tests: int = 0
    coverage: Decimal = Decimal(0)
    """Percent of the policy lines that a test runs."""

    @property
    def clean(self) -> bool:
        """No defects."""
        return not self.defects


class PolicyDraft(Frozen):
    """A version of a draft. Editing makes a new version; reviews hold for one version only."""

    id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    version: Annotated[int, Field(ge=1)]
    state: DraftState
    title: str
    author: Subject
    """Who wrote this version; an earlier version may have another author."""
    authors: tuple[Subject, ...]
    """Everybody who wrote some version: none of them may review or approve it."""
    created_at: datetime
    files: Sha256
    """Digest of the stored PolicyFiles."""
    revision: Sha256
    """The policy revision it becomes: what OPA will report."""
    base: Sha256
    """The revision that was active when the draft was begun."""
    report: DraftReport | None = None
    reviewer: Subject | None = None
    approver: Subject | None = None


class RevisionState(StrEnum):
    """Where a policy revision stands."""

    PUBLISHED = "published"
    """The bundle is served; OPA has not yet said that it uses it."""
    ACTIVE = "active"
    WITHDRAWN = "withdrawn"
    """Replaced or rolled back: nothing decided under it is released any more."""


class PolicyRevision(Frozen):
    """A revision of the policies that was published at some time."""

    number: Annotated[int, Field(ge=1)]
    """Order of publication; a rollback publishes an old revision under a new number."""
    revision: Sha256
    files: Sha256
    state: RevisionState
    published_at: datetime
    published_by: Subject
    activated_at: datetime | None = None
    draft: str | None = None
    rollback_of: int | None = None


class RuleUse(Frozen):
    """How often an obligation bites on the current catalogue."""

    obligation: str
    violations: int
    """(dataset, site) pairs that fail it."""
    never_fires: Flag


class PolicyUsage(Frozen):
    """Which obligations of the active policies bite on the current catalogue."""

    revision: Sha256
    catalog_version: int
    as_of: Day
    pairs: int
    """(dataset, site) pairs that were judged."""
    rules: tuple[RuleUse, ...]
    """By obligation."""


class VerdictChange(Frozen):
    """A (dataset, site) pair that a draft judges otherwise."""

    dataset: Identifier
    site: Identifier
    eligible_before: Flag
    eligible_after: Flag
    gained: tuple[str, ...]
    """Obligations that it fails only under the draft."""
    lost: tuple[str, ...]
    """Obligations that it fails only under the active policies."""


class ObligationShift(Frozen):
    """How many pairs begin or cease to fail an obligation."""

    obligation: str
    gained: int
    lost: int


class PolicyImpact(Frozen):
    """What a draft would change on the current catalogue."""

    draft: str
    version: int
    revision_before: Sha256
    revision_after: Sha256
    catalog_version: int
    as_of: Day
    pairs: int
    becomes_ineligible: int
    becomes_eligible: int
    fails_otherwise: int
    """Pairs whose violations change, but not whether they are eligible."""
    unplaceable_before: tuple[Identifier, ...]
    """Datasets without a single eligible site; at most the first hundred."""
    unplaceable_after: tuple[Identifier, ...]
    obligations: tuple[ObligationShift, ...]
    examples: tuple[VerdictChange, ...]
    """The first pairs that change eligibility, then others; none for callers who may not see all
    records."""
