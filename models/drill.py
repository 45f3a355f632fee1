"""Drills: one question that is many what-ifs, and one answer that collects them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field

from models.base import Eur, Flag, Frozen, Identifier
from models.job import JobId, JobState
from models.lifecycle import DecisionOutcome
from models.plan import Cents, Sha256
from models.principal import Subject

MOST_PARTS = 64
"""What-ifs of one drill."""


class FrontierParameter(StrEnum):
    """A limit of the city that a frontier tries values of."""

    OPERATOR_VOLUME_SHARE_MAX = "operator_volume_share_max"
    OPERATOR_CRITICAL_SHARE_MAX = "operator_critical_share_max"
    CLOSED_STACK_SHARE_MAX = "closed_stack_share_max"
    EXIT_BUDGET_EUR = "exit_budget_eur"
    MOVES_MAX = "moves_max"


class ExitDrill(Frozen):
    """What leaving each operator comes to: one what-if an operator, with all its sites out."""

    kind: Literal["exit"]
    operators: Annotated[tuple[Identifier, ...], Field(max_length=MOST_PARTS)] = ()
    """Whom to leave. None named: everybody who runs a site and is not the city itself."""


class FrontierDrill(Frozen):
    """What a limit costs: one what-if for each of its values."""

    kind: Literal["frontier"]
    parameter: FrontierParameter
    values: Annotated[tuple[Eur, ...], Field(min_length=1, max_length=MOST_PARTS)]
    """Shares from 0 to 1, EUR, or whole numbers of datasets."""


DrillRequest = Annotated[ExitDrill | FrontierDrill, Field(discriminator="kind")]


class DrillJob(Frozen):
    """A part of a drill, as it was asked for."""

    name: str
    """The operator that is left, or the value of the parameter."""
    job: JobId


class DrillRecord(Frozen):
    """A drill as it was asked for. Nothing of it changes; how far it is, its jobs say."""

    id: JobId
    created_at: datetime
    author: Subject
    asked: DrillRequest
    catalog_version: int
    """Version of the city's records that its parts were made of."""
    jobs: tuple[DrillJob, ...]


class DrillBasis(Frozen):
    """What a part was decided on: its job reads the records when it starts."""

    catalog_version: int
    policies: Sha256
    standing: int | None
    """The decision compared with: the one that stood; none: where data rests."""


class DrillPart(Frozen):
    """One what-if of a drill: how far it is, and what it came to."""

    name: str
    """The operator that is left, or the value of the parameter."""
    job: JobId
    state: JobState
    outcome: DecisionOutcome | None = None
    """None as long as it is not done."""
    objective_eur: Cents | None = None
    """EUR a year of the plan; none where there is none."""
    gap: Decimal | None = None
    difference_eur: Cents | None = None
    """EUR a year more than the plan that stands, by the same inputs; none where no plan stands, or
    there is none now."""
    datasets_moved: int | None = None
    """Datasets that rest elsewhere than by the plan that stands, or, without one, than today."""
    core: tuple[str, ...] = ()
    """Where no plan meets all constraints: those that cannot all hold."""
    unplaceable: tuple[Identifier, ...] = ()
    """Where datasets have no eligible site: the first of them."""
    unplaceable_datasets: int = 0
    """How many those are."""
    basis: DrillBasis | None = None
    report: str | None = None
    """Path of the what-if's report."""
    problem: dict[str, Any] | None = None
    """Why it failed: `code` and `detail` of a problem document."""


class DrillSummary(Frozen):
    """A drill in a list."""

    id: JobId
    created_at: datetime
    author: Subject
    asked: DrillRequest
    catalog_version: int
    """Version of the city's records that its parts were made of."""
    state: JobState
    """`running` from the first part's start until all have ended; then `failed` if any failed,
    `cancelled` if any was cancelled, else `done`."""
    parts_ended: int
    parts_asked: int


class Drill(DrillSummary):
    """A drill with its parts."""

    one_basis: Flag
    """All parts that are done were decided on the records that the drill was made of, by the same
    policies, and compared with the same plan."""
    parts: tuple[DrillPart, ...]


def drill_state(states: Iterable[JobState]) -> JobState:
    """The state of a drill, by those of its jobs (at least one)."""
    found = set(states)
    if not all(state.final for state in found):
        return JobState.QUEUED if found == {JobState.QUEUED} else JobState.RUNNING
    for worst in (JobState.FAILED, JobState.CANCELLED):
        if worst in found:
            return worst
    return JobState.DONE
