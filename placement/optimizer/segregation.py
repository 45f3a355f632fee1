"""[segregation[s]]: datasets of segregated duties do not meet at a site."""

from __future__ import annotations

from typing import Any

import numpy as np
import pulp

from models import SegregatedDuties
from placement.optimizer.attributes import Flags
from placement.optimizer.instance import Instance
from placement.optimizer.model import Model


def add_segregation(model: Model) -> None:
    """[segregation[s]] no dataset with `duty` and other dataset with `other` both rest at s.

    With A and B the units that carry one duty but not the other, D those that carry both, and
    y_A, y_B in [0, 1] the presence of each side at s:

        x_as <= y_A,  x_bs <= y_B,  sum_{d in D} x_ds + y_A + y_B <= 1

    which is |A| + |B| + 1 rows instead of |A| |B|, and as tight. A dataset that carries both
    duties is judged alone by policy; here it keeps everybody else of A, B and D away.
    """
    column = {site.id: s for s, site in enumerate(model.instance.of.sites)}
    for number, rule in enumerate(model.instance.segregations):
        _add_rule(model, number, rule, column[rule.site])


def _add_rule(model: Model, number: int, rule: SegregatedDuties, site: int) -> None:
    name = f"segregation[{rule.site}]"
    at = model.column_of(site)
    carries = [carriers(model.instance, duty)[at.units] for duty in (rule.duty, rule.other)]
    one, other = carries[0] & ~carries[1], carries[1] & ~carries[0]
    both = _pick(at.variables, carries[0] & carries[1])
    sides = [_pick(at.variables, one), _pick(at.variables, other)]
    if len(both) + sum(map(bool, sides)) < 2:
        return
    presences = [model.share(f"w_{number:04d}_{k}") for k in range(2)]
    for presence, side in zip(presences, sides, strict=True):
        for variable in side:
            model.add(name, [(variable, 1.0), (presence, -1.0)], pulp.LpConstraintLE, 0.0)
    terms = [(variable, 1.0) for variable in both + presences]
    model.add(name, terms, pulp.LpConstraintLE, 1.0)


def carriers(instance: Instance, duty: str) -> Flags:
    """(U,) units with a member that carries the duty."""
    duties = [set(dataset.duties) for dataset in instance.of.datasets]
    return np.array(
        [any(duty in duties[d] for d in members) for members in instance.members], dtype=np.bool_
    )


def _pick(variables: list[Any], flags: Flags) -> list[Any]:
    return [variables[k] for k in np.flatnonzero(flags).tolist()]
