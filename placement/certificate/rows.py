"""The coupling constraints: sums over all datasets that must stay below a limit.

One definition of each row's weights serves both the check of a plan's loads and the bound that
follows from the rows' prices:

    [row r]  sum over placed pairs (d, s) of w_r(d, s)  <=  b_r
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from placement.certificate.city import City
from placement.certificate.costs import Tariff
from placement.certificate.verdicts import Verdicts


@dataclass(frozen=True)
class Row:
    """One coupling constraint."""

    name: str
    """As in prices and in infeasibility cores: capacity[site]."""
    family: str
    limit: Fraction
    """b_r, in units of the weights."""
    weight_unit: int = 1
    """Weights are counts of 1/weight_unit of what the price is for (GB, placements, EUR)."""


class Rows:
    """All coupling rows of a city."""

    def __init__(self, city: City, verdicts: Verdicts, tariff: Tariff) -> None:
        self._city, self._verdicts, self._tariff = city, verdicts, tariff
        self.rows: Mapping[str, Row] = {row.name: row for row in self._all()}

    def _all(self) -> Iterator[Row]:
        city, limits = self._city, self._city.parameters
        volume = city.total_volume_gb
        for name, site in city.sites.items():
            yield Row(f"capacity[{name}]", "capacity", Fraction(site.capacity_gb))
        capped = [o for o in city.operators if city.capped(o)]
        share = Fraction(limits.operator_volume_share_max)
        for name in capped:
            yield Row(f"concentration_volume[{name}]", "concentration_volume", share * volume)
        share = Fraction(limits.operator_critical_share_max)
        most = max(1, math.floor(share * city.critical_replicas))
        for name in capped if city.critical_replicas else ():
            row = f"concentration_critical[{name}]"
            yield Row(row, "concentration_critical", Fraction(most))
        if limits.exit_budget_eur is not None:
            unit = self._tariff.unit
            yield Row("exit_budget", "exit_budget", Fraction(limits.exit_budget_eur) * unit, unit)
        share = Fraction(limits.closed_stack_share_max)
        yield Row("closed_stack", "closed_stack", share * volume)
        if limits.moves_max is not None:
            # sum (1 - x_d,current) <= moves_max, with the constant on the right
            yield Row("moves", "moves", Fraction(limits.moves_max - self.with_current_site))

    @property
    def with_current_site(self) -> int:
        """Datasets that rest somewhere today."""
        return sum(d.current_site is not None for d in self._city.datasets.values())

    def weights(self, dataset: str, site: str) -> Iterator[tuple[str, int]]:
        """The rows a replica of the dataset at the site counts in, with w_r(d, s)."""
        d, operator = self._city.datasets[dataset], self._city.operator_of(site)
        yield f"capacity[{site}]", d.volume_gb
        if self._city.capped(operator):
            yield f"concentration_volume[{operator}]", d.volume_gb
            if self._city.critical(dataset):
                yield f"concentration_critical[{operator}]", 1
            if "exit_budget" in self.rows:
                yield "exit_budget", self._tariff.exit_cost(dataset, site)
        if self._verdicts.of(dataset, site).closed_stack:
            yield "closed_stack", d.volume_gb
        if "moves" in self.rows and d.current_site == site:
            yield "moves", -1

    def loads(self, placed: Mapping[str, Sequence[str]]) -> Counter[str]:
        """The left-hand side of every row under a plan."""
        loads: Counter[str] = Counter()
        for dataset, sites in placed.items():
            for site in sites:
                for row, weight in self.weights(dataset, site):
                    loads[row] += weight
        return loads
