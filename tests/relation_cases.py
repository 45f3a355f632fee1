"""Tiny related problems as arrays, and their best plans by trying every one."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np

from placement.optimizer.arrays.problem import Apart, ArrayProblem, Lineage, Row, Segregation
from placement.optimizer.arrays.solution import plan_cost, violations


def tiny(seed, *, units=5, sites=4, replicated=False, segregated=False):
    """A problem of few units, with every kind of relation; some have no plan."""
    rng = np.random.default_rng(seed)
    operator_of = np.sort(rng.integers(0, 3, sites))
    _, operator_of = np.unique(operator_of, return_inverse=True)
    classes = int(rng.integers(1, units + 1))
    class_of = np.sort(rng.integers(0, classes, units))
    _, class_of = np.unique(class_of, return_inverse=True)
    classes = int(class_of.max()) + 1
    features = np.stack([np.ones(units), rng.integers(1, 30, units).astype(float)])
    opened = rng.random((classes, sites)) < 0.8
    opened[np.arange(classes), rng.integers(0, sites, classes)] = True
    replicas = np.ones(classes, dtype=np.intp)
    if replicated:
        replicas[rng.random(classes) < 0.4] = 2
    cost = rng.integers(0, 20, (classes, 2, sites)).astype(float)
    many = replicas[class_of] > 1
    flows, others = _flows(rng, units, sites, many)
    return ArrayProblem(
        class_of=class_of.astype(np.intp),
        features=features,
        counts=np.ones(units),
        cost=np.where(opened[:, None, :], cost, 0.0),
        open=opened,
        replicas=replicas,
        operator_of=operator_of.astype(np.intp),
        rows=_rows(rng, classes, sites, features),
        lineage=flows,
        replicated=others,
        apart=_apart(rng, units),
        segregations=_segregations(rng, classes, sites) if segregated else (),
    )


def _flows(rng, units, sites, many):
    count = int(rng.integers(0, 2 * units))
    ends = rng.integers(0, units, (count, 2))
    ends = ends[ends[:, 0] != ends[:, 1]]
    yearly = rng.integers(1, 200, len(ends)).astype(float)
    egress = np.round(rng.uniform(0, 2, sites), 2)
    several = many[ends].any(axis=1)
    return tuple(
        Lineage(ends[k, 0].copy(), ends[k, 1].copy(), yearly[k], egress)
        for k in (~several, several)
    )


def _apart(rng, units):
    pairs = [p for p in combinations(range(units), 2) if rng.random() < 0.25]
    ends = np.array(pairs, dtype=np.intp).reshape(-1, 2)
    return Apart(ends[:, 0].copy(), ends[:, 1].copy(), rng.random(len(ends)) < 0.4)


def _rows(rng, classes, sites, features):
    rows = []
    total = features[1].sum()
    for s in range(sites):
        at, feature = np.array([s]), np.array([1])
        if rng.random() < 0.7:
            limit = np.ceil(total * rng.uniform(0.2, 0.8))
            rows.append(Row(f"capacity[{s}]", at, feature, np.ones((1, 1, 1)), float(limit)))
    weights = (rng.random((classes, 1, sites)) < 0.3).astype(float)
    if rng.random() < 0.5:
        limit = float(np.ceil(0.5 * total))
        rows.append(Row("closed_stack", np.arange(sites), np.array([1]), weights, limit))
    if rng.random() < 0.3:
        stays = -(rng.random((classes, 1, sites)) < 0.4).astype(float)
        rows.append(Row("moves", np.arange(sites), np.array([0]), stays, -1.0))
    return tuple(rows)


def _segregations(rng, classes, sites):
    return tuple(
        Segregation(int(s), rng.random(classes) < 0.5, rng.random(classes) < 0.5)
        for s in rng.choice(sites, 2, replace=False)
    )


def cheapest(problem):
    """(cost, sites) of the best plan by trying all; infinite where there is none."""
    replicas = problem.replicas[problem.class_of]
    width = int(replicas.max())
    choices = []
    for u, n in enumerate(replicas.tolist()):
        here = np.flatnonzero(problem.open[problem.class_of[u]]).tolist()
        sets = [
            (*some, *[-1] * (width - n))
            for some in combinations(here, n)
            if len({int(problem.operator_of[s]) for s in some}) == n
        ]
        choices.append(sets)
    best, plan = np.inf, None
    for sites in product(*choices):
        at = np.array(sites, dtype=np.intp).reshape(problem.units, width)
        cost = plan_cost(problem, at)
        if cost < best and not violations(problem, at):
            best, plan = cost, at
    return best, plan
