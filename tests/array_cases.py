"""Small random problems as arrays, of every kind that coupling rows alone make."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, product

import numpy as np

from placement.optimizer.arrays.problem import ArrayProblem, Row, load_of, row_totals
from placement.optimizer.arrays.solution import plan_cost, violations

DENSE, FACTORED, REPEATED, REPLICATED = range(4)


def random_problem(seed, units=13, sites=6):
    """Fewer than `units` units and `sites` sites; about one in six has no plan."""
    rng = np.random.default_rng(seed)
    kind = int(rng.integers(4))
    count, places = int(rng.integers(1, units)), int(rng.integers(1, sites))
    operator_of = np.sort(rng.integers(int(rng.integers(1, places + 1)), size=places))
    operator_of = np.unique(operator_of, return_inverse=True)[1].ravel().astype(np.intp)
    class_of, features = _units(rng, kind, count)
    classes = int(class_of.max()) + 1
    opened = rng.random((classes, places)) < 0.75
    opened[np.arange(classes), rng.integers(places, size=classes)] = True
    cost = np.round(rng.uniform(0, 50, (classes, len(features), places)), int(rng.integers(3)))
    most = min(3, int(operator_of.max()) + 1)
    replicas = np.ones(classes, dtype=np.intp)
    if kind == REPLICATED:
        replicas = rng.integers(1, most + 1, size=classes).astype(np.intp)
    bare = ArrayProblem(
        class_of=class_of,
        features=features,
        counts=np.ones(count),
        cost=np.where(opened[:, None, :], cost, 0.0),
        open=opened,
        replicas=replicas,
        operator_of=operator_of,
        rows=_rows(rng, classes, len(features), places),
    )
    return _limited(rng, bare)


def _units(rng, kind, count):
    if kind == DENSE:
        return np.arange(count, dtype=np.intp), np.ones((1, count))
    class_of = np.sort(rng.integers(int(rng.integers(1, 4)), size=count))
    volumes = np.floor(rng.lognormal(2, 1, count)) + 1
    features = np.stack([np.ones(count), volumes])
    if kind == REPEATED:
        again = np.sort(rng.integers(max(1, count // 3), size=count))
        class_of, features = class_of[again], features[:, again]
    class_of = np.unique(class_of, return_inverse=True)[1].ravel()
    return class_of.astype(np.intp), np.ascontiguousarray(features)


def _rows(rng, classes, features, sites):
    rows = []
    for site in range(sites):
        alike = rng.random() < 0.5
        weights = np.ones((1, 1, 1)) if alike else np.floor(rng.uniform(0, 10, (classes, 1, 1)))
        feature = np.array([int(rng.integers(features))])
        rows.append(Row(f"capacity[{site}]", np.array([site]), feature, weights, 0.0))
    prices = rng.uniform(0, 1, (classes, features, sites))
    rows.append(Row("exit_budget", np.arange(sites), np.arange(features), prices, 0.0))
    return tuple(rows)


def _limited(rng, bare):
    """Limits round what random sites take."""
    drawn = np.where(bare.open[bare.class_of], rng.random((bare.units, bare.sites)), -1.0)
    totals = row_totals(bare, load_of(bare, drawn.argmax(axis=1))) * bare.replicas.max()
    slack = rng.choice([0.8, 1.0, 1.0, 1.1, 1.3, 1.3, 1.6, 2.0])
    limits = [
        float(total * slack) if row.name == "exit_budget" else float(np.floor(total * slack))
        for row, total in zip(bare.rows, totals, strict=True)
    ]
    rows = [replace(row, rhs=limit) for row, limit in zip(bare.rows, limits, strict=True)]
    return replace(bare, rows=tuple(rows))


def cheapest_by_trying(problem):
    """Least cost over all plans, inf where there is none."""
    width = int(problem.replicas.max())
    choices = []
    for unit in range(problem.units):
        k = problem.class_of[unit]
        sites = np.flatnonzero(problem.open[k]).tolist()
        some = combinations(sites, int(problem.replicas[k]))
        choices.append([list(c) + [-1] * (width - len(c)) for c in some])
    best = np.inf
    for plan in product(*choices):
        at = np.array(plan, dtype=np.intp).reshape(problem.units, width)
        cost = plan_cost(problem, at)
        if cost < best and not violations(problem, at):
            best = cost
    return best


def shuffled(problem, seed):
    """The same problem, its units in another order within their classes, and that order."""
    rng = np.random.default_rng(seed)
    order = np.lexsort((rng.random(problem.units), problem.class_of))
    features = np.ascontiguousarray(problem.features[:, order])
    return replace(problem, features=features, counts=problem.counts[order]), order
