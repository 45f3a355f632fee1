"""[separation[a|b]] and [replica_separation[d]]: what must not share a site or an operator."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pulp

from placement.optimizer.instance import UnitPair
from placement.optimizer.model import Model


def add_separation(model: Model, *, by_itself: bool = False) -> None:
    """[separation[a|b]] no site, or no operator, hosts both.

    Level site: x_as + x_bs <= 1 for every site s. Level operator: sum_{s in o} (x_as + x_bs) <= 1
    for every operator o; that is exact for replicated datasets, too, as each has at most one
    replica with an operator. `by_itself` does not lean on [replica_separation], which a core may
    leave out: x_as + x_bt <= 1 for all s, t in o. Rows that nothing could break are left out.
    """
    for pair in model.instance.separations:
        replicated = model.instance.replicas[[pair.first, pair.second]].max() > 1
        for first, second in _meetings(model, pair):
            if by_itself and replicated:
                rows = [[a, b] for a, b in product(first, second)]
            else:
                rows = [first + second]
            for row in rows:
                model.add(pair.name, [(v, 1.0) for v in row], pulp.LpConstraintLE, 1.0)


def _meetings(model: Model, pair: UnitPair) -> list[tuple[list[Any], list[Any]]]:
    """The variables of both units wherever they could meet."""
    if pair.first == pair.second:
        return []
    if pair.whole_operator:
        operators = range(len(model.instance.of.operators))
        both = [
            (model.at_operator(pair.first, o), model.at_operator(pair.second, o)) for o in operators
        ]
    else:
        second = dict(model.row_of(pair.second))
        both = [([v], [second[s]]) for s, v in model.row_of(pair.first) if s in second]
    return [(a, b) for a, b in both if a and b]


def add_replica_separation(model: Model) -> None:
    """[replica_separation[d]] sum_{s in o} x_ds <= 1 for every operator o, where n_d > 1."""
    instance = model.instance
    for unit in np.flatnonzero(instance.replicas > 1).tolist():
        name = f"replica_separation[{instance.of.datasets[instance.members[unit][0]].id}]"
        for operator in range(len(instance.of.operators)):
            terms = [(variable, 1.0) for variable in model.at_operator(unit, operator)]
            if len(terms) > 1:
                model.add(name, terms, pulp.LpConstraintLE, 1.0)
