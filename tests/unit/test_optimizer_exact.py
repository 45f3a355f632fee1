"""No answer of the solver is believed: every constraint is held against it exactly."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from models import FixedPair, Level, SegregatedDuties, SeparatedPair, Termination
from placement.errors import SolverError
from placement.optimizer import highs, search, solve
from placement.optimizer.exact import ExactCheck, Overload
from placement.optimizer.highs import Ending, Outcome
from tests.builders import ELIGIBLE, INELIGIBLE, dataset, problem, site
from tests.optimizer_cases import CHEAP, CLOSED, DEAR, clouds, free


def test_a_row_is_kept_to_the_last_gb():
    datasets = (dataset("a", volume_gb=10**12 - 1), dataset("b", volume_gb=1))
    sites = (site("x", capacity_gb=10**12), site("y"))
    assert ExactCheck(problem(datasets, sites)).overloads({"a": ("x",), "b": ("x",)}) == []
    more = (datasets[0], dataset("b", volume_gb=2))
    assert ExactCheck(problem(more, sites)).overloads({"a": ("x",), "b": ("x",)}) == [
        Overload("capacity[x]", (("a", "x"), ("b", "x")))
    ]


def test_a_cover_is_minimal_and_counts_co_located_datasets_as_one():
    datasets = tuple(
        dataset(name, volume_gb=v) for name, v in zip("abcd", (5, 4, 4, 1), strict=True)
    )
    given = problem(datasets, (site("x", capacity_gb=10),), facts={"co_location": (("b", "c"),)})
    everything = dict.fromkeys("abcd", ("x",))
    assert ExactCheck(given).overloads(everything) == [
        Overload("capacity[x]", (("b", "x"), ("a", "x")))
    ]


@pytest.mark.parametrize(
    ("limits", "verdict", "row"),
    [
        (
            {"operator_volume_share_max": Decimal("0.999999999")},
            ELIGIBLE,
            "concentration_volume[c]",
        ),
        ({"operator_critical_share_max": Decimal("0.5")}, ELIGIBLE, "concentration_critical[c]"),
        ({"exit_budget_eur": Decimal("599.999999999")}, ELIGIBLE, "exit_budget"),
        ({"closed_stack_share_max": Decimal("0.999999999")}, CLOSED, "closed_stack"),
    ],
)
def test_every_coupling_row_is_checked(limits, verdict, row):
    datasets = tuple(dataset(name, availability=Level.HIGH) for name in "ab")
    sites = clouds("c", egress_price_eur_per_gb=3, exit_notice_days=None, transfer_window_days=None)
    given = problem(datasets, sites, verdicts=((verdict,),) * 2, parameters=free(**limits))
    overloads = ExactCheck(given).overloads({"a": ("s0",), "b": ("s0",)})
    assert [overload.name for overload in overloads] == [row]
    assert (
        ExactCheck(given.model_copy(update={"parameters": free()})).overloads(
            {"a": ("s0",), "b": ("s0",)}
        )
        == []
    )


ANYWHERE = {"a": ("s0",), "b": ("s1",)}


@pytest.mark.parametrize(
    ("placed", "changes", "broken"),
    [
        ({"a": (), "b": ("s1",)}, {}, "assignment[a]"),
        ({"a": ("s0", "s1"), "b": ("s1",)}, {}, "assignment[a]"),
        ({"a": ("s2",), "b": ("s1",)}, {}, "assignment[a]"),
        (ANYWHERE, {"co_location": (("a", "b"),)}, "co_location[a|b]"),
        (
            {"a": ("s0",), "b": ("s0",)},
            {"separations": (SeparatedPair(first="a", second="b", level="site"),)},
            "separation[a|b]",
        ),
        (
            ANYWHERE,
            {"separations": (SeparatedPair(first="a", second="b", level="operator"),)},
            "separation[a|b]",
        ),
        (ANYWHERE, {"moves_max": 0}, "moves"),
        (ANYWHERE, {"alternatives_min": 1}, "alternatives[b]"),
        (ANYWHERE, {"fixed": ("a", "s1", True)}, "fixed[a|s1]"),
        (ANYWHERE, {"fixed": ("a", "s0", False)}, "fixed[a|s0]"),
    ],
)
def test_an_answer_that_breaks_anything_else_is_an_error(placed, changes, broken):
    """Site s2 is denied to all; b rests at s0 now and is critical."""
    facts = {k: v for k, v in changes.items() if k in ("co_location", "separations")}
    limits = {k: v for k, v in changes.items() if k in ("moves_max", "alternatives_min")}
    fixed: tuple[FixedPair, ...] = ()
    if "fixed" in changes:
        d, s, allowed = changes["fixed"]
        fixed = (FixedPair(dataset=d, site=s, allowed=allowed),)
    given = problem(
        (dataset("a"), dataset("b", current_site="s0", availability=Level.HIGH)),
        clouds("x", "x", "y"),
        verdicts=((ELIGIBLE, ELIGIBLE, INELIGIBLE),) * 2,
        facts=facts,
        parameters=free(**limits),
        fixed=fixed,
    )
    with pytest.raises(SolverError, match=broken.replace("[", r"\[").replace("|", r"\|")):
        ExactCheck(given).overloads(placed)


def test_replicas_and_segregated_duties_are_checked():
    twice = problem((dataset("a", replicas=2),), clouds("x", "x"))
    with pytest.raises(SolverError, match="replica_separation"):
        ExactCheck(twice).overloads({"a": ("s0", "s1")})
    duties = problem((dataset("a", duties=("p",)), dataset("b", duties=("q",))), clouds("x"))
    rule = SegregatedDuties(site="s0", duty="p", other="q")
    table = duties.eligibility.model_copy(update={"segregated_duties": (rule,)})
    with pytest.raises(SolverError, match="segregation"):
        ExactCheck(duties.model_copy(update={"eligibility": table})).overloads(
            {"a": ("s0",), "b": ("s0",)}
        )


@pytest.mark.parametrize("short", [0, 1])
def test_volumes_of_a_trillion_gb_fill_a_site_to_the_last_gb(short):
    """HiGHS alone puts three of them into one GB too little, and calls that optimal."""
    volumes = [333_333_333_333 + offset for offset in (1, 3, 0, 2, 0, 1)]
    smallest = sum(sorted(volumes)[:3])
    sites = (
        site("cheap", capacity_gb=smallest - short, object_price_eur_per_gb_month=CHEAP),
        *(site(f"dear{k}", capacity_gb=10**12, object_price_eur_per_gb_month=DEAR) for k in "ab"),
    )
    datasets = tuple(dataset(f"d{k}", volume_gb=v) for k, v in enumerate(volumes))
    solution = solve(problem(datasets, sites, parameters=free()))
    assert solution.termination is Termination.WITHIN_GAP
    there = [v for v, at in zip(volumes, solution.placements, strict=True) if at == ("cheap",)]
    assert len(there) == 3 - short
    assert sum(there) <= smallest - short


def overfull(model: Any, *_: Any) -> Outcome:
    """A solver that puts everything at the first site it may."""
    chosen = np.zeros(model.allowed.shape)
    chosen[np.arange(len(chosen)), model.allowed.argmax(axis=1)] = 1.0
    return Outcome(Ending.OPTIMAL, chosen[model.units, model.sites], 0.0)


def test_a_solver_that_insists_on_an_overload_is_not_believed(monkeypatch):
    monkeypatch.setattr(search, "run", overfull)
    sites = (site("s0", capacity_gb=150), site("s1"))
    given = problem((dataset("a"), dataset("b")), sites, parameters=free())
    with pytest.raises(SolverError, match=r"keeps overloading capacity\[s0\]"):
        solve(given)


def test_a_bound_above_the_cost_of_a_plan_is_not_believed(monkeypatch):
    real = highs.run

    def boasting(*arguments: Any) -> Outcome:
        outcome = real(*arguments)
        return Outcome(outcome.ending, outcome.values, outcome.bound + 1000.0)

    monkeypatch.setattr(search, "run", boasting)
    datasets = tuple(dataset(name, volume_gb=60) for name in "abc")
    sites = (site("x", capacity_gb=100, object_price_eur_per_gb_month=CHEAP), site("y"))
    with pytest.raises(SolverError, match="bound"):
        solve(problem(datasets, sites, parameters=free()))


def test_an_infeasibility_that_the_second_model_does_not_confirm_is_an_error(monkeypatch):
    def refusing(*_: Any) -> Outcome:
        return Outcome(Ending.INFEASIBLE, None, -np.inf)

    monkeypatch.setattr(search, "run", refusing)
    datasets = tuple(dataset(name, volume_gb=60) for name in "abc")
    sites = (site("x", capacity_gb=100, object_price_eur_per_gb_month=CHEAP), site("y"))
    with pytest.raises(SolverError, match="disagree"):
        solve(problem(datasets, sites, parameters=free()))
