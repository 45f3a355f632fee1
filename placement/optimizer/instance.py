"""The arrays a model is built from: units by sites, with the rows and relations between them.

A *unit* is what is placed as one: a dataset, or a group of co-located datasets, which share one
set of variables instead of being tied by equality rows. Infeasibility cores use the same
instance without that contraction, where every dataset is a unit of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models import Problem, SegregatedDuties
from placement.errors import SolverError
from placement.optimizer.attributes import Attributes, Flags, Floats, Indices, read_attributes
from placement.optimizer.costs import separable_costs
from placement.optimizer.coupling import CouplingRow, Summing, coupling_rows
from placement.optimizer.masks import Masks, read_masks

ROUNDING = 1e-12
"""Relative: weights of exit_budget are float sums, and one that fits exactly must stay."""


@dataclass(frozen=True)
class UnitFlow:
    """Lineage between two different units, 12 f GB a year in all."""

    source: int
    derived: int
    yearly_gb: float
    parts: tuple[tuple[str, str, float], ...]
    """(source dataset, derived dataset, share of yearly_gb) of each flow it is made of."""


@dataclass(frozen=True)
class UnitPair:
    """Two units that share no site, or no operator; `first == second` can never hold."""

    name: str
    datasets: tuple[str, str]
    """The two of them that rest apart, sorted."""
    first: int
    second: int
    whole_operator: bool


@dataclass(frozen=True)
class Instance:
    """One problem in numbers. U units, S sites."""

    of: Attributes
    masks: Masks
    members: tuple[tuple[int, ...], ...]
    """Datasets of each unit, ascending; units are ordered by their first member."""
    replicas: Indices
    """(U,) replicas of each unit: the same for all its members."""
    cost: Floats
    """(U, S) EUR a year of one replica of all members, 0 where not allowed."""
    allowed: Flags
    """(U, S) pairs that are open to all members and do not contradict by themselves."""
    forced: Flags
    """(U, S) pairs that a what-if asks for."""
    light: Flags
    """(U, S) allowed pairs, without those that overload a coupling row all by themselves."""
    fitting: Flags
    """(U, S) light pairs, without those that a what-if leaves no replica for."""
    rows: tuple[CouplingRow, ...]
    flows: tuple[UnitFlow, ...]
    separations: tuple[UnitPair, ...]
    segregations: tuple[SegregatedDuties, ...]

    @property
    def units(self) -> int:
        """U."""
        return len(self.members)

    def site_ids(self, chosen: Flags) -> dict[str, tuple[str, ...]]:
        """Sorted site ids of every dataset, from chosen pairs (U, S)."""
        sites = [site.id for site in self.of.sites]
        placed = {}
        for unit, datasets in enumerate(self.members):
            at = tuple(sites[s] for s in np.flatnonzero(chosen[unit]))
            placed.update({self.of.datasets[d].id: at for d in datasets})
        return placed

    def unplaceable(self) -> list[int]:
        """Units that no choice of allowed sites could place, whatever the others do."""
        count = self.allowed.sum(axis=1)
        operators = np.array(
            [len(set(self.of.operator_of[row].tolist())) for row in self.allowed], dtype=np.intp
        )
        reach = np.where(self.replicas > 1, operators, count)
        misled = (self.forced & ~self.allowed).any(axis=1)
        overfull = self.forced.sum(axis=1) > self.replicas
        return np.flatnonzero((reach < self.replicas) | misled | overfull).tolist()


def read_instance(problem: Problem, *, contracted: bool = True) -> Instance:
    """The arrays of a problem.

    `contracted` places co-located datasets as one unit; without it, every dataset is a unit and
    co-location is left to the model.

    Raises
    ------
    SolverError
        Where the problem refers to something that is not given, or co-located datasets want
        different numbers of replicas.
    """
    of = read_attributes(problem)
    masks = read_masks(of, problem.parameters, problem.fixed)
    members = _members(of, problem.facts.co_location if contracted else ())
    unit_of = np.empty(len(of.datasets), dtype=np.intp)
    for unit, datasets in enumerate(members):
        unit_of[list(datasets)] = unit
    over = Summing(unit_of, len(members))
    separations = _separations(of, problem, unit_of)
    allowed = _allowed(of, masks, members, problem.eligibility.segregated_duties)
    allowed[[pair.first for pair in separations if pair.first == pair.second]] = False
    cost = np.nan_to_num(over(separable_costs(of, problem.roles, problem.parameters)))
    rows = tuple(coupling_rows(of, problem.parameters, over))
    replicas = np.array([_replicas(of, datasets) for datasets in members], dtype=np.intp)
    forced = over(masks.forced.astype(np.float64)) > 0
    light = _light(allowed, rows)
    decided = (replicas == 1) & forced.any(axis=1)
    return Instance(
        of=of,
        masks=masks,
        members=members,
        replicas=replicas,
        cost=np.where(allowed, cost, 0.0),
        allowed=allowed,
        forced=forced,
        light=light,
        fitting=light & (forced | ~decided[:, None]),
        rows=rows,
        flows=_flows(of, problem, unit_of),
        separations=separations,
        segregations=tuple(
            sorted(
                set(problem.eligibility.segregated_duties),
                key=lambda rule: (rule.site, rule.duty, rule.other),
            )
        ),
    )


def _members(of: Attributes, groups: Sequence[tuple[str, ...]]) -> tuple[tuple[int, ...], ...]:
    index = {dataset.id: i for i, dataset in enumerate(of.datasets)}
    grouped = [tuple(sorted(index[name] for name in group)) for group in groups]
    taken = {i for group in grouped for i in group}
    single: list[tuple[int, ...]] = [(i,) for i in range(len(of.datasets)) if i not in taken]
    return tuple(sorted(grouped + single))


def _replicas(of: Attributes, datasets: tuple[int, ...]) -> int:
    wanted = {int(of.replicas[i]) for i in datasets}
    if len(wanted) != 1:
        names = ", ".join(of.datasets[i].id for i in datasets)
        raise SolverError(f"co-located datasets want different numbers of replicas: {names}")
    return wanted.pop()


def _allowed(
    of: Attributes,
    masks: Masks,
    members: tuple[tuple[int, ...], ...],
    segregations: Sequence[SegregatedDuties],
) -> Flags:
    """Open to every member, and no two members with segregated duties at the site."""
    by_dataset = masks.allowed
    allowed = np.ones((len(members), len(of.sites)), dtype=np.bool_)
    for unit, datasets in enumerate(members):
        allowed[unit] = by_dataset[list(datasets)].all(axis=0)
    column = {site.id: s for s, site in enumerate(of.sites)}
    groups = [(unit, datasets) for unit, datasets in enumerate(members) if len(datasets) > 1]
    for rule in segregations:
        for unit, datasets in groups:
            duties = [set(of.datasets[d].duties) for d in datasets]
            clash = any(
                rule.duty in duties[a] and rule.other in duties[b]
                for a in range(len(duties))
                for b in range(len(duties))
                if a != b
            )
            if clash:
                allowed[unit, column[rule.site]] = False
    return allowed


def _light(allowed: Flags, rows: Sequence[CouplingRow]) -> Flags:
    light = allowed.copy()
    for row in rows:
        if row.weights.min(initial=0.0) >= 0.0:
            light[:, row.sites] &= row.weights <= row.rhs * (1 + ROUNDING)
    return light


def _separations(of: Attributes, problem: Problem, unit_of: Indices) -> tuple[UnitPair, ...]:
    index = {dataset.id: i for i, dataset in enumerate(of.datasets)}
    pairs = []
    for pair in problem.facts.separations:
        a, b = sorted((int(unit_of[index[pair.first]]), int(unit_of[index[pair.second]])))
        name = f"separation[{pair.first}|{pair.second}]"
        apart = min(pair.first, pair.second), max(pair.first, pair.second)
        pairs.append(UnitPair(name, apart, a, b, pair.level == "operator"))
    return tuple(sorted(pairs, key=lambda pair: (pair.first, pair.second, pair.name)))


def _flows(of: Attributes, problem: Problem, unit_of: Indices) -> tuple[UnitFlow, ...]:
    """Flows between units; those within a unit cost nothing, as its members never part."""
    index = {dataset.id: i for i, dataset in enumerate(of.datasets)}
    parts: dict[tuple[int, int], list[tuple[str, str, float]]] = {}
    for flow in sorted(problem.facts.flows, key=lambda f: (f.source, f.derived)):
        ends = int(unit_of[index[flow.source]]), int(unit_of[index[flow.derived]])
        if ends[0] != ends[1] and flow.monthly_transfer_gb > 0:
            yearly = 12.0 * float(flow.monthly_transfer_gb)
            parts.setdefault(ends, []).append((flow.source, flow.derived, yearly))
    flows = []
    for (source, derived), given in sorted(parts.items()):
        total = sum(yearly for _, _, yearly in given)
        shares = tuple((i, j, yearly / total) for i, j, yearly in given)
        flows.append(UnitFlow(source, derived, total, shares))
    return tuple(flows)
