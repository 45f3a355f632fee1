"""The life of a decision: proposed, approved, provisioned, in force, replaced."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from models.base import Frozen, Identifier
from models.parameters import Parameters
from models.plan import Cents, Sha256
from models.principal import Subject
from models.problem import FixedPair


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
    eur_per_year_before: Cents | None
    eur_per_year_after: Cents
    risk_before: Risk | None
    risk_after: Risk


class Stale(Frozen):
    """One part of a proposal's basis that changed since."""

    what: Literal["catalog", "sites", "parameters", "policies", "standing"]
    decided_on: str
    now: str


class WhatIf(Frozen):
    """Changes to the city's records to decide on without proposing anything."""

    parameters: Parameters | None = None
    sites_out: tuple[Identifier, ...] = ()
    """Sites that are not to be used."""
    fixed: tuple[FixedPair, ...] = ()
    """Pairs that are required or forbidden."""
