"""The certificate of columns: a plan of millions judged by the raw columns alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import numpy as np

from models import Check, FixedPair, Parameters, SiteRegister
from models.columns import (
    CatalogColumns,
    EligibilityColumns,
    FactColumns,
    Groups,
    Numbers32,
    PlacedColumns,
)
from placement.certificate.checks import check
from placement.certificate.columns import constraints as families
from placement.certificate.columns.answer import ColumnCertificate, RowTotal
from placement.certificate.columns.bound import Bound, price_bound
from placement.certificate.columns.city import STORAGE, ColumnCity, read_city
from placement.certificate.columns.classes import classification, effective_columns
from placement.certificate.columns.costs import cost_terms, exact_costs, lineage_cost, price
from placement.certificate.columns.loads import loads_of
from placement.certificate.columns.naming import told
from placement.certificate.columns.placed import read_placed
from placement.certificate.columns.prices import read_prices
from placement.certificate.columns.profiles import eligibility as verdict_check
from placement.certificate.columns.profiles import profiles, segregated_duties
from placement.certificate.columns.relations import merged_groups, relations
from placement.certificate.columns.rows import read_rows, totals_of
from placement.certificate.exact import cents, exact, tolerance_eur
from placement.certificate.verdicts import Ask, AskSegregated

Amount = float | Decimal | Fraction


def certify_columns(
    columns: CatalogColumns,
    register: SiteRegister,
    parameters: Parameters,
    eligibility: EligibilityColumns,
    facts: FactColumns,
    placed: PlacedColumns,
    *,
    fixed: Sequence[FixedPair] = (),
    ask: Ask | None,
    ask_segregated: AskSegregated | None,
    objective_eur: Amount | None = None,
    dual_bound_eur: Amount | None = None,
) -> ColumnCertificate:
    """Judge a plan; every check is made, whatever the others say.

    Parameters
    ----------
    columns, register : CatalogColumns, SiteRegister
        The raw inputs; their references have been checked.
    parameters : Parameters
        With `as_of` set.
    eligibility, facts
        What the solver worked on: judged, too.
    placed : PlacedColumns
        The plan and its prices. Wrong ones are failures, not errors.
    fixed
        Pairs that a what-if asks for; the bound is then one on plans that keep them.
    ask, ask_segregated
        Single queries to the raw policies, for each profile in use at each site. None takes the
        table's word for it: `eligibility` then says that it checked 0.
    objective_eur, dual_bound_eur
        What the solver claims; without a dual bound the gap is that of the prices.

    Raises
    ------
    CertificateError
        Where the columns do not fit together, or name what is not given.
    BadInput
        For a lineage cycle.
    PolicyEngineError
        When a query is not answered: then nothing is certified.
    """
    city = read_city(columns, register, parameters, eligibility, facts, fixed)
    return _judged(city, register, placed, (ask, ask_segregated), (objective_eur, dual_bound_eur))


def _judged(
    city: ColumnCity,
    register: SiteRegister,
    placed: PlacedColumns,
    policies: tuple[Ask | None, AskSegregated | None],
    claimed: tuple[Amount | None, Amount | None],
) -> ColumnCertificate:
    plan, groups, totals = read_placed(city, placed), merged_groups(city.columns), totals_of(city)
    costs, rows, loads = cost_terms(city), read_rows(city, totals), loads_of(city, plan.sites)
    spent = exact_costs(costs, loads, lineage_cost(city, plan.sites))
    row_loads = {name: row.load(loads) for name, row in rows.items()}
    prices = read_prices(city, placed, rows, groups)
    bound = price_bound(city, costs, rows, totals, prices, groups)
    claims = _Claims(spent.objective, bound, *claimed)
    priced = [*_unpriced(city, plan.sites), *claims.objective_failures()]
    checks = (
        plan.inputs,
        *_basis(city, register, groups, policies[0]),
        *_constraints(city, plan.sites, groups, segregated_duties(city, register, policies[1])),
        *families.coupling(rows, row_loads, totals),
        check("objective", len(city), priced),
        check("prices", prices.checked, prices.failures),
        check("bound", 2, [*_unplaceable(city, bound), *claims.bound_failures()]),
        check("gap", 1, claims.gap_failures(city.parameters)),
    )
    return ColumnCertificate(
        checks=checks,
        exact=spent,
        price_bound=bound.value,
        tolerance=bound.slack,
        rows={name: RowTotal(row_loads[name], row.limit) for name, row in rows.items()},
    )


def _basis(
    city: ColumnCity, register: SiteRegister, groups: Groups, ask: Ask | None
) -> tuple[Check, ...]:
    """What the plan stands on: classes, relations, profiles and verdicts."""
    own = effective_columns(city.columns, groups, city.parameters.cumulation_datasets_min)
    shared, views = profiles(city, own)
    return (
        classification(city, own),
        relations(city, groups),
        shared,
        verdict_check(city, register, views, ask),
    )


def _constraints(
    city: ColumnCity,
    sites: Numbers32,
    groups: Groups,
    segregated: tuple[list[tuple[int, str, str]], list[str]],
) -> tuple[Check, ...]:
    """Every family of constraints but the coupling rows."""
    return (
        families.policies(city, sites),
        families.assignment(city, sites),
        families.alternatives(city, sites),
        families.co_location(city, sites, groups),
        families.separation(city, sites),
        families.replica_separation(city, sites),
        families.segregation(city, sites, *segregated),
        families.fixed(city, sites),
    )


def _unpriced(city: ColumnCity, sites: Numbers32) -> list[str]:
    """Placed pairs whose site has no price for the dataset's kind of storage."""
    offered = np.array(
        [[price(site, kind) is not None for site in city.places.sites] for kind in STORAGE]
    )
    storage = np.array([STORAGE.index(t.storage) for t in city.tariffs], dtype=np.int64)
    priced = offered[storage]
    found = [(column >= 0) & ~priced[city.tariff_of, column] for column in sites.T]
    return told(
        np.flatnonzero(np.any(found, axis=0)),
        lambda d: f"{city.name(d)}: its site has no price for this kind of storage",
    )


def _unplaceable(city: ColumnCity, bound: Bound) -> list[str]:
    return told(
        np.sort(bound.unplaceable),
        lambda d: f"{city.name(d)}: fewer sites are open than {city.replicas[d]} replicas need",
    )


@dataclass(frozen=True)
class _Claims:
    """What is claimed of the plan in money, beside the exact amounts, EUR a year."""

    objective: Fraction
    bound: Bound
    claimed: Amount | None
    dual: Amount | None

    def objective_failures(self) -> Iterator[str]:
        """The claimed objective is the exact one, within 1e-6 of it or one cent."""
        if self.claimed is None:
            return
        claimed = exact(self.claimed)
        if claimed is None or abs(claimed - self.objective) > tolerance_eur(self.objective):
            yield f"claimed {str(self.claimed)[:40]}, the plan costs {_eur(self.objective)}"

    def bound_failures(self) -> Iterator[str]:
        """No bound is above the cost of a plan."""
        if self.bound.value > self.objective:
            yield f"the price bound {_eur(self.bound.value)} is above {_eur(self.objective)}"
        if self.dual is not None:
            dual = exact(self.dual)
            if dual is None or dual > self.objective + tolerance_eur(self.objective):
                yield f"dual bound {str(self.dual)[:40]} is above {_eur(self.objective)}"

    def gap_failures(self, parameters: Parameters) -> Iterator[str]:
        """The objective is within `parameters.gap` of the better bound, up to the tolerance."""
        dual = None if self.dual is None else exact(self.dual)
        best = self.bound.value if dual is None else max(dual, self.bound.value)
        allowed = Fraction(parameters.gap) * self.objective + tolerance_eur(self.objective)
        if self.objective - best > allowed:
            gap = float((self.objective - best) / self.objective)
            yield f"the gap is {gap:.9f}, at most {parameters.gap} allowed"


def _eur(amount: Fraction) -> str:
    return f"EUR {cents(amount):,}"
