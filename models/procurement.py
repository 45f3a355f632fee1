"""What contracts must say, and which of the city's contracts do not say it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from models.base import Day, Flag, Frozen, Identifier, Title, WholeDays, WholeGb
from models.dataset import AccessRights, CollectionContract, GdprCategory
from models.levels import ClassificationLevel
from models.plan import Sha256
from models.site import Clause
from models.verdict import HostObligation, Severity, Source


class ContractKind(StrEnum):
    """What a contract is about."""

    COLLECTION = "collection"
    """A private party collects data for the city."""
    HOSTING = "hosting"
    """An operator that is not the city holds its data."""


class ContractClause(Frozen):
    """A clause that meets an obligation, as the METADATA of the obligation's rule states it."""

    obligation: Identifier
    contract: ContractKind
    text: Title
    """For the tender; numbers in it are the thresholds of the same policies."""
    requirement: str
    """What the obligation itself asks for."""
    severity: Severity
    sources: Annotated[tuple[Source, ...], Field(min_length=1)]
    states: Annotated[tuple[Title, ...], Field(min_length=1)]
    """Where the city's records say whether the contract has it, such as contract.exit_terms."""


class ClauseChecklist(Frozen):
    """Everything that the policies ask contracts to say: a checklist for a tender."""

    format: Annotated[str, Field(pattern=r"^placement-clauses/1$")] = "placement-clauses/1"
    policy_revision: Sha256
    clauses: tuple[ContractClause, ...]
    """By kind of contract, then in alphabetical order of the obligations."""
    host_obligations: tuple[HostObligation, ...]
    """What hosts must do for some datasets, whatever else the contract says; by code."""

    def of(self, kind: ContractKind) -> tuple[ContractClause, ...]:
        """The clauses of one kind of contract."""
        return tuple(clause for clause in self.clauses if clause.contract is kind)


class EndangeredDataset(Frozen):
    """A dataset that a missed clause endangers."""

    dataset: Identifier
    title: Title
    owner_department: Title | None
    volume_gb: WholeGb
    confidentiality: ClassificationLevel | None
    """Effective, as the next two: after inheritance."""
    gdpr_category: GdprCategory | None
    access_rights: AccessRights | None
    derived_from: Identifier | None = None
    """None: by the contract itself. Else the endangered dataset that it is computed from, through
    any number of steps."""


class MissedClause(Frozen):
    """An obligation that a contract fails, by the verdicts of the policies."""

    clause: ContractClause
    findings: tuple[str, ...]
    """What is the case, in the words of the verdicts."""
    endangers: tuple[EndangeredDataset, ...]
    """Datasets of this contract that fail it, then what is derived from these."""
    whatever_data: Flag = False
    """Of hosting: every dataset of the catalogue would fail it here."""
    keeps_out: Annotated[int, Field(ge=0)] = 0
    """Of hosting: datasets that rest elsewhere and would fail it here."""

    @property
    def misses(self) -> bool:
        """Whether it is missed now, rather than only by data that rests elsewhere."""
        return bool(self.endangers) or self.whatever_data


class CollectionFinding(Frozen):
    """One collection contract."""

    contract: CollectionContract
    datasets: tuple[Identifier, ...]
    """What is collected under it."""
    missed: tuple[MissedClause, ...]


class HostingFinding(Frozen):
    """One hosting contract: that of a site which the city does not run itself."""

    site: Identifier
    title: Title
    operator: Identifier
    clauses: tuple[Clause, ...] | None
    """As the register states them; none: no contract is known."""
    datasets: tuple[Identifier, ...]
    """What rests there today."""
    missed: tuple[MissedClause, ...]


class EndingContract(Frozen):
    """A collection contract whose last day is near."""

    contract: Identifier
    contractor: Title
    end_date: Day
    days_left: WholeDays
    datasets: tuple[Identifier, ...]


class ProcurementReport(Frozen):
    """Every contract that misses a sovereignty clause, and the datasets it endangers."""

    format: Annotated[str, Field(pattern=r"^placement-procurement/1$")] = "placement-procurement/1"
    municipality: Title
    as_of: Day
    policy_revision: Sha256
    ending_within_days: WholeDays
    collection: tuple[CollectionFinding, ...]
    """Every collection contract, by id."""
    hosting: tuple[HostingFinding, ...]
    """Every site of another operator, in the order of the register."""
    without_contract: tuple[MissedClause, ...]
    """Collection clauses that datasets fail which are under no contract."""
    without_datasets: tuple[Identifier, ...]
    """Collection contracts under which nothing is collected: no verdict judges them."""
    ending: tuple[EndingContract, ...]
    """Collection contracts that end soon, the soonest first. Those that have ended fail their
    obligation instead."""

    @property
    def missed(self) -> tuple[MissedClause, ...]:
        """Everything that some contract misses now."""
        findings: Sequence[CollectionFinding | HostingFinding] = (*self.collection, *self.hosting)
        of_contracts = (missed for finding in findings for missed in finding.missed)
        return tuple(item for item in (*self.without_contract, *of_contracts) if item.misses)
