"""The certificate: a solution judged by the raw inputs alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from models import Catalog, Certificate, Check, EffectiveClass, Parameters, SiteRegister
from placement.certificate.bound import price_bound
from placement.certificate.candidates import find_candidates
from placement.certificate.checks import check
from placement.certificate.city import City, read_city
from placement.certificate.claims import Amount, Certified, Claims
from placement.certificate.constraints import Proposal, constraint_checks
from placement.certificate.costs import ExactCosts, Tariff, add
from placement.certificate.exact import cents, cents_below, exact, relative_gap, tolerance_eur
from placement.certificate.prices import read_prices
from placement.certificate.rows import Rows
from placement.certificate.table import eligibility
from placement.certificate.verdicts import Ask, AskSegregated, ask_everything


def certify(
    catalog: Catalog,
    register: SiteRegister,
    parameters: Parameters,
    claims: Claims,
    ask: Ask,
    ask_segregated: AskSegregated,
) -> Certified:
    """Judge a solution; every check is made, whatever the others say.

    Parameters
    ----------
    catalog, register : Catalog, SiteRegister
        The raw inputs; their references have been checked.
    parameters : Parameters
        With `as_of` set.
    claims : Claims
        What the solver says. Wrong references in it are failures, not errors.
    ask, ask_segregated
        Single queries to the raw policies; one for each distinct (dataset, site) question.

    Raises
    ------
    PolicyEngineError
        When a query is not answered: then nothing is certified.
    BadInput
        For a lineage cycle in the catalogue.
    """
    city = read_city(catalog, register, parameters)
    as_of = parameters.as_of or claims.eligibility.as_of
    verdicts = ask_everything(city, ask, ask_segregated, as_of)
    tariff = Tariff(city, verdicts)
    rows = Rows(city, verdicts, tariff)
    candidates = find_candidates(city, verdicts, tariff)
    placed = _placed(city, claims)
    costs = {dataset: tariff.of_placement(dataset, placed) for dataset in city.datasets}
    total = add(costs.values())
    prices = read_prices(claims, city, tariff, rows)
    bound, unplaceable = price_bound(city, tariff, rows, candidates, prices)
    amounts = _Amounts(claims, total.objective, bound)
    checks = (
        inputs(city, claims),
        classification(city, claims.effective),
        eligibility(city, verdicts, claims.eligibility, as_of),
        *constraint_checks(Proposal(city, verdicts, candidates, rows, placed)),
        objective(amounts, tariff, placed),
        check("prices", prices.checked, prices.failures),
        check("bound", 3, [*unplaceable, *_bound_failures(amounts)]),
        gap(amounts, parameters),
    )
    return Certified(_certificate(checks, total, bound), costs, total, bound)


def _certificate(checks: tuple[Check, ...], total: ExactCosts, bound: Fraction) -> Certificate:
    return Certificate(
        checks=checks,
        objective_eur=cents(total.objective),
        price_bound_eur=cents_below(bound),
        price_gap=relative_gap(total.objective, bound),
    )


def _placed(city: City, claims: Claims) -> dict[str, tuple[str, ...]]:
    """The known part of the claimed placements; what is left out, `inputs` names."""
    placed: dict[str, set[str]] = {dataset: set() for dataset in city.datasets}
    for dataset, sites in claims.placements:
        if dataset in placed:
            placed[dataset].update(site for site in sites if site in city.sites)
    return {dataset: tuple(sorted(sites)) for dataset, sites in placed.items()}


def inputs(city: City, claims: Claims) -> Check:
    """Every dataset is placed exactly once, at known sites, each named once; `as_of` is set."""
    failures = []
    if city.parameters.as_of is None:
        failures.append("parameters: as_of is not set")
    times = Counter(dataset for dataset, _ in claims.placements)
    failures += [f"{d}: is not placed" for d in city.datasets if not times[d]]
    failures += [f"{d}: is not in the catalogue" for d in times if d not in city.datasets]
    failures += [f"{d}: is placed {n} times" for d, n in times.items() if n > 1]
    for dataset, sites in claims.placements:
        named = Counter(sites)
        failures += [f"{dataset}: site {s} is unknown" for s in named if s not in city.sites]
        failures += [f"{dataset}: site {s} is named {n} times" for s, n in named.items() if n > 1]
    return check("inputs", len(city.datasets), failures)


def classification(city: City, claimed: tuple[EffectiveClass, ...]) -> Check:
    """Claimed effective classes and chains equal those computed again, in catalogue order."""
    failures = []
    if [c.dataset for c in claimed] != list(city.datasets):
        failures.append("effective classes: not one for each dataset, in catalogue order")
    for given in claimed:
        own = city.classes.get(given.dataset)
        failures += _differences(given, own) if own else [f"{given.dataset}: is unknown"]
    return check("classification", len(city.datasets), failures)


def _differences(given: EffectiveClass, own: EffectiveClass) -> Iterator[str]:
    """Attributes that differ. Reasons are sentences about them and are not compared."""
    for field in type(own).model_fields:
        claimed, true = getattr(given, field), getattr(own, field)
        if field != "reasons" and claimed != true:
            yield f"{own.dataset}: {field} is claimed {_shown(claimed)}, it is {_shown(true)}"


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return "unknown" if value is None else str(value)


@dataclass(frozen=True)
class _Amounts:
    """The claims in money beside the exact amounts, EUR a year."""

    claims: Claims
    objective: Fraction
    price_bound: Fraction

    @property
    def tolerance(self) -> Fraction:
        return tolerance_eur(self.objective)


def objective(amounts: _Amounts, tariff: Tariff, placed: Mapping[str, tuple[str, ...]]) -> Check:
    """The claimed objective is the exact cost, within 1e-6 of it or one cent; all is priced."""
    failures = [
        f"{dataset} at {site}: the site has no price for this kind of storage"
        for dataset, sites in placed.items()
        for site in sites
        if not tariff.priced(dataset, site)
    ]
    claimed = exact(amounts.claims.objective_eur)
    if claimed is None:
        failures.append(f"claimed {amounts.claims.objective_eur} is not an amount")
    elif abs(claimed - amounts.objective) > amounts.tolerance:
        failures.append(
            f"claimed {_eur(claimed)}, the placements cost {_eur(amounts.objective)}:"
            f" {_eur(abs(claimed - amounts.objective))} apart"
        )
    return check("objective", len(placed), failures)


def _bound_failures(amounts: _Amounts) -> Iterator[str]:
    """What cannot be right about the bounds.

    L(p) <= objective and dual bound <= objective must hold. A solver's dual bound above L(p)
    rests on its branching and cuts: no solver-free check confirms it, and the plan shows both.
    """
    if amounts.price_bound > amounts.objective:
        yield (
            f"the price bound {_eur(amounts.price_bound)} is above the cost"
            f" {_eur(amounts.objective)}: no plan that keeps all constraints costs so little"
        )
    dual = exact(amounts.claims.dual_bound_eur)
    claimed_gap = exact(amounts.claims.gap)
    if dual is None or claimed_gap is None:
        yield f"{_raw(amounts.claims.dual_bound_eur)}, gap {_raw(amounts.claims.gap)}: no amounts"
        return
    if dual > amounts.objective + amounts.tolerance:
        yield f"dual bound {_eur(dual)} is above the cost {_eur(amounts.objective)}"
    true_gap = _gap(amounts.objective, dual)
    if abs(claimed_gap - true_gap) * abs(amounts.objective) > 2 * amounts.tolerance:
        yield f"the gap is claimed {float(claimed_gap):.9f}, it is {float(true_gap):.9f}"


def gap(amounts: _Amounts, parameters: Parameters) -> Check:
    """The objective is within `parameters.gap` of the better bound, up to the float tolerance."""
    dual = exact(amounts.claims.dual_bound_eur)
    best = amounts.price_bound if dual is None else max(dual, amounts.price_bound)
    allowed = Fraction(parameters.gap) * amounts.objective + amounts.tolerance
    failures = []
    if amounts.objective - best > allowed:
        true_gap = float(_gap(amounts.objective, best))
        failures.append(f"the gap is {true_gap:.9f}, at most {parameters.gap} allowed")
    return check("gap", 1, failures)


def _gap(objective: Fraction, bound: Fraction) -> Fraction:
    return max(Fraction(0), (objective - bound) / objective) if objective else Fraction(0)


def _eur(amount: Fraction) -> str:
    return f"EUR {cents(amount):,}"


def _raw(amount: Amount) -> str:
    return str(amount)[:40]
