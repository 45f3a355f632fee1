"""From a problem of objects to arrays: every unit is a class of its own, with one feature."""

from __future__ import annotations

import numpy as np

from placement.optimizer.arrays.problem import Apart, ArrayProblem, Lineage, Row, Segregation
from placement.optimizer.arrays.solution import ArraySolution
from placement.optimizer.attributes import Flags, Floats, Indices
from placement.optimizer.instance import Instance, UnitFlow
from placement.optimizer.lineage import is_simple
from placement.optimizer.segregation import carriers


def representable(instance: Instance) -> bool:
    """Whether arrays say all of it: what-ifs that require one of several replicas they do not."""
    return not (instance.forced & (instance.replicas > 1)[:, None]).any()


def arrays_of(instance: Instance) -> ArrayProblem:
    """The same problem, units and sites in the same order."""
    units = instance.units
    simple = [flow for flow in instance.flows if is_simple(instance, flow)]
    others = [flow for flow in instance.flows if not is_simple(instance, flow)]
    column = {site.id: s for s, site in enumerate(instance.of.sites)}
    pairs = [pair for pair in instance.separations if pair.first != pair.second]
    opened = instance.fitting
    return ArrayProblem(
        class_of=np.arange(units, dtype=np.intp),
        features=np.ones((1, units)),
        counts=np.ones(units),
        cost=np.where(opened, instance.cost, 0.0)[:, None, :],
        open=opened,
        replicas=instance.replicas,
        operator_of=instance.of.operator_of,
        rows=tuple(
            Row(
                row.name,
                row.sites,
                np.zeros(1, dtype=np.intp),
                np.asarray(row.weights, dtype=np.float64)[:, None, :],
                row.rhs,
            )
            for row in instance.rows
        ),
        lineage=_lineage(instance, simple),
        replicated=_lineage(instance, others),
        apart=Apart(
            _indices([pair.first for pair in pairs]),
            _indices([pair.second for pair in pairs]),
            np.array([pair.whole_operator for pair in pairs], dtype=np.bool_),
        ),
        segregations=tuple(
            Segregation(
                column[rule.site], carriers(instance, rule.duty), carriers(instance, rule.other)
            )
            for rule in instance.segregations
        ),
    )


def chosen_pairs(instance: Instance, sites: Indices) -> Flags:
    """(U, S) pairs of a plan's (U, n) sites."""
    chosen = np.zeros(instance.allowed.shape, dtype=np.bool_)
    for column in sites.reshape(instance.units, -1).T:
        there = np.flatnonzero(column >= 0)
        chosen[there, column[there]] = True
    return chosen


def flow_messages(instance: Instance, solution: ArraySolution) -> Floats:
    """(F, S) messages of all of the instance's flows; 0 for those with replicas at an end."""
    messages = np.zeros((len(instance.flows), len(instance.of.sites)))
    if solution.messages is not None:
        simple = [f for f, flow in enumerate(instance.flows) if is_simple(instance, flow)]
        messages[simple] = solution.messages
    return messages


def meeting_prices(instance: Instance, solution: ArraySolution) -> tuple[Indices, Floats]:
    """(Q,) priced place and price of all of the instance's pairs; 0 for those within a unit."""
    count = len(instance.separations)
    places, prices = np.zeros(count, dtype=np.intp), np.zeros(count)
    if solution.apart_places is not None and solution.apart_prices is not None:
        apart = [q for q, pair in enumerate(instance.separations) if pair.first != pair.second]
        places[apart], prices[apart] = solution.apart_places, solution.apart_prices
    return places, prices


def _lineage(instance: Instance, flows: list[UnitFlow]) -> Lineage:
    return Lineage(
        _indices([flow.source for flow in flows]),
        _indices([flow.derived for flow in flows]),
        np.array([flow.yearly_gb for flow in flows], dtype=np.float64),
        instance.of.egress_eur_per_gb,
    )


def _indices(values: list[int]) -> Indices:
    return np.array(values, dtype=np.intp)
