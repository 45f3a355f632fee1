"""Why no plan exists: a minimal set of named constraints that cannot all hold.

QuickXplain (Junker 2004) over constraint names: it asks whether subsets of the constraints can
hold together, which HiGHS answers on one loaded model whose rows and bounds are switched on and
off. The model is not contracted: every dataset has its own variables, and every reason for which
a pair is closed is a switch, so that co-location, alternatives and what-ifs can be named.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from models import EligibilityTable, GraphFacts, Problem
from placement.errors import SolverError
from placement.optimizer.assignment import add_assignment, add_co_location
from placement.optimizer.attributes import Flags, Indices
from placement.optimizer.highs import Ending
from placement.optimizer.instance import Instance, read_instance
from placement.optimizer.loaded import Loaded
from placement.optimizer.model import Model
from placement.optimizer.progress import Watch
from placement.optimizer.segregation import add_segregation
from placement.optimizer.separation import add_replica_separation, add_separation
from placement.optimizer.whole import add_coupling

FEW = 12
"""Datasets that a core names one by one; where it takes more, it says `assignment`."""
AT_LEAST_S = 2.0
AT_MOST_S = 30.0
ASSIGNMENT = "assignment"


class Switchboard:
    """A loaded model in which constraints can be switched on and off by name."""

    def __init__(self, problem: Problem, watch: Watch) -> None:
        self._watch = watch
        instance = read_instance(problem, contracted=False)
        model = _open_model(instance, problem)
        self._loaded = Loaded(model, watch, integer=True)
        self._x = np.full(model.allowed.shape, -1, dtype=np.intp)
        self._x[model.units, model.sites] = self._loaded.x
        rows: dict[str, list[int]] = defaultdict(list)
        for row, name in enumerate(model.row_names):
            rows[name].append(row)
        self._rows = {name: np.array(given, dtype=np.intp) for name, given in rows.items()}
        self._closed, self._forced = _switches(instance, problem)

    @property
    def names(self) -> list[str]:
        """All constraints, assignments last."""
        names = self._rows.keys() | self._closed.keys() | self._forced.keys()
        return sorted(names, key=lambda name: (name.startswith("assignment["), name))

    def infeasible(self, names: Iterable[str]) -> bool | None:
        """Whether the named constraints cannot all hold; none when there was no time to tell."""
        if self._watch.expired:
            return None
        given = self._loaded.bounds
        bounds = given.copy()
        bounds.free(np.arange(len(given.lower)))
        for name in set(names):
            rows = self._rows.get(name)
            if rows is not None:
                bounds.lower[rows], bounds.upper[rows] = given.lower[rows], given.upper[rows]
            for dataset, sites in self._closed.get(name, ()):
                bounds.most[self._x[dataset][sites]] = 0.0
            for dataset, sites in self._forced.get(name, ()):
                bounds.least[self._x[dataset][sites]] = 1.0
        if (bounds.least > bounds.most).any():
            return True
        ending = self._loaded.solve(bounds, afresh=True)
        return None if ending is Ending.STOPPED else ending is Ending.INFEASIBLE


def find_core(problem: Problem, watch: Watch) -> tuple[str, ...]:
    """A set of constraint names that cannot all hold, minimal where time allows.

    Assignments stand as one, `assignment`, where naming them takes more than FEW.

    Raises
    ------
    SolverError
        Where the problem, modelled this second way, has a plan after all.
    """
    limit_s = min(AT_MOST_S, max(AT_LEAST_S, watch.left_s))
    board = Switchboard(problem, watch.extended(limit_s))
    names = board.names
    verdict = board.infeasible(names)
    if verdict is False:
        raise SolverError("two models of the same problem disagree on whether a plan exists")
    placing = [name for name in names if name.startswith("assignment[")]
    others = [name for name in names if not name.startswith("assignment[")]
    if verdict is None:
        return tuple(sorted({name.split("[")[0] for name in names}))
    core = _minimal(board, placing, others)
    named = _minimal_assignments(board, core, placing)
    return tuple(sorted(core + named))


def alone(problem: Problem, datasets: Sequence[str]) -> Problem:
    """The part of a problem that concerns only the datasets given, without what couples it."""
    kept = set(datasets)
    rows = [i for i, d in enumerate(problem.datasets) if d.id in kept]
    chosen = tuple(problem.datasets[i] for i in rows)
    facts, table = problem.facts, problem.eligibility
    roomy = tuple(s.model_copy(update={"capacity_gb": 10**12}) for s in problem.sites)
    part: EligibilityTable = table.model_copy(
        update={
            "datasets": tuple(d.id for d in chosen),
            "profile_of": tuple(table.profile_of[i] for i in rows),
        }
    )
    within: GraphFacts = facts.model_copy(
        update={
            "co_location": tuple(g for g in facts.co_location if kept.issuperset(g)),
            "separations": tuple(p for p in facts.separations if {p.first, p.second} <= kept),
            "flows": (),
        }
    )
    free = {
        "operator_volume_share_max": 1,
        "operator_critical_share_max": 1,
        "closed_stack_share_max": 1,
        "exit_budget_eur": None,
        "moves_max": None,
    }
    return problem.model_copy(
        update={
            "datasets": chosen,
            "sites": roomy,
            "eligibility": part,
            "facts": within,
            "parameters": problem.parameters.model_copy(update=free),
            "fixed": tuple(p for p in problem.fixed if p.dataset in kept),
        }
    )


def _open_model(instance: Instance, problem: Problem) -> Model:
    """All constraints, over all pairs: closed pairs are switches, too. No costs."""
    everything = np.ones(instance.allowed.shape, dtype=np.bool_)
    model = Model(_opened(instance, everything), everything)
    add_assignment(model)
    add_coupling(model)
    add_co_location(model, problem)
    add_separation(model)
    add_replica_separation(model)
    add_segregation(model)
    return model


def _opened(instance: Instance, everything: Flags) -> Instance:
    return replace(instance, allowed=everything, forced=~everything)


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


def _minimal(board: Switchboard, background: Sequence[str], names: Sequence[str]) -> list[str]:
    """QuickXplain: a minimal part of `names` that cannot hold together with `background`."""
    if not names or board.infeasible(background):
        return []
    return _split(board, list(background), list(names))


def _split(board: Switchboard, background: list[str], names: list[str]) -> list[str]:
    """Invariant: `background + names` cannot hold, `background` alone is not known not to."""
    if len(names) == 1:
        return names
    half = len(names) // 2
    left, right = names[:half], names[half:]
    from_right = (
        [] if board.infeasible(background + left) else _split(board, background + left, right)
    )
    if board.infeasible(background + from_right):
        return from_right
    return from_right + _split(board, background + from_right, left)


def _minimal_assignments(board: Switchboard, core: list[str], placing: Sequence[str]) -> list[str]:
    """The datasets without which the core's other constraints could hold, if they are few."""
    if board.infeasible(core):
        return []
    found: list[str] = []
    rest = list(placing)
    while len(found) <= FEW:
        if board.infeasible(core + found):
            return found
        needed = _shortest_prefix(board, core + found, rest)
        if needed is None:
            break
        found.append(rest[needed])
        rest = rest[:needed]
    return [ASSIGNMENT]


def _shortest_prefix(board: Switchboard, background: list[str], names: list[str]) -> int | None:
    """Index of the last name of the shortest infeasible prefix, by bisection."""
    low, high = 0, len(names)
    while low < high:
        middle = (low + high) // 2
        verdict = board.infeasible(background + names[:middle])
        if verdict is None:
            return None
        low, high = (low, middle) if verdict else (middle + 1, high)
    return high - 1 if high else None
