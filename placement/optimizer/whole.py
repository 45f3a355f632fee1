"""The whole problem as one PuLP model: every constraint and cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pulp

from placement.optimizer.assignment import add_assignment
from placement.optimizer.attributes import Flags
from placement.optimizer.coupling import CouplingRow
from placement.optimizer.exact import Overload
from placement.optimizer.instance import Instance
from placement.optimizer.lineage import add_replicated_lineage, add_simple_lineage
from placement.optimizer.model import Model
from placement.optimizer.progress import Watch
from placement.optimizer.segregation import add_segregation
from placement.optimizer.separation import add_replica_separation, add_separation


@dataclass(frozen=True)
class Whole:
    """A model, and which of its rows are what."""

    model: Model
    coupling: list[int]
    """Row of each of the instance's coupling rows, -1 for those that can never bind."""
    flows: list[tuple[int, int, int]]
    """(row, flow, site) of each row of a flow with one replica at both ends."""
    priced: int
    """The first so many rows are assignment, coupling, such flows and replica separation: the
    bound that prices prove sees no others."""


def whole_model(instance: Instance, allowed: Flags, covers: list[Overload], watch: Watch) -> Whole:
    """Every constraint and cost of the problem over the allowed pairs, (U, S).

    Raises
    ------
    OutOfTime
    """
    watch.check()
    model = Model(instance, allowed)
    model.charge_separable()
    watch.check()
    add_assignment(model)
    watch.check()
    coupling = add_coupling(model)
    watch.check()
    flows = add_simple_lineage(model)
    add_replica_separation(model)
    priced = len(model.row_names)
    watch.check()
    add_separation(model)
    add_segregation(model)
    add_replicated_lineage(model)
    _add_covers(model, covers)
    return Whole(model, coupling, flows, priced)


def add_coupling(model: Model) -> list[int]:
    """Add the instance's coupling rows that could bind; the model's row of each, or -1."""
    instance = model.instance
    added = []
    for row in instance.rows:
        if not row.binding_possible(instance.allowed, instance.replicas):
            added.append(-1)
            continue
        terms = []
        for k, site in enumerate(row.sites.tolist()):
            column = model.column_of(site)
            weights = row.weights[column.units, k].tolist()
            terms += [(v, w) for v, w in zip(column.variables, weights, strict=True) if w != 0.0]
        added.append(len(model.row_names))
        model.add(row.name, terms, pulp.LpConstraintLE, row.rhs)
    return added


def _add_covers(model: Model, covers: list[Overload]) -> None:
    """Cover inequalities for placements K that overload a row together.

    sum_{(u, s) in E} x_us <= |K| - 1, where E adds to K every pair that weighs at least as much
    as the heaviest of K, and those at other sites that weigh at least as much as their unit does
    in K, where it has one replica (extended cover; Balas 1975). Weights of exit_budget are no
    integers, so that floats cannot compare them exactly: there E is K.
    """
    instance = model.instance
    units = {instance.of.datasets[u[0]].id: k for k, u in enumerate(instance.members)}
    sites = {site.id: s for s, site in enumerate(instance.of.sites)}
    rows = {row.name: row for row in instance.rows}
    for cover in covers:
        pairs = [(units[dataset], sites[site]) for dataset, site in cover.cover]
        row = rows[cover.name]
        chosen = np.zeros(model.allowed.shape, dtype=np.bool_)
        chosen[tuple(np.transpose(pairs))] = True
        if row.name != "exit_budget":
            chosen |= _at_least_as_heavy(instance, row, pairs)
        x = np.flatnonzero(chosen[model.units, model.sites]).tolist()
        terms = [(model.x[k], 1.0) for k in x]
        model.add(cover.name, terms, pulp.LpConstraintLE, float(len(pairs) - 1))


def _at_least_as_heavy(instance: Instance, row: CouplingRow, pairs: list[tuple[int, int]]) -> Flags:
    """(U, S) pairs that may stand for one of `pairs` in a cover of the row."""
    weight = np.full(instance.allowed.shape, -np.inf)
    weight[:, row.sites] = row.weights
    heavy: Flags = weight >= max(weight[pair] for pair in pairs)
    for unit, site in pairs:
        if instance.replicas[unit] == 1:
            heavy[unit] |= weight[unit] >= weight[unit, site]
    return heavy
