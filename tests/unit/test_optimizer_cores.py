"""Why there is no plan: what a core says, and what it does not say."""

from __future__ import annotations

import threading
from decimal import Decimal

import pytest

from models import FixedPair, Level, SegregatedDuties, SeparatedPair, Termination
from placement.errors import SolverError
from placement.optimizer import core as core_module
from placement.optimizer import solve
from placement.optimizer.progress import Watch
from placement.optimizer.switchboard import Switchboard
from tests.builders import ELIGIBLE, INELIGIBLE, dataset, problem, site
from tests.optimizer_cases import CLOSED, clouds, free


def core_of(given) -> set[str]:
    solution = solve(given)
    assert solution.termination is Termination.INFEASIBLE
    assert solution.placements == ()
    assert solution.objective_eur is None
    return set(solution.core)


def test_too_little_capacity_for_a_few_datasets_names_them_all():
    datasets = tuple(dataset(name) for name in "abc")
    sites = (site("x", capacity_gb=150), site("y", capacity_gb=140))
    assert core_of(problem(datasets, sites, parameters=free())) == {
        "assignment[a]",
        "assignment[b]",
        "assignment[c]",
        "capacity[x]",
        "capacity[y]",
    }


def test_a_core_leaves_out_what_is_not_to_blame():
    """Only `big` does not fit; the others, the other sites' limits and relations are no matter."""
    datasets = (dataset("big", volume_gb=900), *(dataset(f"small{k}", volume_gb=1) for k in "ab"))
    sites = (site("x", capacity_gb=500), site("y", capacity_gb=800), site("z", capacity_gb=10**6))
    given = problem(
        datasets,
        sites,
        verdicts=((ELIGIBLE, ELIGIBLE, INELIGIBLE), (ELIGIBLE,) * 3, (ELIGIBLE,) * 3),
        facts={"separations": (SeparatedPair(first="smalla", second="smallb", level="site"),)},
        parameters=free(closed_stack_share_max=Decimal("0.5")),
    )
    assert core_of(given) == {"assignment[big]", "capacity[x]", "capacity[y]"}


def test_many_datasets_stand_as_one_name():
    datasets = tuple(dataset(f"d{k:02d}", volume_gb=10) for k in range(40))
    sites = (site("x", capacity_gb=150), site("y", capacity_gb=140), site("z", capacity_gb=0))
    assert core_of(problem(datasets, sites, parameters=free())) == {
        "assignment",
        "capacity[x]",
        "capacity[y]",
        "capacity[z]",
    }


def test_a_few_of_many_datasets_are_named():
    datasets = tuple(dataset(f"d{k:02d}", volume_gb=200 if k == 7 else 1) for k in range(40))
    given = problem(datasets, (site("x", capacity_gb=150),), parameters=free())
    assert core_of(given) == {"assignment[d07]", "capacity[x]"}


def test_a_dataset_denied_everywhere_is_its_own_core():
    given = problem(
        (dataset("a"), dataset("b")),
        clouds("x"),
        verdicts=((ELIGIBLE,), (INELIGIBLE,)),
        parameters=free(),
    )
    assert core_of(given) == {"assignment[b]"}


def test_no_way_out_for_a_critical_dataset():
    given = problem(
        (dataset("a"), dataset("b", availability=Level.HIGH)),
        clouds("x", "y"),
        parameters=free(alternatives_min=2),
    )
    assert core_of(given) == {"assignment[b]", "alternatives[b]"}


def test_co_located_datasets_without_a_common_site():
    given = problem(
        (dataset("a"), dataset("b")),
        clouds("x", "y"),
        verdicts=((ELIGIBLE, INELIGIBLE), (INELIGIBLE, ELIGIBLE)),
        facts={"co_location": (("a", "b"),)},
        parameters=free(),
    )
    assert core_of(given) == {"assignment[a]", "assignment[b]", "co_location[a|b]"}


def test_a_pair_both_co_located_and_separated():
    given = problem(
        (dataset("a"), dataset("b")),
        clouds("x", "y"),
        facts={
            "co_location": (("a", "b"),),
            "separations": (SeparatedPair(first="a", second="b", level="site"),),
        },
        parameters=free(),
    )
    core = core_of(given)
    assert {"co_location[a|b]", "separation[a|b]"} < core
    assert len(core & {"assignment[a]", "assignment[b]"}) == 1


def test_replicas_need_as_many_operators():
    given = problem((dataset("d", replicas=2),), clouds("x", "x"), parameters=free())
    assert core_of(given) == {"assignment[d]", "replica_separation[d]"}


def test_a_separated_replica_is_cornered_only_with_its_own_rule():
    """Both replicas of `b` could rest with one operator, away from `a`, were it not for theirs."""
    given = problem(
        (dataset("a"), dataset("b", replicas=2)),
        clouds("x", "y", "y"),
        facts={"separations": (SeparatedPair(first="a", second="b", level="operator"),)},
        parameters=free(),
    )
    assert core_of(given) == {
        "assignment[a]",
        "assignment[b]",
        "replica_separation[b]",
        "separation[a|b]",
    }


def test_segregated_datasets_with_one_site_between_them():
    given = problem(
        (dataset("a", duties=("audit",)), dataset("b", duties=("cash",)), dataset("c")),
        clouds("x"),
        parameters=free(),
    )
    rule = SegregatedDuties(site="s0", duty="audit", other="cash")
    table = given.eligibility.model_copy(update={"segregated_duties": (rule,)})
    assert core_of(given.model_copy(update={"eligibility": table})) == {
        "assignment[a]",
        "assignment[b]",
        "segregation[s0]",
    }


@pytest.mark.parametrize(
    ("limits", "verdict", "expected"),
    [
        ({"exit_budget_eur": Decimal(1)}, ELIGIBLE, "exit_budget"),
        ({"closed_stack_share_max": Decimal("0.5")}, CLOSED, "closed_stack"),
        ({"operator_volume_share_max": Decimal("0.5")}, ELIGIBLE, "concentration_volume[x]"),
    ],
)
def test_a_single_limit_against_the_only_site(limits, verdict, expected):
    given = problem(
        (dataset("a"),),
        clouds("x", egress_price_eur_per_gb=Decimal(1)),
        verdicts=((verdict,),),
        parameters=free(**limits),
    )
    assert core_of(given) == {"assignment[a]", expected}


def test_critical_datasets_over_one_operator():
    datasets = tuple(dataset(name, availability=Level.HIGH) for name in "ab")
    given = problem(
        datasets, clouds("x", "x"), parameters=free(operator_critical_share_max=Decimal("0.5"))
    )
    assert core_of(given) == {"assignment[a]", "assignment[b]", "concentration_critical[x]"}


def test_moves_against_a_current_site_that_is_denied():
    given = problem(
        (dataset("a", current_site="s0"), dataset("b", current_site="s1")),
        clouds("x", "y"),
        verdicts=((INELIGIBLE, ELIGIBLE), (ELIGIBLE, ELIGIBLE)),
        parameters=free(moves_max=0),
    )
    assert core_of(given) == {"assignment[a]", "moves"}


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([("s1", True)], {"assignment[d]", "fixed[d|s1]"}),
        ([("s0", True), ("s2", True)], {"assignment[d]", "fixed[d|s0]", "fixed[d|s2]"}),
        ([("s0", True), ("s0", False)], {"fixed[d|s0]"}),
        ([("s0", False), ("s2", False)], {"assignment[d]", "fixed[d|s0]", "fixed[d|s2]"}),
    ],
)
def test_what_ifs_that_cannot_be(pairs, expected):
    given = problem(
        (dataset("d"), dataset("other")),
        clouds("x", "y", "z"),
        verdicts=((ELIGIBLE, INELIGIBLE, ELIGIBLE), (ELIGIBLE,) * 3),
        parameters=free(),
        fixed=tuple(FixedPair(dataset="d", site=s, allowed=a) for s, a in pairs),
    )
    assert core_of(given) == expected


def test_contradictions_of_the_graph_are_the_core_before_any_solving():
    given = problem((dataset(),), (site(),), facts={"contradictions": ("separation[a|b]",)})
    assert core_of(given) == {"separation[a|b]"}


def test_no_sites_at_all():
    given = problem((dataset("b"), dataset("a")), (site(),))
    table = given.eligibility.model_copy(update={"sites": (), "verdicts": ((), ())})
    none = given.model_copy(update={"sites": (), "eligibility": table})
    assert core_of(none) == {"assignment[a]"}


def test_an_infeasibility_of_whole_replicas_only():
    """Parts of datasets would fit: only the integer programme can tell."""
    datasets = tuple(dataset(name, volume_gb=60) for name in "abc")
    sites = (site("x", capacity_gb=100), site("y", capacity_gb=100))
    assert core_of(problem(datasets, sites, parameters=free())) == {
        "assignment[a]",
        "assignment[b]",
        "assignment[c]",
        "capacity[x]",
        "capacity[y]",
    }


def test_a_core_found_for_a_problem_with_a_plan_is_an_error():
    given = problem((dataset(),), (site(),), parameters=free())
    with pytest.raises(SolverError, match="disagree"):
        core_module.find_core(given, Watch(10))


def test_without_time_a_core_names_whole_families_rather_than_guess():
    datasets = tuple(dataset(f"d{k:02d}", volume_gb=60) for k in range(20))
    sites = (site("x", capacity_gb=100), site("y", capacity_gb=100))
    cancelled = threading.Event()
    cancelled.set()
    given = problem(datasets, sites, parameters=free())
    found = core_module.find_core(given, Watch(10, cancel=cancelled))
    assert found == ("assignment", "capacity[x]", "capacity[y]")


def test_a_switchboard_out_of_time_does_not_know():
    given = problem((dataset("a"),), (site(capacity_gb=1),), parameters=free())
    board = Switchboard(given, Watch(0))
    assert board.impossible(board.names) is None
    board = Switchboard(given, Watch(10))
    assert board.impossible(board.names) is True
    assert board.impossible(["assignment[a]"]) is False
