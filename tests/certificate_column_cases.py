"""Cases of the object certificate as columns, and synthetic cities of any size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from models import (
    FixedPair,
    Parameters,
    PolicyInput,
    SiteRegister,
    Verdict,
)
from models.columns import (
    CatalogColumns,
    EligibilityColumns,
    FactColumns,
    PlacedColumns,
    ProfileTable,
)
from placement.certificate.columns import ColumnCertificate, certify_columns
from placement.graph.columns import derive_fact_columns
from tests.certificate_cases import Case, ask_segregated
from tests.column_cases import as_columns


@dataclass(frozen=True)
class ColumnCase:
    """Everything a certificate of columns is made from."""

    columns: CatalogColumns
    register: SiteRegister
    parameters: Parameters
    eligibility: EligibilityColumns
    facts: FactColumns
    placed: PlacedColumns
    ask: Callable[[PolicyInput], Verdict] | None
    fixed: tuple[FixedPair, ...] = ()

    def but(self, **changes: Any) -> ColumnCase:
        return replace(self, **changes)

    def judged(self, **claims: Any) -> ColumnCertificate:
        return certify_columns(
            self.columns,
            self.register,
            self.parameters,
            self.eligibility,
            self.facts,
            self.placed,
            fixed=self.fixed,
            ask=self.ask,
            ask_segregated=ask_segregated if self.ask else None,
            **claims,
        )

    def failures(self, **claims: Any) -> dict[str, tuple[str, ...]]:
        return {c.name: c.failures for c in self.judged(**claims).checks if not c.holds}

    def row(self, dataset: str) -> int:
        return self.columns.ids.to_pylist().index(dataset)

    def site(self, name: str) -> int:
        return [s.id for s in self.register.sites].index(name)

    def moved(self, dataset: str, *names: str) -> ColumnCase:
        sites = self.placed.sites.copy()
        rows = sorted(self.site(name) for name in names)
        sites[self.row(dataset)] = rows + [-1] * (sites.shape[1] - len(rows))
        return self.but(placed=replace(self.placed, sites=sites))


def case_in_columns(case: Case) -> ColumnCase:
    """The same case in columns: kinds, facts, profiles, sites and prices."""
    columns = as_columns(case.catalog)
    names = columns.ids.to_pylist()
    table = case.table()
    row_of = {name: row for row, name in enumerate(names)}
    profile_of = np.zeros(len(names), dtype=np.int32)
    for name, profile in zip(table.datasets, table.profile_of, strict=True):
        profile_of[row_of[name]] = profile
    facts = derive_fact_columns(columns, case.parameters)
    site_of = {site.id: s for s, site in enumerate(case.register.sites)}
    most = max([1, *(len(at) for at in case.placements.values())])
    sites = np.full((len(names), most), -1, dtype=np.int32)
    for name, at in case.placements.items():
        rows = sorted(site_of[site] for site in at)
        sites[row_of[name], : len(rows)] = rows
    flows = zip(facts.flow_source.tolist(), facts.flow_derived.tolist(), strict=True)
    number = {(names[i], names[j]): e for e, (i, j) in enumerate(flows)}
    messages = np.zeros((len(number) if case.flow_prices else 0, len(site_of)), dtype=np.int64)
    for given in case.flow_prices:
        amount = int(given.price * 10**6)
        messages[number[given.source, given.derived], site_of[given.site]] = amount
    places, pairs = _pair_prices(case, facts, names)
    return ColumnCase(
        columns=columns,
        register=case.register,
        parameters=case.parameters,
        eligibility=EligibilityColumns(
            profile_of=profile_of,
            table=ProfileTable(
                sites=table.sites,
                verdicts=table.verdicts,
                obligations=table.obligations,
                segregated_duties=table.segregated_duties,
                policy_revision=table.policy_revision,
                opa_version=table.opa_version,
                as_of=table.as_of.isoformat(),
            ),
        ),
        facts=facts,
        placed=PlacedColumns(
            sites=sites,
            row_prices={p.row: int(p.price * 10**12) for p in case.prices},
            flow_prices=messages,
            pair_places=places,
            pair_prices=pairs,
        ),
        ask=case.ask,
    )


def _pair_prices(case: Case, facts: FactColumns, names: list[str]) -> tuple[Any, Any]:
    """(Q,) places and prices; a whole operator's place is any of its sites: here the last one."""
    ends = zip(facts.pair_first.tolist(), facts.pair_second.tolist(), strict=True)
    number = {(names[i], names[j]): q for q, (i, j) in enumerate(ends)}
    count = len(number) if case.separation_prices else 0
    places, prices = np.full(count, -1, dtype=np.int32), np.zeros(count, dtype=np.int64)
    for given in case.separation_prices:
        pair = number[given.first, given.second]
        at = [given.place in (s.id, s.operator) for s in case.register.sites]
        places[pair] = np.flatnonzero(at)[-1]
        prices[pair] = int(given.price * 10**6)
    return places, prices
