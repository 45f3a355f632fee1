"""Sums and amounts that no float and no 64 bits would hold are exact all the same."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from models import CoLocated, DerivedFrom, Parameters
from placement.certificate.columns.sums import add_up, add_up_by, distinct, sorted_set
from tests import builders
from tests.certificate_cases import Case, closed_at, judge
from tests.certificate_column_cases import case_in_columns

MOST_GB = 10**12


@pytest.mark.parametrize("most", [10, 2**31, 2**53, 10**18, 2**63 - 1])
@pytest.mark.parametrize("count", [0, 1, 1000, 200_000])
def test_sums_by_cell_are_those_of_python(most, count):
    rng = np.random.default_rng(most % 97 + count)
    values = rng.integers(0, most, count, endpoint=True)
    values[: count // 2] |= 1  # odd ones, which floats above 2^53 cannot hold
    cells = rng.integers(0, 7, count)
    expected = [sum(values[cells == c].tolist()) for c in range(7)]
    assert add_up_by(cells, values, 7).tolist() == expected
    assert add_up(values) == sum(expected)


def test_distinct_codes_are_numbered_alike_however_sparse():
    codes = np.array([5, 900_000_000, 5, 7])
    for space in (900_000_001, 10**15):
        found, number = distinct(codes, space)
        assert found.tolist() == [5, 7, 900_000_000]
        assert number.tolist() == [0, 2, 0, 1]
    few = np.array([3, 1, 3])
    assert [a.tolist() for a in distinct(few, 4)] == [[1, 3], [1, 0, 1]]
    assert sorted_set(few).tolist() == [1, 3]
    assert sorted_set(few[:0]).tolist() == []


def huge(count: int, **parameters) -> Case:
    """The largest volumes and prices that models hold, with every component of the cost."""
    data = [
        builders.dataset(
            f"d{i:02}",
            volume_gb=MOST_GB - i,
            monthly_read_gb=MOST_GB - Decimal(i) / 10**6,
            monthly_egress_gb=MOST_GB - Decimal(1) / 10**6,
            current_site="hall" if i % 2 else None,
            readers=("registrar", "clerk", "third"),
            replicas=2 if i == 3 else 1,
        )
        for i in range(count)
    ]
    flow = DerivedFrom(derived="d01", source="d00", monthly_transfer_gb=Decimal(MOST_GB))
    roles = (builders.role(), builders.role("clerk", workplace_sites=("hall",)))
    dear = Decimal("999999999999.999999999")
    return Case(
        catalog=builders.catalog(
            *data,
            roles=(*roles, builders.role("third")),
            relations=(flow, CoLocated(members=("d04", "d05"))),
        ),
        register=builders.register(
            builders.site("hall", egress_price_eur_per_gb=Decimal("0.000000001")),
            builders.site("north", operator="nord", egress_price_eur_per_gb=dear),
            builders.site("south", operator="sued", object_price_eur_per_gb_month=dear),
        ),
        parameters=Parameters(
            as_of=builders.AS_OF, amortisation_years=7, exit_budget_eur=Decimal(1), **parameters
        ),
        placements={
            d.id: ("hall", "south") if d.replicas == 2 else (("hall", "north", "south")[i % 3],)
            for i, d in enumerate(data)
        },
        ask=closed_at("north"),
    )


def test_the_largest_amounts_cost_and_weigh_what_they_do_in_python():
    case = huge(40)
    theirs = judge(case)
    ours = case_in_columns(case).judged(dual_bound_eur=theirs.objective)
    assert ours.exact == theirs.total
    assert ours.objective > 10**24
    loads = ours.rows
    volume = sum(MOST_GB - i for i in range(40) if i % 3 == 1)
    assert loads["capacity[north]"].load == volume
    assert loads["concentration_volume[nord]"].load == volume
    told = {c.name: c.holds for c in ours.checks}
    for check in theirs.certificate.checks:
        assert told[check.name] == check.holds, check.name
    assert 0 <= theirs.price_bound - ours.price_bound <= ours.tolerance
    assert ours.tolerance < theirs.price_bound * Fraction(1, 10**12)


def test_one_gigabyte_of_many_counts():
    """Float sums of 1e13 GB and more lose single gigabytes of such volumes: this one does not."""
    case = huge(40)
    columns = case_in_columns(case)
    load = columns.judged().rows["capacity[south]"].load
    assert load > 10**13
    for room, holds in ((int(load), True), (int(load) - 1, False)):
        sites = tuple(
            s.model_copy(update={"capacity_gb": room}) if s.id == "south" else s
            for s in case.register.sites
        )
        register = columns.register.model_copy(update={"sites": sites})
        told = columns.but(register=register).failures().get("capacity", ())
        assert any(failure.startswith("capacity[south]") for failure in told) is not holds


def test_a_slight_difference_between_sites_is_within_the_tolerance():
    """Sites a hair apart: a choice by float64 may be wrong; the bound stays a lower bound."""
    hair = Decimal("0.000000001")
    case = Case(
        catalog=builders.catalog(
            *(
                builders.dataset(f"d{i:02}", volume_gb=10**9 + i, monthly_egress_gb=10**9 - i)
                for i in range(30)
            )
        ),
        register=builders.register(
            *(
                builders.site(
                    f"s{s}",
                    object_price_eur_per_gb_month=Decimal(1) + s * hair,
                    egress_price_eur_per_gb=Decimal(1) - s * hair,
                    capacity_gb=MOST_GB,
                )
                for s in range(5)
            )
        ),
        parameters=Parameters(as_of=builders.AS_OF),
        placements={f"d{i:02}": ("s0",) for i in range(30)},
        ask=closed_at(),
    )
    theirs, ours = judge(case), case_in_columns(case).judged()
    assert 0 <= theirs.price_bound - ours.price_bound <= ours.tolerance
    assert ours.tolerance <= theirs.price_bound * Fraction(1, 10**13)
