"""Two certificates of one plan: that of objects and that of columns agree on everything."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models import (
    CoLocated,
    DerivedFrom,
    FlowPrice,
    Level,
    Parameters,
    Relation,
    RowPrice,
    Separated,
    SeparationPrice,
)
from placement.certificate.city import read_city
from placement.certificate.columns.classes import UNKNOWN, effective_columns
from placement.certificate.columns.relations import merged_groups
from placement.certificate.costs import Tariff
from placement.certificate.rows import Rows
from placement.certificate.verdicts import ask_everything
from tests import builders
from tests.certificate_cases import Case, all_placements, ask_segregated, closed_at, judge
from tests.certificate_column_cases import case_in_columns
from tests.column_cases import as_columns
from tests.property.test_certificate_agrees_with_graph import catalogs
from tests.property.test_certificate_bound import priced

SLOW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
OURS_ALONE = {"relations", "profiles", "fixed"}


def published(case: Case) -> Case:
    """With prices of as many decimals as columns hold."""
    return case.but(
        prices=tuple(RowPrice(row=p.row, price=p.price) for p in case.prices),
        flow_prices=tuple(
            FlowPrice(
                source=p.source,
                derived=p.derived,
                site=p.site,
                price=p.price.quantize(Decimal("1e-6"), rounding="ROUND_DOWN"),
            )
            for p in case.flow_prices
        ),
    )


@SLOW
@given(priced(), st.data())
def test_both_certificates_agree(case, data):
    plan = data.draw(st.sampled_from(all_placements(case)))
    case = published(case.but(placements=plan))
    theirs = judge(case)
    claims = {"objective_eur": theirs.objective, "dual_bound_eur": theirs.objective}
    ours = case_in_columns(case).judged(**claims)
    told = {check.name: check for check in ours.checks}
    assert all(told.pop(name).holds for name in OURS_ALONE)
    for check in theirs.certificate.checks:
        assert told[check.name].holds == check.holds, (check, told[check.name])
    assert ours.exact == theirs.total
    assert ours.certificate.objective_eur == theirs.certificate.objective_eur
    assert 0 <= theirs.price_bound - ours.price_bound <= ours.tolerance
    assert ours.tolerance <= Fraction(1, 10**6)
    assert {n: (r.load, r.limit) for n, r in ours.rows.items()} == row_totals(case)


def row_totals(case: Case) -> dict[str, tuple[Fraction, Fraction]]:
    city = read_city(case.catalog, case.register, case.parameters)
    verdicts = ask_everything(city, case.ask, ask_segregated, builders.AS_OF)
    rows = Rows(city, verdicts, Tariff(city, verdicts))
    loads = rows.loads(case.placements)
    return {
        name: (Fraction(loads[name], row.weight_unit), row.limit / row.weight_unit)
        for name, row in rows.rows.items()
    }


@settings(max_examples=200, deadline=None)
@given(catalogs(), st.integers(0, 4))
def test_both_derive_the_same_classes_and_groups(catalog, least):
    columns = as_columns(catalog)
    parameters = Parameters(as_of=builders.AS_OF, cumulation_datasets_min=least)
    city = read_city(catalog, builders.register(), parameters)
    groups = merged_groups(columns)
    own = effective_columns(columns, groups, least)
    names = columns.ids.to_pylist()
    members = [names[m] for m in groups.members]
    bounds = groups.offsets.tolist()
    found = [tuple(members[a:b]) for a, b in pairwise(bounds)]
    assert found == list(city.groups)
    for row, name in enumerate(names):
        true = city.classes[name]
        ranks = (
            UNKNOWN if true.confidentiality is None else int(true.confidentiality),
            UNKNOWN if true.gdpr_category is None else true.gdpr_category.rank,
            UNKNOWN if true.access_rights is None else true.access_rights.rank,
        )
        mine = own.confidentiality[row], own.gdpr_category[row], own.access_rights[row]
        assert tuple(int(rank) for rank in mine) == ranks
        assert own.grounds_of(row) == true.non_publication_grounds


@settings(max_examples=100, deadline=None)
@given(st.integers(2, 300), st.integers(0, 400), st.integers(0, 2**32 - 1))
def test_merged_groups_are_connected_components(count, relations, seed):
    rng = np.random.default_rng(seed)
    pairs = [tuple(rng.choice(count, 2, replace=False).tolist()) for _ in range(relations)]
    datasets = [builders.dataset(f"d{i:03}") for i in range(count)]
    joined = [CoLocated(members=(f"d{a:03}", f"d{b:03}")) for a, b in pairs]
    groups = merged_groups(as_columns(builders.catalog(*datasets, relations=tuple(joined))))
    where = {i: {i} for i in range(count)}
    for a, b in pairs:
        both = where[a] | where[b]
        for i in both:
            where[i] = both
    expected = sorted({tuple(sorted(group)) for group in where.values() if len(group) > 1})
    bounds = groups.offsets.tolist()
    found = [tuple(groups.members[a:b].tolist()) for a, b in pairwise(bounds)]
    assert found == expected


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32 - 1))
def test_both_bounds_agree_on_larger_cities_with_groups_replicas_and_messages(seed):
    case = larger(np.random.default_rng(seed))
    theirs, ours = judge(case), case_in_columns(case).judged()
    assert ours.exact == theirs.total
    assert 0 <= theirs.price_bound - ours.price_bound <= ours.tolerance
    assert ours.tolerance <= Fraction(1, 10**6)
    told = {check.name: check.holds for check in ours.checks}
    for check in theirs.certificate.checks:
        if check.name != "gap":
            assert told[check.name] == check.holds, check.name


def larger(rng: np.random.Generator) -> Case:
    """A hundred datasets; sites so small that some hold only some of them; any prices."""

    def cents(below: int, places: int = 3) -> Decimal:
        return Decimal(int(rng.integers(0, below))).scaleb(-places)

    names = [f"d{i:03}" for i in range(100)]
    sites = [f"s{s}" for s in range(7)]
    operators = ("city", "nord", "nord", "nord", "sued", "sued", "west")
    replicas = rng.choice([1, 1, 1, 2, 3], len(names))
    replicas[:30] = np.repeat(replicas[:10], 3)  # groups of three want as many
    data = [
        builders.dataset(
            name,
            volume_gb=int(rng.lognormal(3, 1.5)),
            monthly_read_gb=cents(9000, 2),
            monthly_egress_gb=cents(9000, 4),
            replicas=int(n),
            availability=(Level.NORMAL, Level.HIGH)[rng.integers(0, 2)],
            current_site=(None, *sites)[rng.integers(0, 8)],
            readers=[(), ("registrar",), ("clerk", "registrar")][rng.integers(0, 3)],
        )
        for name, n in zip(names, replicas, strict=True)
    ]
    relations: list[Relation] = [
        CoLocated(members=tuple(names[i : i + 3])) for i in range(0, 30, 3)
    ]
    relations += [
        DerivedFrom(derived=names[b], source=names[a], monthly_transfer_gb=cents(90000))
        for a, b in (sorted(rng.choice(100, 2, replace=False).tolist()) for _ in range(150))
    ]
    relations += [
        Separated(
            members=tuple(names[i] for i in rng.choice(100, rng.integers(2, 5), replace=False)),
            level=("site", "operator")[rng.integers(0, 2)],
        )
        for _ in range(30)
    ]
    case = Case(
        catalog=builders.catalog(
            *data,
            relations=tuple(relations),
            roles=(builders.role(), builders.role("clerk", workplace_sites=("s2",))),
        ),
        register=builders.register(
            *(
                builders.site(
                    name,
                    operator=operator,
                    capacity_gb=int(rng.integers(30, 2000)),
                    object_price_eur_per_gb_month=cents(50),
                    egress_price_eur_per_gb=cents(100),
                    handling_price_eur_per_dataset_month=cents(9000),
                )
                for name, operator in zip(sites, operators, strict=True)
            )
        ),
        parameters=Parameters(
            as_of=builders.AS_OF,
            exit_budget_eur=cents(10**6),
            moves_max=20,
            alternatives_min=1,
            amortisation_years=7,
        ),
        placements={
            name: tuple(rng.choice(sites, int(n), replace=False).tolist())
            for name, n in zip(names, replicas, strict=True)
        },
        ask=closed_at("s5"),
    )
    rows = [f"capacity[{s}]" for s in sites] + ["closed_stack", "exit_budget", "moves"]
    rows += [f"concentration_volume[{o}]" for o in ("nord", "sued", "west")]
    priced_flows = []
    egress = {s.id: s.egress_price_eur_per_gb for s in case.register.sites}
    wanted = dict(zip(names, replicas, strict=True))
    for (source, derived), gb in case.city().flows.items():
        if wanted[source] == wanted[derived] == 1:
            for site in sites:
                most = 12 * Decimal(gb.numerator) / gb.denominator * egress[site]
                price = (most * Decimal(rng.random())).quantize(Decimal("1e-6"), "ROUND_DOWN")
                priced_flows.append(
                    FlowPrice(source=source, derived=derived, site=site, price=price)
                )
    prices = tuple(RowPrice(row=row, price=cents(300, 4)) for row in rows)
    return case.but(
        prices=prices,
        flow_prices=tuple(priced_flows),
        separation_prices=tuple(
            SeparationPrice(
                first=first,
                second=second,
                place=str(rng.choice(operators if level == "operator" else sites)),
                price=cents(10**7, 6) * 10,
            )
            for (first, second), level in case.city().separations.items()
            if rng.random() < 0.7
        ),
    )
