"""The few rows that couple all datasets: capacities, concentration, budgets.

Every builder returns rows sum_us w_us x_us <= b over units u (datasets, or co-located groups,
see placement.optimizer.instance) and sites s. There are 2S + 2O + 3 of them at most, whatever
the number of datasets: their prices decide almost everything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import floor

import numpy as np

from models import Parameters
from placement.optimizer.attributes import Attributes, Flags, Floats, Indices
from placement.optimizer.costs import exit_costs


@dataclass(frozen=True)
class CouplingRow:
    """sum over units u and k of weights[u, k] x[u, sites[k]] <= rhs."""

    name: str
    """The constraint's literal name."""
    sites: Indices
    """(K,) the sites with a weight."""
    weights: Floats
    """(U, K) in the unit of rhs; may be a read-only view that repeats one column."""
    rhs: float

    def binding_possible(self, allowed: Flags, replicas: Indices) -> bool:
        """Whether some choice of allowed pairs, (U, S), could exceed the right-hand side."""
        reach = np.where(allowed[:, self.sites], self.weights, 0.0)
        if self.weights.min(initial=0.0) < 0:
            return True
        most = np.minimum(reach.sum(axis=1), reach.max(axis=1, initial=0.0) * replicas)
        return bool(most.sum() > self.rhs)


@dataclass(frozen=True)
class Summing:
    """Sums over the members of each unit: U units of N datasets in all."""

    unit_of: Indices
    """(N,) unit of each dataset."""
    units: int

    def __call__(self, values: Floats) -> Floats:
        """(N,) or (N, K) to (U,) or (U, K)."""
        if self.units == len(values):  # every unit is one dataset, in the same order
            return values
        total = np.zeros((self.units, *values.shape[1:]))
        np.add.at(total, self.unit_of, values)
        return total


def coupling_rows(of: Attributes, parameters: Parameters, over: Summing) -> list[CouplingRow]:
    """All coupling rows of a problem, in a fixed order."""
    return [
        *capacity(of, over),
        *concentration_volume(of, parameters, over),
        *concentration_critical(of, parameters, over),
        *exit_budget(of, parameters, over),
        *closed_stack(of, parameters, over),
        *moves(of, parameters, over),
    ]


def capacity(of: Attributes, over: Summing) -> Iterator[CouplingRow]:
    """[capacity[s]] sum_d v_d x_ds <= capacity_gb_s, in GB, for every site s."""
    volume = over(of.volume_gb)
    for s, site in enumerate(of.sites):
        yield CouplingRow(
            f"capacity[{site.id}]",
            np.array([s], dtype=np.intp),
            volume[:, None],
            float(site.capacity_gb),
        )


def concentration_volume(
    of: Attributes, parameters: Parameters, over: Summing
) -> Iterator[CouplingRow]:
    """[concentration_volume[o]] sum_{s in o, d} v_d x_ds <= operator_volume_share_max V.

    In GB, for every operator o but the municipality; V counts every replica of every dataset.
    Volumes are whole, so the right-hand side is rounded down without losing a plan.
    """
    volume = over(of.volume_gb)
    limit = floor(parameters.operator_volume_share_max * of.total_volume_gb)
    for name, sites in _capped_operators(of):
        weights = np.broadcast_to(volume[:, None], (over.units, len(sites)))
        yield CouplingRow(f"concentration_volume[{name}]", sites, weights, float(limit))


def concentration_critical(
    of: Attributes, parameters: Parameters, over: Summing
) -> Iterator[CouplingRow]:
    """[concentration_critical[o]] replicas of critical datasets at o <= max(1, floor(share C)).

    In replicas, for every operator o but the municipality; share is
    operator_critical_share_max; C counts the replicas of all critical datasets, and there is no
    row where C is 0. At least one is always allowed, or a single critical dataset had no place.
    """
    if of.total_critical == 0:
        return
    count = over(of.critical.astype(np.float64))
    limit = max(1, floor(parameters.operator_critical_share_max * of.total_critical))
    for name, sites in _capped_operators(of):
        weights = np.broadcast_to(count[:, None], (over.units, len(sites)))
        yield CouplingRow(f"concentration_critical[{name}]", sites, weights, float(limit))


def exit_budget(of: Attributes, parameters: Parameters, over: Summing) -> Iterator[CouplingRow]:
    """[exit_budget] sum_ds e_ds x_ds <= exit_budget_eur, EUR once, where a budget is set.

    e_ds is placement.optimizer.costs.exit_costs, over sites that the city does not run itself.
    """
    if parameters.exit_budget_eur is None:
        return
    sites = np.flatnonzero(of.capped[of.operator_of])
    weights = np.nan_to_num(exit_costs(of, parameters)[:, sites])
    yield CouplingRow("exit_budget", sites, over(weights), float(parameters.exit_budget_eur))


def closed_stack(of: Attributes, parameters: Parameters, over: Summing) -> Iterator[CouplingRow]:
    """[closed_stack] sum_ds v_d closed_ds x_ds <= closed_stack_share_max V, in GB.

    closed_ds is the policies' verdict that d would rest on a closed stack at s.
    """
    weights = of.volume_gb[:, None] * of.closed[of.profile]
    limit = floor(parameters.closed_stack_share_max * of.total_volume_gb)
    yield CouplingRow("closed_stack", np.arange(len(of.sites)), over(weights), float(limit))


def moves(of: Attributes, parameters: Parameters, over: Summing) -> Iterator[CouplingRow]:
    """[moves] sum over d with a current site c of (1 - x_dc) <= moves_max, where it is set.

    Written as sum -x_dc <= moves_max - K with K datasets that have a current site.
    """
    placed = np.flatnonzero(of.current >= 0)
    if parameters.moves_max is None or parameters.moves_max >= len(placed):
        return
    weights = np.zeros((len(of.datasets), len(of.sites)))
    weights[placed, of.current[placed]] = -1.0
    rhs = float(parameters.moves_max - len(placed))
    yield CouplingRow("moves", np.arange(len(of.sites)), over(weights), rhs)


def _capped_operators(of: Attributes) -> Iterator[tuple[str, Indices]]:
    for o in np.flatnonzero(of.capped):
        yield of.operators[o], np.flatnonzero(of.operator_of == o)
