"""The life of a decision: proposed, approved, provisioned, in force, replaced."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from models.base import Flag, Frozen, Identifier
from models.dataset import AccessRights, GdprCategory
from models.levels import ClassificationLevel
from models.parameters import Parameters
from models.plan import Cents, Costs, Sha256, Versions
from models.principal import Subject
from models.problem import FixedPair
from models.site import StorageKind
from models.verdict import HostObligation


class DecisionOutcome(StrEnum):
    """What deciding came to."""

    DECIDED = "decided"
    NO_ELIGIBLE_SITE = "no_eligible_site"
    INFEASIBLE = "infeasible"


class DecisionState(StrEnum):
    """Where a decision stands."""

    UNRESOLVED = "unresolved"
    """There is no plan: the outcome is not `decided`. It stays so."""
    PROPOSED = "proposed"
    APPROVED = "approved"
    PROVISIONING = "provisioning"
    IN_FORCE = "in_force"
    SUPERSEDED = "superseded"
    WITHDRAWN = "withdrawn"


NEXT_STATES: dict[DecisionState, frozenset[DecisionState]] = {
    DecisionState.UNRESOLVED: frozenset(),
    DecisionState.PROPOSED: frozenset({DecisionState.APPROVED, DecisionState.WITHDRAWN}),
    DecisionState.APPROVED: frozenset(
        {DecisionState.PROVISIONING, DecisionState.SUPERSEDED, DecisionState.WITHDRAWN}
    ),
    DecisionState.PROVISIONING: frozenset(
        {DecisionState.IN_FORCE, DecisionState.SUPERSEDED, DecisionState.WITHDRAWN}
    ),
    DecisionState.IN_FORCE: frozenset({DecisionState.SUPERSEDED, DecisionState.WITHDRAWN}),
    DecisionState.SUPERSEDED: frozenset(),
    DecisionState.WITHDRAWN: frozenset(),
}
"""The only transitions there are."""

STANDING = frozenset({DecisionState.APPROVED, DecisionState.PROVISIONING, DecisionState.IN_FORCE})
"""States in which a board stands behind the plan."""


class Basis(Frozen):
    """What a decision was made on. Approving it later requires that nothing of it changed."""

    catalog_version: Annotated[int, Field(ge=0)]
    """Version of the city's records: datasets, roles, contracts, relations, operators, sites."""
    catalog: Sha256
    sites: Sha256
    parameters: Sha256
    policies: Sha256
    as_of: date
    standing: int | None
    """Number of the decision that the board stood behind at that time, none before the first."""
    in_force: int | None = None
    """Number of the decision in force at that time: its sites are where data rested."""
    policy_files: Sha256 | None = None
    """Digest of the stored PolicyFiles of that revision."""
    own_parameters: Flag = False
    """The parameters came with the request: changing the city's own does not matter to it."""


class DecisionRecord(Frozen):
    """A recorded decision. Everything but `state`, `state_sequence` and `changed_at` is fixed."""

    number: Annotated[int, Field(ge=1)]
    outcome: DecisionOutcome
    state: DecisionState
    state_sequence: Annotated[int, Field(ge=1)]
    """Counts the transitions; the ETag of the decision."""
    changed_at: datetime
    created_at: datetime
    author: Subject
    job: str
    """The job that made it: at most one decision a job."""
    basis: Basis
    answer: Sha256
    """Digest of the stored Decided, NoEligibleSite or Infeasible document."""
    plan: Sha256 | None
    """The plan's own digest."""
    objective_eur: Cents | None
    gap: Decimal | None
    datasets: int
    title: str = ""


class DecisionEvent(Frozen):
    """One transition of a decision."""

    decision: int
    sequence: int
    state: DecisionState
    at: datetime
    actor: Subject
    reason: str = ""


class Move(Frozen):
    """A dataset whose sites differ between two plans."""

    dataset: Identifier
    from_sites: tuple[Identifier, ...]
    """Empty: the dataset is new."""
    to_sites: tuple[Identifier, ...]
    """Empty: the dataset is retired."""
    volume_gb: int
    """Volume of one replica."""


class Risk(Frozen):
    """What a plan exposes the city to."""

    largest_operator_volume_share: Decimal
    """Share of all GB with the largest non-municipal operator, 0..1."""
    closed_stack_volume_share: Decimal
    foreign_jurisdiction_datasets: int
    """Datasets with a replica at an operator whose parent is outside the EEA."""
    exit_cost_eur: Cents
    """What leaving every non-municipal site would cost."""


class PlanDiff(Frozen):
    """What approving a plan would change."""

    since: int | None
    """The decision compared with; none: where the catalogue says data rests today."""
    moves: tuple[Move, ...]
    moved_tb: Decimal
    """TB copied between sites: for each dataset that rested somewhere and is not retired, its
    volume for each site that gets it."""
    eur_per_year_before: Cents | None
    """What leaving everything where it is would cost, by the same inputs as the plan; none where
    nothing rests anywhere, or at sites that are not in the register any more."""
    eur_per_year_after: Cents
    risk_before: Risk | None
    risk_after: Risk


class Stale(Frozen):
    """One part of a proposal's basis that changed since."""

    what: Literal["catalog", "sites", "parameters", "policies", "standing", "in_force", "as_of"]
    decided_on: str
    now: str


class WhatIf(Frozen):
    """Changes to the city's records to decide on without proposing anything."""

    parameters: Parameters | None = None
    sites_out: tuple[Identifier, ...] = ()
    """Sites that are not to be used."""
    fixed: tuple[FixedPair, ...] = ()
    """Pairs that are required or forbidden."""


class WhatIfReport(Frozen):
    """What a what-if came to. It can be read, and never be approved."""

    asked: WhatIf
    basis: Basis
    outcome: DecisionOutcome
    answer: Sha256
    """Digest of the stored Decided, NoEligibleSite or Infeasible document."""
    objective_eur: Cents | None
    gap: Decimal | None
    since: int | None
    """The decision compared with: the one that stood; none: where data rests."""
    diff: PlanDiff | None
    """What the plan would change; none where there is no plan."""


class ReplayDifference(Frozen):
    """One thing that deciding again made otherwise."""

    what: str
    """Such as outcome, objective_eur, placements.bomen or versions.highs."""
    decided: str
    replayed: str


class ReplayReport(Frozen):
    """What deciding again on the stored inputs came to."""

    decision: int
    policies: Sha256
    """The revision judged by: the decision's own, or the one asked for instead."""
    own_policies: Flag
    """They are the ones that the decision was made with."""
    outcome: DecisionOutcome
    differences: tuple[ReplayDifference, ...]
    """What the answer says otherwise, at most the first thousand."""
    differing: int
    """How many there are."""
    versions: tuple[ReplayDifference, ...]
    """Software that is not what it was."""
    versions_now: Versions | None
    """What made the plan now; none where there is none."""

    @property
    def reproduced(self) -> bool:
        """The answer is the same to the last digit."""
        return self.differing == 0

    @property
    def exact(self) -> bool:
        """It is, and so is the software."""
        return self.reproduced and not self.versions


class HostedAt(Frozen):
    """One replica of an approved placement."""

    site: Identifier
    operator: Identifier
    host_obligations: tuple[HostObligation, ...]
    """What the host must do for this dataset."""


class ApprovedPlacement(Frozen):
    """Where a dataset is to rest, by a plan that a board stands behind: what to provision."""

    decision: int
    dataset: Identifier
    title: str
    department: str | None
    sites: tuple[HostedAt, ...]
    from_sites: tuple[Identifier, ...]
    """Where it rested when this was decided."""
    confidentiality: ClassificationLevel | None
    """Effective class, as the two below."""
    gdpr_category: GdprCategory | None
    access_rights: AccessRights | None
    storage: StorageKind
    volume_gb: int
    """Volume of one replica."""
    readers: tuple[Identifier, ...]
    writers: tuple[Identifier, ...]
    administrators: tuple[Identifier, ...]
    cost_eur_per_year: Costs
