"""What ties units to each other, as rows: replicas, lineage, separation, segregation."""

from __future__ import annotations

import numpy as np

from placement.optimizer.arrays.problem import ArrayProblem, Segregation
from placement.optimizer.attributes import Floats, Indices
from placement.optimizer.polish.program import Program


def add_relations(program: Program, problem: ArrayProblem, column: Indices) -> None:
    """Every relation of the problem.

    Parameters
    ----------
    column
        (U, S) variable of a pair, -1 for none.
    """
    operators = [
        np.flatnonzero(problem.operator_of == o) for o in np.unique(problem.operator_of).tolist()
    ]
    _add_replica_separation(program, problem, column, operators)
    _add_lineage(program, problem, column)
    _add_transports(program, problem, column, operators)
    _add_apart(program, problem, column, operators)
    for rule in problem.segregations:
        _add_segregation(program, problem, column, rule)


def _add_replica_separation(
    program: Program, problem: ArrayProblem, column: Indices, operators: list[Indices]
) -> None:
    """[replica_separation] sum_{s in o} x_us <= 1 for every operator o, where n_u > 1."""
    for unit in np.flatnonzero(problem.replicas[problem.class_of] > 1).tolist():
        for sites in operators:
            _at_most_one(program, column[unit, sites])


def _add_lineage(program: Program, problem: ArrayProblem, column: Indices) -> None:
    """[lineage] x_is - sum_{t in op(s)} x_jt <= z_es, at 12 f g_s z_es EUR a year.

    z_es = 1 when the source rests at s and the derived unit with another operator. Exact for 0/1
    x, with S variables a flow instead of S x S.
    """
    flows, of = problem.lineage, problem.operator_of
    for source, derived, yearly in zip(
        flows.source.tolist(), flows.derived.tolist(), flows.yearly_gb.tolist(), strict=True
    ):
        price = yearly * flows.egress
        sites = np.flatnonzero((column[source] >= 0) & (price != 0.0))
        away = program.shares(price[sites])
        for site, share in zip(sites.tolist(), away.tolist(), strict=True):
            near = column[derived, of == of[site]]
            near = near[near >= 0]
            columns = np.concatenate([[column[source, site], share], near])
            weights = np.concatenate([[1.0, -1.0], np.full(len(near), -1.0)])
            program.add(columns, weights, 0.0)


def _add_transports(
    program: Program, problem: ArrayProblem, column: Indices, operators: list[Indices]
) -> None:
    """[lineage] with replicas: an operator o with the derived unit is fed by the cheapest source.

    y_os in [0, 1] is what o gets from the source's replica at s of another operator, at
    12 f g_s EUR a year:  sum_{t in o} x_jt <= sum_{s in o} x_is + sum_s y_os,  y_os <= x_is.
    """
    flows = problem.replicated
    for source, derived, yearly in zip(
        flows.source.tolist(), flows.derived.tolist(), flows.yearly_gb.tolist(), strict=True
    ):
        for sites in operators:
            fed = column[derived, sites]
            if (fed >= 0).any():
                price = yearly * flows.egress
                _add_transport(program, column[source], fed[fed >= 0], sites, price)


def _add_transport(
    program: Program, source: Indices, fed: Indices, operator: Indices, price: Floats
) -> None:
    near = source[operator]
    elsewhere = source >= 0
    elsewhere[operator] = False
    sent = program.shares(price[elsewhere])
    for share, from_there in zip(sent.tolist(), source[elsewhere].tolist(), strict=True):
        program.add(np.array([share, from_there]), np.array([1.0, -1.0]), 0.0)
    helping = np.concatenate([near[near >= 0], sent])
    columns = np.concatenate([fed, helping])
    weights = np.concatenate([np.ones(len(fed)), -np.ones(len(helping))])
    program.add(columns, weights, 0.0)


def _add_apart(
    program: Program, problem: ArrayProblem, column: Indices, operators: list[Indices]
) -> None:
    """[separation] x_is + x_js <= 1 at every site, or sum_{s in o} (x_is + x_js) <= 1.

    The latter is exact for replicated units, too: each has at most one replica with an operator.
    """
    pairs = problem.apart
    alone = [np.array([s]) for s in range(problem.sites)]
    for first, second, whole in zip(
        pairs.first.tolist(), pairs.second.tolist(), pairs.whole_operator.tolist(), strict=True
    ):
        for sites in operators if whole else alone:
            ours, theirs = column[first, sites], column[second, sites]
            if (ours >= 0).any() and (theirs >= 0).any():
                _at_most_one(program, np.concatenate([ours, theirs]))


def _at_most_one(program: Program, columns: Indices) -> None:
    there = columns[columns >= 0]
    if len(there) > 1:
        program.add(there, np.ones(len(there)), 1.0)


def _add_segregation(
    program: Program, problem: ArrayProblem, column: Indices, rule: Segregation
) -> None:
    """[segregation] only one of two sets of classes at a site.

    With A and B the units of one set but not the other, D those of both, and y_A, y_B in [0, 1]
    the presence of each side: x_a <= m_a y_A, x_b <= m_b y_B, sum_{d in D} x_d + y_A + y_B <= 1.
    """
    at = column[:, rule.site]
    one, other = rule.one[problem.class_of], rule.other[problem.class_of]
    here = at >= 0
    both = at[one & other & here]
    sides = [np.flatnonzero(one & ~other & here), np.flatnonzero(other & ~one & here)]
    if len(both) + sum(bool(len(side)) for side in sides) < 2:
        return
    presence = program.shares(np.zeros(2))
    for share, side in zip(presence.tolist(), sides, strict=True):
        for unit in side.tolist():
            weights = np.array([1.0, -problem.counts[unit]])
            program.add(np.array([at[unit], share]), weights, 0.0)
    columns = np.concatenate([both, presence])
    program.add(columns, np.ones(len(columns)), 1.0)
