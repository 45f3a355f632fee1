"""Small problems for the tests of prices, and their programmes by another way."""

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from placement.optimizer.arrays.problem import ArrayProblem, Row, pair_costs, pair_weights


def random_problem(seed, *, units=None, replicated=False, counted=False, own=False, tight=0.6):
    """Few classes with features, or a class a unit; rows of every kind, some of `at least`."""
    rng = np.random.default_rng(seed)
    units = units or int(rng.integers(3, 25))
    sites, operators = int(rng.integers(3, 7)), 3
    classes = units if own else int(rng.integers(1, 4))
    features = 1 if own else int(rng.integers(1, 4))
    operator_of = np.sort(np.arange(sites) % operators)
    open_ = rng.random((classes, sites)) < 0.7
    for o in range(operators):
        open_[:, np.flatnonzero(operator_of == o)[0]] = True
    replicas = rng.integers(1, 3, classes) if replicated else np.ones(classes, dtype=np.intp)
    class_of = np.arange(units) if own else np.sort(rng.integers(classes, size=units))
    phi = np.ones((1, units)) if own else rng.integers(1, 9, (features, units)).astype(float)
    counts = rng.integers(1, 4, units).astype(float) if counted else np.ones(units)
    cost = np.where(open_[:, None, :], rng.uniform(1, 9, (classes, features, sites)), 0.0)
    bare = ArrayProblem(
        class_of=class_of.astype(np.intp),
        features=phi,
        counts=counts,
        cost=cost,
        open=open_,
        replicas=replicas,
        operator_of=operator_of,
        rows=(),
    )
    rows = [_row(rng, bare, s, own, tight) for s in range(sites + 2)]
    return ArrayProblem(**{**bare.__dict__, "rows": tuple(rows)})


def _row(rng, bare, number, own, tight):
    sites = bare.sites
    at = np.array([number]) if number < sites else np.flatnonzero(rng.random(sites) < 0.6)
    features = np.array([int(rng.integers(len(bare.features)))])
    per_class = own or rng.random() < 0.5
    shape = (bare.classes if per_class else 1, 1, len(at))
    weights = rng.integers(1, 6, shape).astype(float)
    if number == sites + 1:
        weights = -weights
    row = Row(f"row[{number}]", at, features, weights, 0.0)
    load = pair_weights(bare, row, np.arange(bare.units)) * bare.counts[:, None]
    closed = ~bare.open[bare.class_of][:, at]
    load[closed] = 0.0
    wanted = bare.replicas[bare.class_of].sum() / bare.replicas.size
    if number == sites + 1:
        return Row(
            row.name, at, features, weights, float(0.15 * load.min(axis=1, initial=0.0).sum())
        )
    share = tight * load.max(axis=1, initial=0.0).sum() * wanted
    return Row(row.name, at, features, weights, float(np.ceil(share)))


def programme(problem):
    """c, constraints, upper bounds and the pairs, of the problem without relations."""
    units = np.arange(problem.units)
    costs = pair_costs(problem, units) * problem.counts[:, None]
    u, s = np.nonzero(np.isfinite(costs))
    k = problem.class_of
    lines, low, high = [], [], []
    for unit in units:
        n = float(problem.replicas[k[unit]])
        lines.append((u == unit).astype(float))
        low.append(n)
        high.append(n)
        for o in np.unique(problem.operator_of):
            lines.append(((u == unit) & (problem.operator_of[s] == o)).astype(float))
            low.append(-np.inf)
            high.append(1.0)
    for row in problem.rows:
        weights = np.zeros((problem.units, problem.sites))
        weights[:, row.sites] = pair_weights(problem, row, units) * problem.counts[:, None]
        lines.append(weights[u, s])
        low.append(-np.inf)
        high.append(row.rhs)
    return costs[u, s], LinearConstraint(np.stack(lines), low, high), u, s


def relaxed(problem, *, integer=False):
    """Value of the linear (or integer, for counts of one) programme; inf where infeasible."""
    cost, lines, _, _ = programme(problem)
    kind = np.full(len(cost), int(integer))
    found = milp(cost, constraints=lines, integrality=kind, bounds=Bounds(0, 1))
    if found.status == 2:
        return np.inf
    assert found.status == 0, found.message
    return float(found.fun)


def brute_bound(problem, prices, extra=None):
    """L(prices), a unit at a time."""
    total = -float(prices @ problem.rhs)
    for unit in range(problem.units):
        one = np.array([unit])
        costs = pair_costs(problem, one)[0]
        for row, price in zip(problem.rows, prices, strict=True):
            costs[row.sites] += price * pair_weights(problem, row, one)[0]
        if extra is not None:
            costs = costs + extra[:, unit]
        operators = np.unique(problem.operator_of)
        best = sorted(costs[problem.operator_of == o].min() for o in operators)
        total += problem.counts[unit] * sum(best[: problem.replicas[problem.class_of[unit]]])
    return total
