"""What one would use instead: a textbook model in PuLP, HiGHS fed directly, and CP-SAT.

Each takes the very problem ours takes, and answers with a plan and a bound. All may use every core
and have their solver's default settings but for the gap and the time. Flows and pairs apart are
built by the textbook model only; one replica a dataset.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from placement.optimizer.arrays.problem import ArrayProblem, Row, pair_costs, pair_weights

BLOCK = 1 << 16


@dataclass
class Tried:
    """What a peer gave. Seconds from the start of building."""

    build_s: float
    solve_s: float = 0.0
    bound: float | None = None
    """EUR a year, none where nothing was proven."""
    sites: Any = None
    """(U,) site of each unit, or none."""
    ended: str = ""
    history: list[tuple[float, float, float]] = field(default_factory=list)
    """(seconds, incumbent, bound) as the solver went."""


Built = Callable[[], None]
"""To be called when a model is built."""

Peer = Callable[[ArrayProblem, float, float, Built], Tried]
"""Of a problem, a gap and seconds for building and solving."""


def _units(problem: ArrayProblem) -> Iterator[Any]:
    for begin in range(0, problem.units, BLOCK):
        yield np.arange(begin, min(begin + BLOCK, problem.units))


# --- PuLP, as a textbook writes it ---------------------------------------------------------------


def pulp_cbc(problem: ArrayProblem, gap: float, limit_s: float, built: Built) -> Tried:
    """The textbook's model, solved by the CBC that PuLP brings along."""
    import pulp
    from pulp.apis.coin_api import pulp_cbc_path

    began = time.perf_counter()
    model, x = _textbook(problem)
    tried = Tried(time.perf_counter() - began)
    built()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        solver = pulp.COIN_CMD(
            path=pulp_cbc_path,
            msg=False,
            timeLimit=max(1.0, limit_s - tried.build_s),
            gapRel=gap,
            logPath=str(log),
        )
        solver.tmpDir = folder
        model.solve(solver)
        text = log.read_text(encoding="utf-8", errors="replace")
    tried.solve_s = time.perf_counter() - began - tried.build_s
    _read_cbc(tried, text)
    if model.sol_status in (pulp.LpSolutionOptimal, pulp.LpSolutionIntegerFeasible):
        tried.sites = _sites_of(problem, x)
    return tried


_TREE = re.compile(
    r"Cbc0010I .* (?P<best>\S+) best solution, best possible (?P<bound>\S+) \((?P<s>\S+) seconds\)"
)
_BOUND = re.compile(r"^(?:Lower bound|Objective value): +(\S+)$", re.MULTILINE)


def _read_cbc(tried: Tried, log: str) -> None:
    """CBC's bound is in its log alone; an optimum shows no lower bound but the objective."""
    for line in _TREE.finditer(log):
        moment = tried.build_s + float(line["s"])
        tried.history.append((moment, float(line["best"]), float(line["bound"])))
    result = re.search(r"^Result - (.+)$", log, re.MULTILINE)
    tried.ended = result[1].lower() if result else "no result"
    bounds = [float(number) for number in _BOUND.findall(log)]
    if result and bounds:
        tried.bound = min(bounds)


def pulp_highs(problem: ArrayProblem, gap: float, limit_s: float, built: Built) -> Tried:
    """The textbook's model, solved by HiGHS through PuLP."""
    import highspy
    import pulp

    began = time.perf_counter()
    model, x = _textbook(problem)
    tried = Tried(time.perf_counter() - began)
    built()
    solver = pulp.HiGHS(
        msg=False,
        timeLimit=max(1.0, limit_s - tried.build_s),
        gapRel=gap,
        callbackTuple=(_history(tried, began), None),
        callbacksToActivate=[highspy.cb.HighsCallbackType.kCallbackMipInterrupt],
    )
    model.solve(solver)
    tried.solve_s = time.perf_counter() - began - tried.build_s
    if _read_highs(tried, model.solverModel):
        tried.sites = _sites_of(problem, x)
    return tried


def _textbook(problem: ArrayProblem) -> tuple[Any, dict[tuple[int, int], Any]]:
    """One binary variable for every open pair, lpSum for every sum."""
    import pulp

    model = pulp.LpProblem("textbook", pulp.LpMinimize)
    x: dict[tuple[int, int], Any] = {}
    cost: dict[tuple[int, int], float] = {}
    for units in _units(problem):
        here = pair_costs(problem, units)
        for u, s in np.argwhere(np.isfinite(here)).tolist():
            pair = int(units[0]) + u, s
            x[pair] = model.add_variable(f"x_{pair[0]}_{s}", cat=pulp.LpBinary)
            cost[pair] = float(here[u, s])
    lineage = _lineage(model, problem, x)
    model += pulp.lpSum(cost[pair] * variable for pair, variable in x.items()) + lineage
    at: list[list[Any]] = [[] for _ in range(problem.units)]
    for (u, _), variable in x.items():
        at[u].append(variable)
    for variables in at:
        model += pulp.lpSum(variables) == 1
    for row in problem.rows:
        model += pulp.lpSum(_terms(problem, row, x)) <= row.rhs
    _apart(model, problem, x)
    return model, x


def _terms(problem: ArrayProblem, row: Row, x: dict[tuple[int, int], Any]) -> Iterator[Any]:
    sites = row.sites.tolist()
    for units in _units(problem):
        weights = pair_weights(problem, row, units).tolist()
        for u, of_unit in zip(units.tolist(), weights, strict=True):
            for s, weight in zip(sites, of_unit, strict=True):
                if weight and (u, s) in x:
                    yield weight * x[u, s]


def _lineage(model: Any, problem: ArrayProblem, x: dict[tuple[int, int], Any]) -> Any:
    """sum f_e g_s z_es with z_es >= x_is - sum_{t of the operator of s} x_jt.

    S variables a flow, not S x S: the kinder of the textbook's ways.
    """
    import pulp

    flows, operator = problem.lineage, problem.operator_of.tolist()
    costs = []
    ends = zip(flows.source.tolist(), flows.derived.tolist(), flows.yearly_gb.tolist(), strict=True)
    for number, (i, j, gb) in enumerate(ends):
        for s, egress in enumerate(flows.egress.tolist()):
            if egress == 0.0 or (i, s) not in x:
                continue
            z = model.add_variable(f"z_{number}_{s}", 0, 1)
            near = [x[j, t] for t, o in enumerate(operator) if o == operator[s] and (j, t) in x]
            model += z >= x[i, s] - pulp.lpSum(near)
            costs.append(gb * egress * z)
    return pulp.lpSum(costs)


def _apart(model: Any, problem: ArrayProblem, x: dict[tuple[int, int], Any]) -> None:
    import pulp

    operator, pairs = problem.operator_of.tolist(), problem.apart
    places = [[s] for s in range(problem.sites)]
    shared = [[s for s, o in enumerate(operator) if o == p] for p in sorted(set(operator))]
    ends = zip(
        pairs.first.tolist(), pairs.second.tolist(), pairs.whole_operator.tolist(), strict=True
    )
    for i, j, whole_operator in ends:
        for sites in shared if whole_operator else places:
            both = [x[u, s] for u in (i, j) for s in sites if (u, s) in x]
            model += pulp.lpSum(both) <= 1


def _sites_of(problem: ArrayProblem, x: dict[tuple[int, int], Any]) -> Any:
    sites, most = np.full(problem.units, -1), np.full(problem.units, 0.5)
    for (u, s), variable in x.items():
        value = variable.varValue or 0.0
        if value > most[u]:
            sites[u], most[u] = s, value
    return sites


# --- HiGHS, fed with one sparse matrix -----------------------------------------------------------


def highs_direct(problem: ArrayProblem, gap: float, limit_s: float, built: Built) -> Tried:
    """NumPy to a compressed sparse matrix to one passModel: the least that HiGHS can be given."""
    import highspy

    began = time.perf_counter()
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    highs.setOptionValue("mip_rel_gap", gap)
    pairs, model = _matrix(problem)
    highs.passModel(*model)
    tried = Tried(time.perf_counter() - began)
    built()
    highs.setOptionValue("time_limit", max(1.0, limit_s - tried.build_s))
    highs.setCallback(_history(tried, began), None)
    highs.startCallback(highspy.cb.HighsCallbackType.kCallbackMipInterrupt)
    highs.run()
    tried.solve_s = time.perf_counter() - began - tried.build_s
    if _read_highs(tried, highs):
        chosen = np.array(highs.getSolution().col_value) > 0.5
        tried.sites = np.full(problem.units, -1)
        tried.sites[pairs[0][chosen]] = pairs[1][chosen]
    return tried


COLUMNWISE, MINIMISE, INTEGER = 1, 1, 1
"""HiGHS's numbers for these."""


def _matrix(problem: ArrayProblem) -> tuple[tuple[Any, Any], tuple[Any, ...]]:
    """Columns are open pairs; rows are the assignments, then the coupling rows."""
    import highspy
    from scipy import sparse

    every = np.arange(problem.units)
    unit, site = np.nonzero(problem.open[problem.class_of])
    column = np.full((problem.units, problem.sites), -1, dtype=np.int32)
    column[unit, site] = np.arange(len(unit))
    rows, columns, values = [unit], [np.arange(len(unit))], [np.ones(len(unit))]
    for r, row in enumerate(problem.rows):
        weights, at = pair_weights(problem, row, every), column[:, row.sites]
        there = (at >= 0) & (weights != 0)
        rows.append(np.full(int(there.sum()), problem.units + r))
        columns.append(at[there])
        values.append(weights[there])
    height = problem.units + len(problem.rows)
    triplets = np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))
    matrix = sparse.csc_matrix(triplets, shape=(height, len(unit)))
    ones, unlimited = np.ones(problem.units), np.full(len(problem.rows), -highspy.kHighsInf)
    model = (
        *(len(unit), height, matrix.nnz, COLUMNWISE, MINIMISE, 0.0),
        *(pair_costs(problem, every)[unit, site], np.zeros(len(unit)), np.ones(len(unit))),
        *(np.concatenate([ones, unlimited]), np.concatenate([ones, problem.rhs])),
        *(matrix.indptr, matrix.indices, matrix.data, np.full(len(unit), INTEGER, np.int32)),
    )
    return (unit, site), model


def _history(tried: Tried, began: float) -> Callable[..., None]:
    def note(_kind: Any, _message: str, now: Any, _answer: Any, _data: Any) -> None:
        point = now.mip_primal_bound, now.mip_dual_bound
        if not tried.history or point != tried.history[-1][1:]:
            tried.history.append((time.perf_counter() - began, *point))

    return note


def _read_highs(tried: Tried, highs: Any) -> bool:
    """Note the bound and the ending; whether there is a plan."""
    found, info = 2, highs.getInfo()
    tried.ended = highs.modelStatusToString(highs.getModelStatus()).lower()
    tried.bound = float(info.mip_dual_bound)
    return bool(info.primal_solution_status == found)


# --- CP-SAT --------------------------------------------------------------------------------------


def cp_sat(problem: ArrayProblem, gap: float, limit_s: float, built: Built) -> Tried:
    """OR-tools CP-SAT, in a process that has not loaded HiGHS: the two do not bear each other."""
    unit, site = np.nonzero(problem.open[problem.class_of])
    every = np.arange(problem.units)
    column = np.full((problem.units, problem.sites), -1, dtype=np.int32)
    column[unit, site] = np.arange(len(unit))
    arrays: Any = {"unit": unit, "cost": pair_costs(problem, every)[unit, site], "rhs": problem.rhs}
    for r, row in enumerate(problem.rows):
        weights, at = pair_weights(problem, row, every), column[:, row.sites]
        there = (at >= 0) & (weights != 0)
        arrays |= {f"columns_{r}": at[there], f"weights_{r}": weights[there]}
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "problem.npz", **arrays)
        command = [sys.executable, "-m", "tests.benchmarks.cp_sat", folder, str(gap), str(limit_s)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            if child.stdout.readline() == b"built\n":
                built()
        answer = json.loads((Path(folder) / "answer.json").read_text(encoding="utf-8"))
        chosen = np.load(Path(folder) / "chosen.npy") if answer.pop("found") else None
    tried = Tried(**answer)
    if chosen is not None:
        tried.sites = np.full(problem.units, -1)
        tried.sites[unit[chosen]] = site[chosen]
    return tried


PEERS: dict[str, Peer] = {
    "PuLP + CBC": pulp_cbc,
    "PuLP + HiGHS": pulp_highs,
    "highspy": highs_direct,
    "CP-SAT": cp_sat,
}
