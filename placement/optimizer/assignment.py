"""[assignment[d]] and [co_location[a|b|...]]: where every dataset rests."""

from __future__ import annotations

from itertools import pairwise

import pulp

from models import Problem
from placement.optimizer.model import Model


def add_assignment(model: Model) -> None:
    """[assignment[d]] sum_s x_us = n_u over the allowed sites of every unit.

    x_us in {0, 1}: a replica of every member of u rests at s. n_u is the number of replicas.
    One row under the name of the unit's first member: for co-located groups the rows of the
    other members would be the same.
    """
    of = model.instance.of
    for unit, datasets in enumerate(model.instance.members):
        name = f"assignment[{of.datasets[datasets[0]].id}]"
        terms = [(variable, 1.0) for _, variable in model.row_of(unit)]
        model.add(name, terms, pulp.LpConstraintEQ, float(model.instance.replicas[unit]))


def add_co_location(model: Model, problem: Problem) -> None:
    """[co_location[a|b|...]] x_as = x_bs for neighbours in a group and every site.

    Only for instances that are not contracted, where every dataset is a unit: it is what an
    infeasibility core can leave out.
    """
    index = {dataset.id: i for i, dataset in enumerate(model.instance.of.datasets)}
    for group in sorted(problem.facts.co_location):
        name = f"co_location[{'|'.join(group)}]"
        for first, second in pairwise(group):
            left, right = dict(model.row_of(index[first])), dict(model.row_of(index[second]))
            for site in sorted(left.keys() | right.keys()):
                terms = [
                    (row[site], sign) for row, sign in ((left, 1.0), (right, -1.0)) if site in row
                ]
                model.add(name, terms, pulp.LpConstraintEQ, 0.0)
