"""The price bound and the costs on tiny random towns, against brute force and a naive reading."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models import (
    CoLocated,
    DerivedFrom,
    FlowPrice,
    Level,
    Parameters,
    PolicyInput,
    Relation,
    RowPrice,
    Separated,
    SeparationPrice,
    Verdict,
    Violation,
)
from tests import builders
from tests.certificate_cases import Case, all_placements, closed_never, judge, naive_cost

SITES = ("hall", "north", "north-2", "south")
OPERATORS = ("city", "nord", "sued")
money = st.decimals(0, 1, places=3)
shares = st.sampled_from([Decimal(tenths) / 10 for tenths in (3, 5, 7, 9, 10, 10)])


@st.composite
def towns(draw: st.DrawFn) -> Case:
    """Up to three datasets at four sites; caps that bind as often as not."""
    count = draw(st.sampled_from((1, 2, 2, 3, 3)))
    names = [f"d{i}" for i in range(count)]
    datasets = [
        builders.dataset(
            name,
            volume_gb=draw(st.integers(0, 9)),
            monthly_read_gb=draw(money),
            monthly_egress_gb=draw(money),
            availability=draw(st.sampled_from((Level.NORMAL, Level.HIGH))),
            replicas=draw(st.sampled_from((1, 1, 2))),
            current_site=draw(st.sampled_from((None, *SITES))),
            readers=draw(st.sampled_from(((), ("registrar",), ("clerk", "registrar")))),
            duties=(name,),  # so that policies can tell them apart
        )
        for name in names
    ]
    return Case(
        catalog=builders.catalog(
            *datasets,
            roles=(builders.role(), builders.role("clerk", workplace_sites=("north",))),
            relations=_relations(draw, datasets),
        ),
        register=builders.register(
            *(
                builders.site(
                    name,
                    operator=operator,
                    capacity_gb=draw(st.integers(3, 25)),  # often too small for one, or for a group
                    object_price_eur_per_gb_month=draw(money),
                    egress_price_eur_per_gb=draw(money),
                    handling_price_eur_per_dataset_month=draw(money),
                )
                for name, operator in zip(SITES, ("city", "nord", "nord", "sued"), strict=True)
            )
        ),
        parameters=draw(parameters()),
        placements={},
        ask=_policies(draw, names),
    )


def _relations(draw, datasets) -> tuple[Relation, ...]:
    if len(datasets) < 2:
        return ()
    first, second = datasets[:2]
    found: list[Relation] = [
        DerivedFrom(derived=second.id, source=first.id, monthly_transfer_gb=draw(money))
    ]
    if first.replicas == second.replicas and draw(st.booleans()):
        found.append(CoLocated(members=(first.id, second.id)))
    if len(datasets) > 2:
        found.append(DerivedFrom(derived="d2", source="d0", monthly_transfer_gb=draw(money)))
    together = any(isinstance(relation, CoLocated) for relation in found)
    pairs = [("d0", "d1")] * (not together) + [("d1", "d2"), ("d0", "d2")] * (len(datasets) > 2)
    for members in pairs:
        level = draw(st.sampled_from((None, "site", "operator")))
        if level is not None:
            found.append(Separated(members=members, level=level))
    return tuple(found)


@st.composite
def parameters(draw: st.DrawFn) -> Parameters:
    return Parameters(
        as_of=builders.AS_OF,
        operator_volume_share_max=draw(shares),
        operator_critical_share_max=draw(shares),
        closed_stack_share_max=draw(shares),
        exit_budget_eur=draw(st.none() | st.integers(0, 3000).map(Decimal)),
        moves_max=draw(st.none() | st.integers(0, 3)),
        alternatives_min=draw(st.sampled_from((0, 1, 1, 2))),
        amortisation_years=draw(st.integers(1, 7)),
        migration_eur_per_dataset=draw(money),
        closed_rework_eur_per_dataset=Decimal(1000),
    )


def _policies(draw, names):
    pairs = [(name, site) for name in names for site in SITES]
    denied = draw(st.sets(st.sampled_from(pairs), max_size=2))
    closed = draw(st.sets(st.sampled_from(SITES), max_size=1))

    def ask(question: PolicyInput) -> Verdict:
        (name,) = question.dataset.duties
        wrong = (Violation(obligation="residency.test", message="for a test"),)
        return Verdict(
            violations=wrong if (name, question.site.id) in denied else (),
            host_obligations=(),
            preferences=(),
            closed_stack=question.site.id in closed,
        )

    return ask


@st.composite
def priced(draw: st.DrawFn) -> Case:
    """A town with prices for any of its rows and flows."""
    case = draw(towns())
    rows = [f"capacity[{s}]" for s in SITES] + ["closed_stack"]
    rows += [f"concentration_volume[{o}]" for o in ("nord", "sued")]
    if any(d.availability == Level.HIGH for d in case.catalog.datasets):
        rows += [f"concentration_critical[{o}]" for o in ("nord", "sued")]
    rows += ["exit_budget"] * (case.parameters.exit_budget_eur is not None)
    rows += ["moves"] * (case.parameters.moves_max is not None)
    amounts = st.decimals(0, 20, places=4)
    chosen = draw(st.dictionaries(st.sampled_from(rows), amounts))
    flow_prices = []
    prices = {s.id: s.egress_price_eur_per_gb for s in case.register.sites}
    for (source, derived), gb in case.city().flows.items():
        ends = [d for d in case.catalog.datasets if d.id in (source, derived)]
        if all(d.replicas == 1 for d in ends):
            share = draw(st.sampled_from((Decimal(0), Decimal("0.5"), Decimal(1))))
            for site in SITES:
                most = 12 * gb * Fraction(prices[site])
                price = Decimal(most.numerator) / Decimal(most.denominator) * share
                flow_prices.append(
                    FlowPrice(source=source, derived=derived, site=site, price=price)
                )
    return case.but(
        prices=tuple(RowPrice(row=row, price=price) for row, price in chosen.items()),
        flow_prices=tuple(flow_prices),
        separation_prices=tuple(_separation_prices(draw, case, amounts)),
    )


def _separation_prices(draw, case: Case, amounts) -> list[SeparationPrice]:
    """A place and a price for some of the pairs."""
    found = []
    for (first, second), level in case.city().separations.items():
        place = draw(st.sampled_from((None, *(OPERATORS if level == "operator" else SITES))))
        if place is not None:
            price = draw(amounts)
            found.append(SeparationPrice(first=first, second=second, place=place, price=price))
    return found


CONSTRAINTS = (
    "policies",
    "assignment",
    "alternatives",
    "co_location",
    "separation",
    "replica_separation",
    "segregation",
    "capacity",
    "concentration_volume",
    "concentration_critical",
    "exit_budget",
    "closed_stack",
    "moves",
)
SLOW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@SLOW
@given(priced(), st.data())
def test_no_plan_that_keeps_all_constraints_costs_less_than_the_price_bound(case, data):
    plans = [plan for plan in all_placements(case) if _sound(case, plan)]
    if not plans:
        return
    cheapest = min(naive_cost(case, plan) for plan in plans)
    some = data.draw(st.sampled_from(plans))
    answer = judge(case.but(placements=some))
    checks = {c.name: c for c in answer.certificate.checks}
    assert checks["prices"].holds, checks["prices"].failures
    assert checks["bound"].holds, checks["bound"].failures
    assert all(checks[name].holds for name in CONSTRAINTS)
    assert answer.price_bound <= cheapest


@SLOW
@given(st.data())
def test_flow_prices_alone_never_lift_the_bound_above_the_cheapest_plan(data):
    """Two datasets, one flow between them, and nothing else that could hide an error."""
    egress = data.draw(st.lists(money, min_size=4, max_size=4))
    storage = data.draw(st.lists(money, min_size=4, max_size=4))
    sites = zip(SITES, ("city", "nord", "nord", "sued"), storage, egress, strict=True)
    flow = DerivedFrom(derived="b", source="a", monthly_transfer_gb=data.draw(money) * 100)
    together = (CoLocated(members=("a", "b")),) * data.draw(st.booleans())
    case = Case(
        catalog=builders.catalog(
            builders.dataset("a"), builders.dataset("b"), relations=(flow, *together)
        ),
        register=builders.register(
            *(
                builders.site(
                    name,
                    operator=operator,
                    object_price_eur_per_gb_month=price,
                    egress_price_eur_per_gb=out,
                )
                for name, operator, price, out in sites
            )
        ),
        parameters=Parameters(
            as_of=builders.AS_OF,
            operator_volume_share_max=Decimal(1),
            operator_critical_share_max=Decimal(1),
        ),
        placements={},
        ask=closed_never,
    )
    plans = [p for p in all_placements(case) if not together or p["a"] == p["b"]]
    prices = tuple(
        FlowPrice(
            source="a",
            derived="b",
            site=name,
            price=12 * flow.monthly_transfer_gb * out * data.draw(st.sampled_from((0, 1))),
        )
        for name, out in zip(SITES, egress, strict=True)
        if flow.monthly_transfer_gb
    )
    answer = judge(case.but(placements=plans[0], flow_prices=prices))
    assert not [c.failures for c in answer.certificate.checks if c.name == "prices" and c.failures]
    assert answer.price_bound <= min(naive_cost(case, plan) for plan in plans)


@SLOW
@given(st.data())
def test_prices_of_pairs_alone_never_lift_the_bound_above_the_cheapest_plan(data):
    """Three datasets apart, with replicas, and nothing else that could hide an error."""
    level = data.draw(st.sampled_from(("site", "operator")))
    storage = data.draw(st.lists(money, min_size=4, max_size=4))
    wanted = data.draw(st.lists(st.sampled_from((1, 1, 2)), min_size=3, max_size=3))
    operators = ("city", "nord", "nord", "sued")
    case = Case(
        catalog=builders.catalog(
            *(builders.dataset(f"d{i}", replicas=n) for i, n in enumerate(wanted)),
            relations=tuple(
                Separated(members=pair, level=level) for pair in (("d0", "d1"), ("d1", "d2"))
            ),
        ),
        register=builders.register(
            *(
                builders.site(name, operator=operator, object_price_eur_per_gb_month=price)
                for name, operator, price in zip(SITES, operators, storage, strict=True)
            )
        ),
        parameters=Parameters(
            as_of=builders.AS_OF,
            operator_volume_share_max=Decimal(1),
            operator_critical_share_max=Decimal(1),
        ),
        placements={},
        ask=closed_never,
    )
    plans = [plan for plan in all_placements(case) if _sound(case, plan)]
    if not plans:
        return
    prices = tuple(_separation_prices(data.draw, case, st.decimals(0, 200, places=2)))
    answer = judge(case.but(placements=plans[0], separation_prices=prices))
    assert not [c.failures for c in answer.certificate.checks if c.name == "prices" and c.failures]
    assert answer.price_bound <= min(naive_cost(case, plan) for plan in plans)


@SLOW
@given(towns(), st.data())
def test_the_certificate_and_a_naive_reading_agree_on_every_plan(case, data):
    plan = data.draw(st.sampled_from(all_placements(case)))
    answer = judge(case.but(placements=plan))
    checks = {c.name: c for c in answer.certificate.checks}
    assert answer.objective == naive_cost(case, plan)
    assert all(checks[name].holds for name in CONSTRAINTS) == _sound(case, plan)


def _sound(case: Case, plan) -> bool:
    """Whether a plan keeps every constraint, by the text of the mathematical model."""
    limits, city = case.parameters, case.city()
    sites = {s.id: s for s in case.register.sites}
    data = {d.id: d for d in case.catalog.datasets}
    pairs = [(data[d], sites[s]) for d, where in plan.items() for s in where]
    verdicts = {
        (d, s): case.ask(
            PolicyInput(
                dataset=city.policy_datasets[d],
                site=city.policy_sites[s],
                as_of=builders.AS_OF,
            )
        )
        for d in data
        for s in sites
    }
    if any(verdicts[d.id, s.id].violations for d, s in pairs):
        return False
    for name, where in plan.items():
        d = data[name]
        operators = [sites[s].operator for s in where]
        if len(where) != d.replicas or len(set(operators)) != len(operators):
            return False
        able = {sites[s].operator for s in sites if not verdicts[name, s].violations}
        if d.availability == Level.HIGH and any(
            len(able - {o}) < limits.alternatives_min for o in operators
        ):
            return False
    volume = sum(d.volume_gb * d.replicas for d in data.values())
    critical = sum(d.replicas for d in data.values() if d.availability == Level.HIGH)
    if any(sum(d.volume_gb for d, s in pairs if s.id == i) > sites[i].capacity_gb for i in sites):
        return False
    for operator in ("nord", "sued"):
        there = [d for d, s in pairs if s.operator == operator]
        if sum(d.volume_gb for d in there) > Fraction(limits.operator_volume_share_max) * volume:
            return False
        share = Fraction(limits.operator_critical_share_max) * critical
        if sum(d.availability == Level.HIGH for d in there) > max(Fraction(1), share):
            return False
    closed = sum(d.volume_gb for d, s in pairs if verdicts[d.id, s.id].closed_stack)
    if closed > Fraction(limits.closed_stack_share_max) * volume:
        return False
    return (
        _exit_within_budget(limits, pairs, verdicts)
        and _moves_within_limit(limits, data, plan)
        and _relations_hold(case, plan)
    )


def _exit_within_budget(limits, pairs, verdicts) -> bool:
    if limits.exit_budget_eur is None:
        return True
    total = Fraction(0)
    for d, s in pairs:
        if s.operator != "city":
            total += d.volume_gb * Fraction(s.egress_price_eur_per_gb)
            total += d.volume_gb * Fraction(s.object_price_eur_per_gb_month) * Fraction(60, 30)
            total += 1000 * verdicts[d.id, s.id].closed_stack
    return total <= limits.exit_budget_eur


def _moves_within_limit(limits, data, plan) -> bool:
    gone = [d for d in data.values() if d.current_site and d.current_site not in plan[d.id]]
    return limits.moves_max is None or len(gone) <= limits.moves_max


def _relations_hold(case: Case, plan) -> bool:
    for relation in case.catalog.relations:
        if isinstance(relation, CoLocated) and plan["d0"] != plan["d1"]:
            return False
        if isinstance(relation, Separated) and _meet(case, plan, relation):
            return False
    return True


def _meet(case: Case, plan, relation: Separated) -> bool:
    first, second = (set(plan[member]) for member in relation.members)
    if relation.level == "operator":
        operator = {s.id: s.operator for s in case.register.sites}
        first, second = ({operator[s] for s in where} for where in (first, second))
    return bool(first & second)
