"""Pairs that overload a row all by themselves are no choice of the bound, as with objects."""

from __future__ import annotations

from decimal import Decimal

import pytest

from models import CoLocated, Level, Parameters
from tests import builders
from tests.certificate_cases import Case, closed_at, judge
from tests.certificate_column_cases import case_in_columns

TOGETHER = (CoLocated(members=("a", "b")),)


def two(*relations: CoLocated, **parameters) -> Case:
    """Two critical datasets of 100 GB; all is cheapest at `cloud`, a closed stack."""
    vital = {"availability": Level.HIGH, "monthly_read_gb": 0, "monthly_egress_gb": 0}
    limits = {
        "operator_volume_share_max": Decimal(1),
        "operator_critical_share_max": Decimal(1),
        "closed_stack_share_max": Decimal(1),
        "alternatives_min": 0,
    }
    return Case(
        catalog=builders.catalog(
            builders.dataset("a", **vital), builders.dataset("b", **vital), relations=relations
        ),
        register=builders.register(
            builders.site("hall", object_price_eur_per_gb_month=Decimal("0.5")),
            builders.site("cloud", operator="nord", egress_price_eur_per_gb=Decimal("0.1")),
        ),
        parameters=Parameters(as_of=builders.AS_OF, **{**limits, **parameters}),
        placements={"a": ("hall",), "b": ("hall",)},
        ask=closed_at("cloud"),
    )


@pytest.mark.parametrize(
    ("relations", "enough", "lacking"),
    [
        ((), {"closed_stack_share_max": "0.5"}, {"closed_stack_share_max": "0.499"}),
        (TOGETHER, {"closed_stack_share_max": "1"}, {"closed_stack_share_max": "0.999"}),
        ((), {"operator_volume_share_max": "0.5"}, {"operator_volume_share_max": "0.499"}),
        (TOGETHER, {"operator_volume_share_max": "1"}, {"operator_volume_share_max": "0.999"}),
        (TOGETHER, {"operator_critical_share_max": "1"}, {"operator_critical_share_max": "0.5"}),
        ((), {"exit_budget_eur": "5014"}, {"exit_budget_eur": "5013.99"}),
        (TOGETHER, {"exit_budget_eur": "10028"}, {"exit_budget_eur": "10027.99"}),
    ],
)
def test_a_unit_too_heavy_for_a_row_alone_goes_elsewhere(relations, enough, lacking):
    bounds = []
    for parameters in (enough, lacking):
        case = two(*relations, **{name: Decimal(value) for name, value in parameters.items()})
        theirs, ours = judge(case), case_in_columns(case).judged()
        assert 0 <= theirs.price_bound - ours.price_bound <= ours.tolerance
        bounds.append(theirs.price_bound)
    assert bounds[0] < bounds[1]
