"""Why no plan exists: a minimal set of named constraints that cannot all hold.

QuickXplain (Junker 2004) over constraints: it asks whether parts of them can hold together, which
a switchboard answers (placement.optimizer.switchboard). Families with many members, such as
the assignments, stand as one at first; those in the core are then narrowed down to members, and
stay one where that takes more than FEW: "the assignments and these three capacities".

A linear relaxation that cannot hold proves the same of the integer programme, and is asked far
faster. So where it can tell at all, it narrows the core down first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from models import EligibilityTable, GraphFacts, Problem
from placement.errors import SolverError
from placement.optimizer.progress import Watch
from placement.optimizer.switchboard import Switchboard

FEW = 12
"""Members of a family that a core names one by one."""
AT_LEAST_S = 2.0
AT_MOST_S = 30.0
LAST = ("assignment", "replica_separation")
"""Families that a core mentions only where it must: nobody can give them up."""


@dataclass(frozen=True, order=True)
class Part:
    """Some constraints that stand in a core as one: a single one, or a whole family."""

    label: str
    names: tuple[str, ...]


Oracle = Callable[[Iterable[str]], bool | None]
"""Whether constraints cannot all hold; none when there was no time to tell."""


def find_core(problem: Problem, watch: Watch) -> tuple[str, ...]:
    """A set of constraint names that cannot all hold, minimal where time allows.

    A family stands under its bare name, such as `assignment`, where naming its members takes
    more than FEW.

    Raises
    ------
    SolverError
        Where the problem, modelled this second way, has a plan after all.
    """
    limit_s = min(AT_MOST_S, max(AT_LEAST_S, watch.left_s))
    board = Switchboard(problem, watch.extended(limit_s))
    parts = _families(board.names)
    everything = _names(parts)
    if board.impossible_in_part(everything):
        core = _narrow(board.impossible_in_part, _minimal(board.impossible_in_part, [], parts))
        core = _minimal(board.impossible, [], core)
    else:
        verdict = board.impossible(everything)
        if verdict is False:
            raise SolverError("two models of the same problem disagree on whether a plan exists")
        core = parts if verdict is None else _minimal(board.impossible, [], parts)
        core = _narrow(board.impossible, core)
    return tuple(sorted(part.label for part in core))


def _families(names: Sequence[str]) -> list[Part]:
    """Small families by member, large ones as one; the most telling ones first."""
    members: dict[str, list[str]] = defaultdict(list)
    for name in names:
        members[name.split("[")[0]].append(name)
    parts = []
    for family in sorted(members, key=lambda family: (family in LAST, family)):
        given = members[family]
        if len(given) > FEW and family not in _BY_SITE:
            parts.append(Part(family, tuple(given)))
        else:
            parts += [Part(name, (name,)) for name in given]
    return parts


_BY_SITE = ("capacity", "concentration_volume", "concentration_critical", "segregation")
"""Families with a member a site or an operator: few enough to tell apart from the start."""


def _names(parts: Iterable[Part]) -> list[str]:
    return [name for part in parts for name in part.names]


def _minimal(oracle: Oracle, background: list[Part], parts: list[Part]) -> list[Part]:
    """QuickXplain: a minimal part of `parts` that cannot hold together with `background`.

    Prefers parts that come first. What the oracle cannot tell in time stays in.
    """
    if not parts or (background and oracle(_names(background))):
        return []
    if len(parts) == 1:
        return parts
    half = len(parts) // 2
    first, second = parts[:half], parts[half:]
    of_second = _minimal(oracle, background + first, second)
    return _minimal(oracle, background + of_second, first) + of_second


def _narrow(oracle: Oracle, core: list[Part]) -> list[Part]:
    """Name the members of families where FEW of them are enough."""
    for part in [part for part in core if len(part.names) > 1]:
        others = [other for other in core if other != part]
        members = _members(oracle, _names(others), part.names)
        if members is not None:
            core = others + [Part(name, (name,)) for name in members]
    return core


def _members(oracle: Oracle, background: list[str], names: Sequence[str]) -> list[str] | None:
    """At most FEW of `names` that cannot hold with `background`; none where it takes more."""
    found: list[str] = []
    rest = list(names)
    while not oracle(background + found):
        last = _shortest_prefix(oracle, background + found, rest)
        if last is None or len(found) == FEW:
            return None
        found.append(rest[last])
        rest = rest[:last]
    return found


def _shortest_prefix(oracle: Oracle, background: list[str], names: list[str]) -> int | None:
    """Index of the last name of the shortest prefix that cannot hold, by bisection."""
    low, high = 1, len(names)
    while low < high:
        middle = (low + high) // 2
        verdict = oracle(background + names[:middle])
        if verdict is None:
            return None
        low, high = (low, middle) if verdict else (middle + 1, high)
    return high - 1 if high else None


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
