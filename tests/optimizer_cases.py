"""Small problems, by hand and at random, and the answer by trying every placement.

The reference follows models.Costs and the list of constraints word by word, in fractions, one
plan after another. It shares no code with the optimizer.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from itertools import combinations, product
from math import floor
from typing import Any, Literal

from hypothesis import strategies as st

from models import (
    Dataset,
    FixedPair,
    Flow,
    Level,
    Parameters,
    Preference,
    Problem,
    SegregatedDuties,
    SeparatedPair,
    Site,
    StorageKind,
    Verdict,
    Violation,
)
from tests.builders import AS_OF, dataset, operator, problem, role, site

Plan = dict[str, tuple[Site, ...]]


def best_plan(given: Problem) -> Fraction | None:
    """EUR a year of the cheapest plan; none where no plan exists."""
    costs = [plan_cost(given, plan) for plan in plans(given)]
    return min(costs, default=None)


def plans(given: Problem) -> Iterator[Plan]:
    """Every plan that meets all constraints."""
    sites = {s.id: s for s in given.sites}
    choices = [
        [at for at in combinations(given.sites, d.replicas) if _alone(given, d, at)]
        for d in given.datasets
    ]
    for combination in product(*choices):
        plan = {d.id: at for d, at in zip(given.datasets, combination, strict=True)}
        if _together(given, plan) and _coupled(given, plan, sites):
            yield plan


def plan_cost(given: Problem, plan: Plan) -> Fraction:
    """Objective of a plan, EUR a year."""
    total = Fraction(0)
    for d in given.datasets:
        total += sum(separable_cost(given, d, s) for s in plan[d.id])
    for flow in given.facts.flows:
        for target in plan[flow.derived]:
            price = min(
                Fraction(0)
                if s.operator == target.operator
                else Fraction(s.egress_price_eur_per_gb)
                for s in plan[flow.source]
            )
            total += 12 * Fraction(flow.monthly_transfer_gb) * price
    return total


def separable_cost(given: Problem, d: Dataset, s: Site) -> Fraction:
    p = given.parameters
    egress = Fraction(s.egress_price_eur_per_gb)
    cost = 12 * d.volume_gb * _storage(d, s)
    cost += 12 * Fraction(s.handling_price_eur_per_dataset_month)
    cost += 12 * Fraction(d.monthly_egress_gb) * egress / d.replicas
    operators = {site.id: site.operator for site in given.sites}
    workplaces = {r.id: {operators[w] for w in r.workplace_sites} for r in given.roles}
    readers = set(d.readers)
    away = sum(s.operator not in workplaces[r] for r in readers)
    share = Fraction(away, len(readers)) if readers else Fraction(1)
    cost += 12 * Fraction(d.monthly_read_gb) * egress * share / d.replicas
    if d.current_site not in (None, s.id):
        left = next(site for site in given.sites if site.id == d.current_site)
        out = 0 if left.operator == s.operator else Fraction(left.egress_price_eur_per_gb)
        moved = d.volume_gb * (Fraction(p.migration_eur_per_gb) + out)
        cost += (moved + Fraction(p.migration_eur_per_dataset)) / p.amortisation_years
    return cost + verdict_of(given, d, s).penalty_eur_per_year


def _storage(d: Dataset, s: Site) -> Fraction:
    price = (
        s.object_price_eur_per_gb_month
        if d.storage is StorageKind.OBJECT
        else s.block_price_eur_per_gb_month
    )
    assert price is not None
    return Fraction(price)


def verdict_of(given: Problem, d: Dataset, s: Site) -> Verdict:
    return given.eligibility.verdict(given.datasets.index(d), given.sites.index(s))


def is_critical(given: Problem, d: Dataset) -> bool:
    assert d.availability is not None
    return d.availability >= given.parameters.critical_level


def _alone(given: Problem, d: Dataset, at: tuple[Site, ...]) -> bool:
    """Constraints on one dataset: assignment, alternatives, replica_separation, fixed."""
    if len({s.operator for s in at}) < len(at):
        return False
    if not all(verdict_of(given, d, s).eligible for s in at):
        return False
    for pair in given.fixed:
        if pair.dataset == d.id and (pair.site in {s.id for s in at}) is not pair.allowed:
            return False
    ways_out = {s.operator for s in given.sites if verdict_of(given, d, s).eligible}
    needed = given.parameters.alternatives_min if is_critical(given, d) else 0
    return all(len(ways_out - {s.operator}) >= needed for s in at)


def _together(given: Problem, plan: Plan) -> bool:
    """Constraints between datasets: co_location, separation, segregation."""
    if any(len({plan[m] for m in group}) > 1 for group in given.facts.co_location):
        return False
    for pair in given.facts.separations:
        for a, b in product(plan[pair.first], plan[pair.second]):
            if a == b or (pair.level == "operator" and a.operator == b.operator):
                return False
    for rule in given.eligibility.segregated_duties:
        here = [d for d in given.datasets if rule.site in {s.id for s in plan[d.id]}]
        for one, two in product(here, here):
            if one != two and rule.duty in one.duties and rule.other in two.duties:
                return False
    return True


def _coupled(given: Problem, plan: Plan, sites: dict[str, Site]) -> bool:
    """Capacity, concentration, exit_budget, closed_stack, moves."""
    p = given.parameters
    pairs = [(d, s) for d in given.datasets for s in plan[d.id]]
    volume = sum(d.volume_gb * d.replicas for d in given.datasets)
    critical = sum(d.replicas for d in given.datasets if is_critical(given, d))
    if any(sum(d.volume_gb for d, t in pairs if t == s) > s.capacity_gb for s in given.sites):
        return False
    most = max(1, floor(p.operator_critical_share_max * critical))
    for o in (o for o in given.operators if not o.municipal):
        there = [d for d, s in pairs if s.operator == o.id]
        if sum(d.volume_gb for d in there) > p.operator_volume_share_max * volume:
            return False
        if critical and sum(is_critical(given, d) for d in there) > most:
            return False
    closed = sum(d.volume_gb for d, s in pairs if verdict_of(given, d, s).closed_stack)
    if closed > p.closed_stack_share_max * volume:
        return False
    leaving = sum(exit_cost(given, d, s) for d, s in pairs)
    if p.exit_budget_eur is not None and leaving > p.exit_budget_eur:
        return False
    moved = sum(d.current_site not in (None, *(s.id for s in plan[d.id])) for d in given.datasets)
    return p.moves_max is None or moved <= p.moves_max


def exit_cost(given: Problem, d: Dataset, s: Site) -> Fraction:
    if next(o for o in given.operators if o.id == s.operator).municipal:
        return Fraction(0)
    days = (s.exit_notice_days or 0) + (s.transfer_window_days or 0)
    cost = d.volume_gb * (Fraction(s.egress_price_eur_per_gb) + _storage(d, s) * days / 30)
    if verdict_of(given, d, s).closed_stack:
        cost += Fraction(given.parameters.closed_rework_eur_per_dataset)
    return cost


# --- small problems by hand ---------------------------------------------------------------------

CHEAP, DEAR = Decimal("0.01"), Decimal("0.05")
CLOSED = Verdict(violations=(), host_obligations=(), preferences=(), closed_stack=True)


def free(**limits: Any) -> Parameters:
    """Parameters in which only the limits given can bind."""
    fields: dict[str, Any] = {
        "as_of": AS_OF,
        "gap": 0,
        "operator_volume_share_max": 1,
        "operator_critical_share_max": 1,
        "closed_stack_share_max": 1,
        "alternatives_min": 0,
    }
    return Parameters(**(fields | limits))


def clouds(*operators: str, **changes: Any) -> tuple[Site, ...]:
    """A site for each operator, the cheaper the earlier."""
    return tuple(
        site(
            f"s{k}",
            operator=operator,
            object_price_eur_per_gb_month=Decimal(k + 1) / 100,
            **changes,
        )
        for k, operator in enumerate(operators)
    )


# --- drawing problems ---------------------------------------------------------------------------

DUTIES = ("cash", "audit")


def _money(high: int, places: int = 3) -> st.SearchStrategy[Any]:
    return st.decimals(0, high, places=places, allow_nan=False, allow_infinity=False)


@st.composite
def tiny_sites(draw: st.DrawFn) -> tuple[Site, ...]:
    """1 to 4 sites with up to 4 operators."""
    count = draw(st.sampled_from((4, 3, 4, 3, 2, 1)))
    return tuple(
        site(
            f"s{k}",
            operator=draw(st.sampled_from(("north", "south", "city", "west"))) if k else "city",
            capacity_gb=draw(st.sampled_from((1000, 30, 15, 8))),
            object_price_eur_per_gb_month=draw(_money(2)),
            block_price_eur_per_gb_month=draw(_money(2)),
            handling_price_eur_per_dataset_month=draw(_money(3, 1)),
            egress_price_eur_per_gb=draw(st.sampled_from((0, *map(str, (0.05, 1, 3))))),
            exit_notice_days=draw(st.sampled_from((None, 30, 45))),
            transfer_window_days=draw(st.sampled_from((None, 30))),
        )
        for k in range(count)
    )


@st.composite
def tiny_datasets(draw: st.DrawFn, sites: tuple[Site, ...], groups: list[int]) -> list[Dataset]:
    """One dataset for each entry of `groups`; equal entries agree on replicas."""
    replicas = {g: draw(st.sampled_from((1, 1, 1, 1, 2))) for g in sorted(set(groups))}
    names = [s.id for s in sites]
    return [
        dataset(
            f"d{k}",
            availability=draw(st.sampled_from((Level.NORMAL, Level.HIGH))),
            volume_gb=draw(st.integers(0, 12)),
            monthly_read_gb=draw(_money(5, 1)),
            monthly_egress_gb=draw(_money(5, 1)),
            storage=draw(st.sampled_from(StorageKind)),
            readers=draw(st.sampled_from(((), ("registrar",), ("registrar", "clerk")))),
            duties=draw(st.sampled_from(((), (), (), DUTIES[:1], DUTIES[1:], DUTIES))),
            replicas=replicas[group],
            current_site=draw(st.sampled_from((None, *names))),
        )
        for k, group in enumerate(groups)
    ]


@st.composite
def tiny_verdict(draw: st.DrawFn) -> Verdict:
    """Mostly eligible."""
    eligible = draw(st.sampled_from((True,) * 9 + (False,)))
    penalty = draw(st.sampled_from((0, 0, 7)))
    return Verdict(
        violations=() if eligible else (Violation(obligation="a.b", message="no"),),
        host_obligations=(),
        preferences=(Preference(code="p.q", message="", penalty_eur_per_year=penalty),),
        closed_stack=draw(st.sampled_from((False, False, True))),
    )


TIGHT = {
    "operator_volume_share_max": ("0.3", "0.5", "0.7"),
    "operator_critical_share_max": ("0", "0.5"),
    "closed_stack_share_max": ("0", "0.3", "0.6"),
    "alternatives_min": (1, 2),
    "exit_budget_eur": (0, 10, 30, 60),
    "moves_max": (0, 1, 2),
}


@st.composite
def tiny_parameters(draw: st.DrawFn) -> Parameters:
    """Up to two limits that may bind, the others out of the way; the gap asked for is 0."""
    tight = draw(st.lists(st.sampled_from(sorted(TIGHT)), max_size=2, unique=True))
    limits: dict[str, Any] = {
        "operator_volume_share_max": 1,
        "operator_critical_share_max": 1,
        "closed_stack_share_max": 1,
        "alternatives_min": 0,
    }
    limits.update({name: draw(st.sampled_from(TIGHT[name])) for name in tight})
    return Parameters(
        as_of=AS_OF,
        gap=Decimal(0),
        time_limit_s=60,
        closed_rework_eur_per_dataset=Decimal(draw(st.sampled_from((0, 10)))),
        migration_eur_per_dataset=Decimal(draw(st.sampled_from((0, 25)))),
        amortisation_years=draw(st.integers(1, 5)),
        **limits,
    )


@st.composite
def tiny_problems(draw: st.DrawFn, datasets_max: int = 5) -> Problem:
    """Up to 5 datasets and 4 sites, with every kind of relation and limit."""
    sites = draw(tiny_sites())
    count = draw(st.integers(1, datasets_max))
    groups = [draw(st.integers(0, 3 * k)) if k else 0 for k in range(count)]
    given = draw(tiny_datasets(sites, groups))
    together = tuple(
        members
        for g in sorted(set(groups))
        if len(members := tuple(d.id for d, h in zip(given, groups, strict=True) if h == g)) > 1
    )
    pairs = list(combinations([d.id for d in given], 2))
    separated = draw(st.lists(st.sampled_from(pairs), max_size=1, unique=True)) if pairs else []
    flows = draw(st.lists(st.sampled_from(pairs), max_size=3, unique=True)) if pairs else []
    level: st.SearchStrategy[Literal["site", "operator"]]
    level = st.sampled_from(("site", "operator"))
    facts = {
        "co_location": together,
        "separations": tuple(
            SeparatedPair(first=a, second=b, level=draw(level)) for a, b in separated
        ),
        "flows": tuple(
            Flow(source=a, derived=b, monthly_transfer_gb=Decimal(draw(st.integers(1, 9))))
            for a, b in flows
        ),
    }
    operators = tuple(operator(o) for o in sorted({s.operator for s in sites}))
    roles = (role("registrar", workplace_sites=(sites[0].id,)), role("clerk"))
    what_if = st.tuples(st.sampled_from(given), st.sampled_from(sites), st.booleans())
    fixed = draw(st.lists(what_if, max_size=1))
    made = problem(
        tuple(given),
        sites,
        verdicts=tuple(tuple(draw(tiny_verdict()) for _ in sites) for _ in given),
        parameters=draw(tiny_parameters()),
        facts=facts,
        operators=operators,
        roles=roles,
        fixed=tuple(FixedPair(dataset=d.id, site=s.id, allowed=a) for d, s, a in fixed),
    )
    watched = draw(st.lists(st.sampled_from([s.id for s in sites]), max_size=2, unique=True))
    rules = tuple(SegregatedDuties(site=s, duty=DUTIES[1], other=DUTIES[0]) for s in watched)
    table = made.eligibility.model_copy(update={"segregated_duties": rules})
    return made.model_copy(update={"eligibility": table})


# --- which constraints can hold together --------------------------------------------------------


def can_hold(given: Problem, names: set[str]) -> bool:
    """Whether some choice of sites meets the named constraints, whatever the others say.

    A dataset whose assignment is not named may rest anywhere, at any number of sites.
    """
    everywhere = [at for n in range(len(given.sites) + 1) for at in combinations(given.sites, n)]
    for combination in product(everywhere, repeat=len(given.datasets)):
        plan = {d.id: at for d, at in zip(given.datasets, combination, strict=True)}
        if all(_holds(given, plan, name) for name in names):
            return True
    return False


def _holds(given: Problem, plan: Plan, name: str) -> bool:
    family, _, inside = name.partition("[")
    index = inside.removesuffix("]")
    pairs = [(d, s) for d in given.datasets for s in plan[d.id]]
    return _FAMILIES[family](given, plan, pairs, index)


Pairs = list[tuple[Dataset, Site]]


def _dataset(given: Problem, name: str) -> Dataset:
    return next(d for d in given.datasets if d.id == name)


def _assigned(given: Problem, plan: Plan, pairs: Pairs, index: str) -> bool:
    d = _dataset(given, index)
    return len(plan[index]) == d.replicas and all(
        verdict_of(given, d, s).eligible for s in plan[index]
    )


def _has_ways_out(given: Problem, plan: Plan, pairs: Pairs, index: str) -> bool:
    d = _dataset(given, index)
    ways_out = {s.operator for s in given.sites if verdict_of(given, d, s).eligible}
    needed = given.parameters.alternatives_min
    return all(len(ways_out - {s.operator}) >= needed for s in plan[index])


def _parted(given: Problem, plan: Plan, pairs: Pairs, index: str) -> bool:
    first, second = index.split("|")
    pair = next(p for p in given.facts.separations if (p.first, p.second) == (first, second))
    return not any(
        a == b or (pair.level == "operator" and a.operator == b.operator)
        for a, b in product(plan[first], plan[second])
    )


def _segregated(given: Problem, plan: Plan, pairs: Pairs, index: str) -> bool:
    here = [d for d, s in pairs if s.id == index]
    rules = [r for r in given.eligibility.segregated_duties if r.site == index]
    return not any(
        a != b and rule.duty in a.duties and rule.other in b.duties
        for rule in rules
        for a, b in product(here, here)
    )


def _is_fixed(given: Problem, plan: Plan, pairs: Pairs, index: str) -> bool:
    rules = [p for p in given.fixed if f"{p.dataset}|{p.site}" == index]
    return all((p.site in {s.id for s in plan[p.dataset]}) is p.allowed for p in rules)


def _moves(given: Problem, plan: Plan, pairs: Pairs, index: str) -> bool:
    moved = sum(
        d.current_site is not None and d.current_site not in {s.id for s in plan[d.id]}
        for d in given.datasets
    )
    assert given.parameters.moves_max is not None
    return moved <= given.parameters.moves_max


def _volume(given: Problem) -> int:
    return sum(d.volume_gb * d.replicas for d in given.datasets)


_FAMILIES: dict[str, Any] = {
    "assignment": _assigned,
    "alternatives": _has_ways_out,
    "co_location": lambda g, plan, pairs, i: len({plan[m] for m in i.split("|")}) == 1,
    "separation": _parted,
    "replica_separation": lambda g, plan, pairs, i: (
        len({s.operator for s in plan[i]}) == len(plan[i])
    ),
    "segregation": _segregated,
    "fixed": _is_fixed,
    "capacity": lambda g, plan, pairs, i: (
        sum(d.volume_gb for d, s in pairs if s.id == i)
        <= next(s for s in g.sites if s.id == i).capacity_gb
    ),
    "concentration_volume": lambda g, plan, pairs, i: (
        sum(d.volume_gb for d, s in pairs if s.operator == i)
        <= g.parameters.operator_volume_share_max * _volume(g)
    ),
    "concentration_critical": lambda g, plan, pairs, i: (
        sum(is_critical(g, d) for d, s in pairs if s.operator == i)
        <= max(
            1,
            floor(
                g.parameters.operator_critical_share_max
                * sum(d.replicas for d in g.datasets if is_critical(g, d))
            ),
        )
    ),
    "exit_budget": lambda g, plan, pairs, i: (
        sum(exit_cost(g, d, s) for d, s in pairs) <= g.parameters.exit_budget_eur
    ),
    "closed_stack": lambda g, plan, pairs, i: (
        sum(d.volume_gb for d, s in pairs if verdict_of(g, d, s).closed_stack)
        <= g.parameters.closed_stack_share_max * _volume(g)
    ),
    "moves": _moves,
}


def hard_problem(datasets: int = 60, operators: int = 6, **limits: Any) -> Problem:
    """Costs that fall as sizes rise, and little room: no solver proves the optimum at once."""
    sizes = [1 + (37 * k) % 41 for k in range(datasets)]
    sites = tuple(
        site(
            f"s{k:02d}",
            operator=f"o{k:02d}",
            object_price_eur_per_gb_month=0,
            handling_price_eur_per_dataset_month=0,
            capacity_gb=51 * sum(sizes) // (50 * operators),
        )
        for k in range(operators)
    )
    given = tuple(dataset(f"d{k:03d}", volume_gb=size) for k, size in enumerate(sizes))
    verdicts = tuple(
        tuple(_disliked(1000 - 20 * size + (k * 7919 + j * 104729) % 331) for j in range(operators))
        for k, size in enumerate(sizes)
    )
    return problem(given, sites, verdicts=verdicts, parameters=free(**limits))


def _disliked(penalty: int) -> Verdict:
    preference = Preference(code="p.q", message="", penalty_eur_per_year=penalty)
    return Verdict(
        violations=(), host_obligations=(), preferences=(preference,), closed_stack=False
    )
