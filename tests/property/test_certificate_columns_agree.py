"""Two certificates of one plan: that of objects and that of columns agree on everything."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models import CoLocated, FlowPrice, RowPrice
from placement.certificate.city import read_city
from placement.certificate.columns.classes import UNKNOWN, effective_columns
from placement.certificate.columns.relations import merged_groups
from placement.certificate.costs import Tariff
from placement.certificate.rows import Rows
from placement.certificate.verdicts import ask_everything
from tests import builders
from tests.certificate_cases import Case, all_placements, ask_segregated, judge
from tests.certificate_column_cases import as_columns, catalog_columns
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
    ours = as_columns(case).judged(**claims)
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
    columns = catalog_columns(catalog)
    parameters = builders.Parameters(as_of=builders.AS_OF, cumulation_datasets_min=least)
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
    groups = merged_groups(catalog_columns(builders.catalog(*datasets, relations=tuple(joined))))
    where = {i: {i} for i in range(count)}
    for a, b in pairs:
        both = where[a] | where[b]
        for i in both:
            where[i] = both
    expected = sorted({tuple(sorted(group)) for group in where.values() if len(group) > 1})
    bounds = groups.offsets.tolist()
    found = [tuple(groups.members[a:b].tolist()) for a, b in pairwise(bounds)]
    assert found == expected
