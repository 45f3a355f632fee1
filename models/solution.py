"""What a solver says of a problem: an answer, also where no plan exists."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from models.base import Frozen, Identifier


class Termination(StrEnum):
    """Why the solver stopped."""

    WITHIN_GAP = "within_gap"
    """A plan, proven to be within the gap asked for of the best one."""
    TIME_LIMIT = "time_limit"
    """Time ran out: with a plan whose gap is larger, or with none."""
    INFEASIBLE = "infeasible"
    """Proven: no plan meets all constraints."""


class RowPrice(Frozen):
    """Price of one unit of a coupling constraint's right-hand side, EUR a year; never negative.

    `row` is the constraint's name with its index: capacity[site], concentration_volume[operator],
    concentration_critical[operator], exit_budget, closed_stack, moves.
    """

    row: str
    price: Annotated[Decimal, Field(ge=0, max_digits=60)]


class FlowPrice(Frozen):
    """Share of a flow's egress cost charged to the source resting at `site`, EUR a year.

    Between 0 and the whole yearly egress cost of the flow out of that site. It is added to the
    source's cost there; the derived dataset is granted the largest price among an operator's sites
    at each of them.
    """

    source: Identifier
    derived: Identifier
    site: Identifier
    price: Annotated[Decimal, Field(ge=0, max_digits=60)]


class SeparationPrice(Frozen):
    """Price of `first` and `second` both resting at `place`, EUR a year; never negative.

    `place` is a site, or an operator where the pair shares no operator. Either dataset pays it
    there, at every site of the operator, and a bound is lower by it once: at most one of them may
    rest there.
    """

    first: Identifier
    second: Identifier
    place: Identifier
    price: Annotated[Decimal, Field(ge=0, max_digits=60)]


class SolverReport(Frozen):
    """How the solution came about."""

    solver: str
    """Name and version, with the modeller's."""
    build_s: float
    solve_s: float
    variables: int
    constraints: int


class Solution(Frozen):
    """The solver's answer."""

    termination: Termination
    placements: tuple[tuple[Identifier, ...], ...] = ()
    """N tuples of site ids, sorted; empty when there is no plan."""
    objective_eur: float | None = None
    """EUR a year, as the solver sums it up; the certificate computes the exact value."""
    dual_bound_eur: float | None = None
    """No plan costs less, EUR a year."""
    gap: float | None = None
    """(objective - dual bound) / objective; 0 where the objective is 0."""
    prices: tuple[RowPrice, ...] = ()
    flow_prices: tuple[FlowPrice, ...] = ()
    separation_prices: tuple[SeparationPrice, ...] = ()
    core: tuple[str, ...] = ()
    """Where infeasible: a minimal set of named constraints that cannot all hold."""
    report: SolverReport | None = None
