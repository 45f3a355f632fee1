"""The verdicts of N datasets at S sites: P x S evaluations, less those that are known."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from models import (
    Obligation,
    Parameters,
    PolicyDataset,
    PolicySite,
    SegregatedDuties,
    SiteRegister,
    policy_site,
    sha256_of,
)
from models.columns import CatalogColumns, EligibilityColumns, FactColumns, ProfileTable
from placement.eligibility.columns.known import Basis, KnownVerdicts, Row, merge_obligations
from placement.eligibility.columns.profiles import find_profiles
from placement.eligibility.engine import MAX_PAIRS, PolicyEngine

PAIRS_A_CALL = MAX_PAIRS * (os.cpu_count() or 1)
"""Pairs in one call of the engine, which asks that many at a time. Its deadline is for a call, so
it bounds how long OPA may be silent, not how many profiles a city may have."""


def evaluate_columns(
    engine: PolicyEngine,
    columns: CatalogColumns,
    facts: FactColumns,
    register: SiteRegister,
    parameters: Parameters,
    known: KnownVerdicts | None = None,
) -> EligibilityColumns:
    """Verdicts of every profile at every site, and the profile of every dataset.

    Parameters
    ----------
    parameters
        With the day policies are judged for.
    known
        Verdicts that were given before, which gets those given now. Of the same policies, OPA and
        day, only pairs of a view and a site's view that are new are asked about; of others, all.

    Raises
    ------
    PolicyEngineError
        OPA cannot answer.
    KeyError
        A reference to a role, an operator or a contract leads nowhere.
    """
    if parameters.as_of is None:
        raise AssertionError("the day of judgement is set when the parameters are read")
    roles = {role.id: role for role in (*columns.roles, *register.roles)}
    contracts = {contract.id: contract for contract in columns.contracts}
    operators = {operator.id: operator for operator in register.operators}
    profiles = find_profiles(columns, facts, roles, contracts)
    sites = tuple(policy_site(site, operators, roles) for site in register.sites)
    asking = _Asking(
        engine=engine,
        known=KnownVerdicts() if known is None else known,
        as_of=parameters.as_of,
        views=profiles.views,
        view_keys=tuple(map(sha256_of, profiles.views)),
        sites=sites,
        site_keys=tuple(map(sha256_of, sites)),
    )
    return EligibilityColumns(profile_of=profiles.profile_of, table=asking.table())


@dataclass(frozen=True)
class _Asking:
    """One evaluation: P views at S sites."""

    engine: PolicyEngine
    known: KnownVerdicts
    as_of: date
    views: tuple[PolicyDataset, ...]
    view_keys: tuple[str, ...]
    sites: tuple[PolicySite, ...]
    site_keys: tuple[str, ...]

    @property
    def basis(self) -> Basis:
        return Basis(self.engine.revision, self.engine.opa_version, self.as_of)

    def table(self) -> ProfileTable:
        rows = self.known.recall(self.basis, self.view_keys, self.site_keys)
        obligations = self.known.obligations(self.basis)
        for views, sites in _calls(rows, self.site_keys):
            merge_obligations(obligations, self._ask(rows, views, sites))
        verdicts = tuple(tuple(row[site] for site in self.site_keys) for row in rows)
        named = {
            violation.obligation
            for verdict in {id(v): v for row in verdicts for v in row}.values()
            for violation in verdict.violations
        }
        return ProfileTable(
            sites=tuple(site.id for site in self.sites),
            verdicts=verdicts,
            obligations=tuple(obligations[code] for code in sorted(named)),
            segregated_duties=self._segregated(),
            policy_revision=self.engine.revision,
            opa_version=self.engine.opa_version,
            as_of=self.as_of.isoformat(),
        )

    def _ask(
        self, rows: list[Row], views: Sequence[int], sites: Sequence[int]
    ) -> tuple[Obligation, ...]:
        """Fill in the verdicts of these views at these sites; the obligations they name."""
        table = self.engine.evaluate(
            [(f"profile-{view}", self.views[view]) for view in views],
            [self.sites[site] for site in sites],
            self.as_of,
        )
        keys = [self.site_keys[site] for site in sites]
        given = [
            (self.view_keys[view], dict(zip(keys, table.verdicts[place], strict=True)))
            for view, place in zip(views, table.profile_of, strict=True)
        ]
        kept = self.known.keep(self.basis, given, table.obligations)
        for view, row in zip(views, kept, strict=True):
            rows[view].update(row)
        return table.obligations

    def _segregated(self) -> tuple[SegregatedDuties, ...]:
        """The duties that each site keeps apart, by site and duty."""
        duties = tuple(sorted({duty for view in self.views for duty in view.duties}))
        found = [
            (site.id, duty, other)
            for site, key in zip(self.sites, self.site_keys, strict=True)
            for duty, other in self._apart(site, key, duties)
        ]
        return tuple(SegregatedDuties(site=s, duty=d, other=o) for s, d, o in sorted(found))

    def _apart(
        self, site: PolicySite, key: str, duties: tuple[str, ...]
    ) -> frozenset[tuple[str, str]]:
        if len(duties) < 2:
            return frozenset()
        pairs = self.known.recall_duties(self.basis, key, duties)
        if pairs is None:
            pairs = self.engine.ask_segregated(site, duties, self.as_of)
            self.known.keep_duties(self.basis, key, duties, pairs)
        return pairs


def _calls(
    rows: Sequence[Row], site_keys: Sequence[str]
) -> Iterator[tuple[Sequence[int], tuple[int, ...]]]:
    """Views and sites to ask about together: all pairs whose verdict no row has, once each."""
    lacking: dict[tuple[int, ...], list[int]] = {}
    for view, row in enumerate(rows):
        sites = tuple(site for site, key in enumerate(site_keys) if key not in row)
        if sites:
            lacking.setdefault(sites, []).append(view)
    for sites, views in lacking.items():
        size = max(1, PAIRS_A_CALL // len(sites))
        for start in range(0, len(views), size):
            yield views[start : start + size], sites
