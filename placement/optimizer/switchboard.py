"""A model in which named constraints are switched on and off, to find out which conflict.

It is not contracted: every dataset has its own variables, and every reason for which a pair is
closed is a switch, so that co-location, alternatives and what-ifs can be named. It has no costs
and so no lineage. Being a second way to write the same problem, it also checks the first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from models import Problem
from placement.optimizer.assignment import add_assignment, add_co_location
from placement.optimizer.attributes import Indices
from placement.optimizer.highs import Ending
from placement.optimizer.instance import Instance, read_instance
from placement.optimizer.loaded import Bounds, Loaded
from placement.optimizer.model import Model
from placement.optimizer.progress import Watch
from placement.optimizer.segregation import add_segregation
from placement.optimizer.separation import add_replica_separation, add_separation
from placement.optimizer.whole import add_coupling


class Switchboard:
    """A loaded model in which constraints can be switched on and off by name."""

    def __init__(self, problem: Problem, watch: Watch) -> None:
        self._watch = watch
        instance = read_instance(problem, contracted=False)
        self._model = _open_model(instance, problem)
        self._relaxed = Loaded(self._model, watch, integer=False)
        self._integer: Loaded | None = None
        self._x = np.full(self._model.allowed.shape, -1, dtype=np.intp)
        self._x[self._model.units, self._model.sites] = self._relaxed.x
        rows: dict[str, list[int]] = defaultdict(list)
        for row, name in enumerate(self._model.row_names):
            rows[name].append(row)
        self._rows = {name: np.array(given, dtype=np.intp) for name, given in rows.items()}
        self._closed, self._forced = _switches(instance, problem)

    @property
    def names(self) -> list[str]:
        """All constraints, sorted."""
        return sorted(self._rows.keys() | self._closed.keys() | self._forced.keys())

    def impossible_in_part(self, names: Iterable[str]) -> bool | None:
        """Whether not even parts of replicas could be placed under the named constraints.

        None when there was no time to tell; False proves nothing about whole replicas.
        """
        return self._ask(self._relaxed, names, afresh=False)

    def impossible(self, names: Iterable[str]) -> bool | None:
        """Whether the named constraints cannot all hold; none when there was no time to tell."""
        names = list(names)
        if self.impossible_in_part(names):
            return True
        if self._integer is None:
            self._integer = Loaded(self._model, self._watch, integer=True)
        return self._ask(self._integer, names, afresh=True)

    def _ask(self, loaded: Loaded, names: Iterable[str], *, afresh: bool) -> bool | None:
        if self._watch.expired:
            return None
        bounds = self._switched(loaded.bounds, set(names))
        if (bounds.least > bounds.most).any():
            return True
        ending = loaded.solve(bounds, afresh=afresh)
        return None if ending is Ending.STOPPED else ending is Ending.INFEASIBLE

    def _switched(self, given: Bounds, names: set[str]) -> Bounds:
        """The model's bounds with only the named constraints in force."""
        bounds = given.copy()
        bounds.free(np.arange(len(given.lower)))
        for name in names:
            rows = self._rows.get(name)
            if rows is not None:
                bounds.lower[rows], bounds.upper[rows] = given.lower[rows], given.upper[rows]
            for dataset, sites in self._closed.get(name, ()):
                bounds.most[self._x[dataset][sites]] = 0.0
            for dataset, sites in self._forced.get(name, ()):
                bounds.least[self._x[dataset][sites]] = 1.0
        return bounds


def _open_model(instance: Instance, problem: Problem) -> Model:
    """All constraints, over all pairs: closed pairs are switches, too. No costs."""
    everything = np.ones(instance.allowed.shape, dtype=np.bool_)
    model = Model(replace(instance, allowed=everything, forced=~everything), everything)
    add_assignment(model)
    add_coupling(model)
    add_co_location(model, problem)
    add_separation(model, by_itself=True)
    add_replica_separation(model)
    add_segregation(model)
    return model


Switches = dict[str, list[tuple[int, Indices]]]
"""Constraint name to (dataset, sites) pairs."""


def _switches(instance: Instance, problem: Problem) -> tuple[Switches, Switches]:
    """Pairs that constraints close, and pairs that they force."""
    masks, datasets = instance.masks, instance.of.datasets
    closed: Switches = defaultdict(list)
    forced: Switches = defaultdict(list)
    for family, mask in (
        ("assignment", masks.ineligible),
        ("alternatives", masks.without_alternatives),
    ):
        for row in np.flatnonzero(mask.any(axis=1)).tolist():
            closed[f"{family}[{datasets[row].id}]"].append((row, np.flatnonzero(mask[row])))
    index = {dataset.id: i for i, dataset in enumerate(datasets)}
    column = {site.id: s for s, site in enumerate(instance.of.sites)}
    for pair in problem.fixed:
        side = forced if pair.allowed else closed
        at = np.array([column[pair.site]], dtype=np.intp)
        side[f"fixed[{pair.dataset}|{pair.site}]"].append((index[pair.dataset], at))
    return dict(closed), dict(forced)
