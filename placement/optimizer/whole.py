"""The whole problem as one PuLP model: every constraint and cost."""

from __future__ import annotations

from dataclasses import dataclass

import pulp

from placement.optimizer.assignment import add_assignment
from placement.optimizer.attributes import Flags
from placement.optimizer.exact import Overload
from placement.optimizer.instance import Instance
from placement.optimizer.lineage import add_replicated_lineage, add_simple_lineage
from placement.optimizer.model import Model
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
    """The first so many rows are assignment, coupling and such flows: prices see no others."""


def whole_model(instance: Instance, allowed: Flags, covers: list[Overload]) -> Whole:
    """Every constraint and cost of the problem over the allowed pairs, (U, S)."""
    model = Model(instance, allowed)
    model.charge_separable()
    add_assignment(model)
    coupling = add_coupling(model)
    flows = add_simple_lineage(model)
    priced = len(model.row_names)
    add_separation(model)
    add_replica_separation(model)
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
    """sum_{(u, s) in K} x_us <= |K| - 1 for placements K that overload a row together."""
    of = model.instance.of
    units = {of.datasets[members[0]].id: u for u, members in enumerate(model.instance.members)}
    sites = {site.id: s for s, site in enumerate(of.sites)}
    for cover in covers:
        pairs = [(units[dataset], sites[site]) for dataset, site in cover.cover]
        rows = [(dict(model.row_of(u)), s) for u, s in pairs]
        terms = [(row[s], 1.0) for row, s in rows if s in row]
        if len(terms) == len(pairs):
            model.add(cover.name, terms, pulp.LpConstraintLE, float(len(pairs) - 1))
