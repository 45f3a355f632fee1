"""What a plan changes: datasets that move, TB, EUR and risk.

Both sides are judged by the plan's own inputs, with the certificate's exact costs and rows, so
that the difference is the plan's doing and not that of a new price list.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

from models import Move, Plan, PlanDiff, Risk
from placement.catalog.cloud_prices.countries import EEA
from placement.certificate import cents
from placement.certificate.city import City, read_city
from placement.certificate.costs import Tariff, add
from placement.certificate.rows import Rows
from placement.certificate.verdicts import Verdicts

Resting = Mapping[str, tuple[str, ...]]
"""Dataset -> the sites that hold it; none: it rests nowhere yet."""

_GB_A_TB = 1000
_NINE = Decimal("1e-9")


@dataclass(frozen=True)
class Before:
    """What a plan is compared with."""

    since: int | None
    """The decision; none: where the catalogue says data rests."""
    resting: Resting
    volumes_gb: Mapping[str, int]
    """Volume of one replica of each dataset."""


def placed_by(plan: Plan, since: int) -> Before:
    """The placements of another plan."""
    return Before(
        since=since,
        resting={placed.dataset: placed.sites for placed in plan.placements},
        volumes_gb=_volumes(plan),
    )


def resting_today(plan: Plan) -> Before:
    """Where data rested when the plan was decided, by the plan's own catalogue."""
    datasets = plan.inputs.catalog.datasets
    return Before(
        since=None,
        resting={d.id: d.current_sites for d in datasets if d.current_sites},
        volumes_gb=_volumes(plan),
    )


def diff(plan: Plan, before: Before) -> PlanDiff:
    """What a plan changes, compared with what was before.

    Datasets that only the former plan knows are retired; those that only this one knows are new.
    Neither counts as TB that are copied between sites.
    """
    exposure = _Exposure(plan)
    after = {placed.dataset: placed.sites for placed in plan.placements}
    volumes = {**before.volumes_gb, **_volumes(plan)}
    moves = tuple(
        Move(dataset=name, from_sites=old, to_sites=new, volume_gb=volumes[name])
        for name in [*after, *(n for n in before.resting if n not in after)]
        if set(old := tuple(sorted(before.resting.get(name, ()))))
        != set(new := after.get(name, ()))
    )
    comparable = exposure.knows(before.resting)
    return PlanDiff(
        since=before.since,
        moves=moves,
        moved_tb=Decimal(sum(map(copied_gb, moves))) / _GB_A_TB,
        eur_per_year_before=exposure.eur_per_year(before.resting) if comparable else None,
        eur_per_year_after=exposure.eur_per_year(after),
        risk_before=exposure.risk(before.resting) if comparable else None,
        risk_after=exposure.risk(after),
    )


def copied_gb(move: Move) -> int:
    """GB copied between sites: one volume for each site that gets the dataset from another."""
    if not move.from_sites:
        return 0
    return move.volume_gb * len(set(move.to_sites) - set(move.from_sites))


def _volumes(plan: Plan) -> dict[str, int]:
    return {dataset.id: dataset.volume_gb for dataset in plan.inputs.catalog.datasets}


class _Exposure:
    """Costs and risk of any placement, by the inputs and verdicts of one plan."""

    def __init__(self, plan: Plan) -> None:
        inputs, table = plan.inputs, plan.eligibility
        self._city: City = read_city(inputs.catalog, inputs.sites, plan.parameters)
        verdicts = Verdicts(
            profile_of=dict(zip(table.datasets, table.profile_of, strict=True)),
            rows=tuple(dict(zip(table.sites, row, strict=True)) for row in table.verdicts),
            segregated={},
        )
        self._tariff = Tariff(self._city, verdicts)
        self._rows = Rows(self._city, verdicts, self._tariff)

    def knows(self, resting: Resting) -> bool:
        """Whether something rests somewhere, and every site is known and has a price for it."""
        pairs = self._pairs(resting)
        return bool(pairs) and all(
            site in self._city.sites and self._tariff.priced(dataset, site)
            for dataset, site in pairs
        )

    def eur_per_year(self, resting: Resting) -> Decimal:
        """Exact cost, rounded to cents; data that rests nowhere costs nothing."""
        placed = self._placed(resting)
        return cents(add(self._tariff.of_placement(d, placed) for d in placed).objective)

    def risk(self, resting: Resting) -> Risk:
        """What the city is exposed to."""
        placed, pairs = self._placed(resting), self._pairs(resting)
        loads = self._rows.loads(placed)
        volume = sum(self._city.datasets[dataset].volume_gb for dataset, _ in pairs)
        with_operators = [
            load for row, load in loads.items() if row.startswith("concentration_volume[")
        ]
        foreign = {dataset for dataset, site in pairs if self._is_foreign(site)}
        exit_cost = sum(self._tariff.exit_cost(dataset, site) for dataset, site in pairs)
        return Risk(
            largest_operator_volume_share=_share(max(with_operators, default=0), volume),
            closed_stack_volume_share=_share(loads["closed_stack"], volume),
            foreign_jurisdiction_datasets=len(foreign),
            exit_cost_eur=cents(Fraction(exit_cost, self._tariff.unit)),
        )

    def _is_foreign(self, site: str) -> bool:
        """Whether the operator's parent is outside the EEA, or unknown."""
        operator = self._city.operators[self._city.operator_of(site)]
        return operator.parent_jurisdiction not in EEA

    def _placed(self, resting: Resting) -> dict[str, tuple[str, ...]]:
        return {dataset: tuple(resting.get(dataset, ())) for dataset in self._city.datasets}

    def _pairs(self, resting: Resting) -> list[tuple[str, str]]:
        return [(d, site) for d, sites in self._placed(resting).items() for site in sites]


def _share(part: int, whole: int) -> Decimal:
    """A share of GB to nine decimals; 0 of nothing."""
    if not whole:
        return Decimal(0)
    return (Decimal(part) / Decimal(whole)).quantize(_NINE, ROUND_HALF_EVEN).normalize()
