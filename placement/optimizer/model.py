"""A PuLP model under construction: variables, rows with literal names, and their scaling."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pulp

from placement.optimizer.attributes import Flags, Floats, Indices
from placement.optimizer.instance import Instance

Term = tuple[Any, float]
"""A PuLP variable and its coefficient."""

LARGEST_COEFFICIENT = 2.0**20
"""HiGHS holds rows to an absolute 1e-6: beyond this, coefficients are scaled down by a power of
two. What that lets slip is caught exactly afterwards (placement.optimizer.exact)."""


@dataclass(frozen=True)
class Column:
    """The x variables of one site, in unit order."""

    units: Indices
    variables: list[Any]


class Model:
    """PuLP variables and rows over the allowed pairs of an instance.

    Variables are named by index, x_000012_003 for unit 12 at site 3, because PuLP sorts by name
    and lets `eu-west` and `eu_west` collide. `allowed`, (U, S), may be narrower than the
    instance's own; the model is then a restriction.
    """

    def __init__(self, instance: Instance, allowed: Flags) -> None:
        self.instance = instance
        self.allowed = allowed
        self.problem = pulp.LpProblem("placement", pulp.LpMinimize)
        self.row_names: list[str] = []
        self.row_scales: list[float] = []
        self.cost_scale = _power_of_two(instance.cost[allowed], 2.0**17)
        self._costs: list[Term] = []
        self.units, self.sites = np.nonzero(allowed)
        self.x: list[Any] = [
            self.problem.add_variable(f"x_{u:06d}_{s:03d}", int(must), 1, cat=pulp.LpInteger)
            for u, s, must in zip(
                self.units.tolist(),
                self.sites.tolist(),
                instance.forced[allowed].tolist(),
                strict=True,
            )
        ]
        self._operator_of = instance.of.operator_of.tolist()
        self._first = np.searchsorted(self.units, np.arange(instance.units + 1))
        self._columns: dict[int, Column] = {}

    def row_of(self, unit: int) -> list[tuple[int, Any]]:
        """(site, variable) of one unit's allowed pairs."""
        where = slice(self._first[unit], self._first[unit + 1])
        return list(zip(self.sites[where].tolist(), self.x[where], strict=True))

    def column_of(self, site: int) -> Column:
        """The units allowed at a site, with their variables."""
        if site not in self._columns:
            at = np.flatnonzero(self.sites == site)
            self._columns[site] = Column(self.units[at], [self.x[k] for k in at.tolist()])
        return self._columns[site]

    def at_operator(self, unit: int, operator: int) -> list[Any]:
        """A unit's variables at the sites of one operator."""
        of = self._operator_of
        return [variable for site, variable in self.row_of(unit) if of[site] == operator]

    def share(self, name: str) -> Any:
        """A new continuous variable between 0 and 1."""
        return self.problem.add_variable(name, 0, 1)

    def charge(self, terms: Iterable[Term]) -> None:
        """Add EUR a year per unit of a variable to the objective."""
        self._costs.extend(terms)

    def charge_separable(self) -> None:
        """sum_us cost_us x_us, EUR a year."""
        self.charge(zip(self.x, self.instance.cost[self.allowed].tolist(), strict=True))

    def add(self, name: str, terms: Sequence[Term], sense: int, rhs: float) -> None:
        """A row under a constraint's literal name; several rows may share one.

        `sense` is pulp.LpConstraintLE, EQ or GE. Every variable stands in it at most once.
        """
        scale = _row_scale(np.array([weight for _, weight in terms], dtype=np.float64))
        pairs = [(v, w * scale) for v, w in terms] if scale != 1.0 else terms
        constraint = pulp.LpConstraint(
            pulp.LpAffineExpression(pairs), sense, f"r_{len(self.row_names):07d}", rhs * scale
        )
        self.row_names.append(name)
        self.row_scales.append(scale)
        self.problem.addConstraint(constraint)

    def finish(self) -> pulp.LpProblem:
        """The PuLP problem, with its objective, scaled by `cost_scale`."""
        scaled = [(v, c * self.cost_scale) for v, c in self._costs]
        self.problem.setObjective(pulp.LpAffineExpression(scaled))
        return self.problem


def _power_of_two(values: Floats, largest: float) -> float:
    """The power of two that brings the largest absolute value just below `largest`."""
    peak = float(np.abs(values).max(initial=0.0))
    return 2.0 ** math.floor(math.log2(largest / peak)) if peak > 0 else 1.0


def _row_scale(weights: Floats) -> float:
    peak = float(np.abs(weights).max(initial=0.0))
    if peak == 0 or 1.0 <= peak <= LARGEST_COEFFICIENT:
        return 1.0
    return _power_of_two(weights, LARGEST_COEFFICIENT)
