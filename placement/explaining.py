"""Why a dataset rests where it does, and what any other site would cost or break.

A plan holds its inputs and its verdicts, so that it explains itself: neither the files nor OPA
are asked again.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TypeVar

from models import (
    Explanation,
    FixedPair,
    GraphFacts,
    Placement,
    Plan,
    Problem,
    RowPrice,
    Solution,
    SourcedViolation,
    Termination,
    Verdict,
    WhyNot,
)
from placement.errors import BadInput, Defect
from placement.graph import derive_facts
from placement.optimizer import own_costs, solve
from placement.steps import Report, Step, silent

CENT = Decimal("0.01")
_T = TypeVar("_T")

_MEANING = {
    "assignment": "every dataset rests at as many sites as it has replicas",
    "capacity": "a site holds no more than its capacity",
    "concentration_volume": "no operator holds more than its share of all data",
    "concentration_critical": "no operator holds more than its share of the critical datasets",
    "exit_budget": "leaving all operators costs no more than the exit budget",
    "closed_stack": "no more than the allowed share of all data rests on closed stacks",
    "alternatives": "a critical dataset could move to enough other operators",
    "co_location": "datasets that belong together rest at the same sites",
    "separation": "datasets that must be kept apart share no site or operator",
    "replica_separation": "replicas of a dataset rest with different operators",
    "segregation": "datasets of duties that must not meet share no administration",
    "moves": "no more datasets move than allowed",
    "fixed": "a choice that was asked for",
}


def constraint_sentence(name: str) -> str:
    """What a named constraint demands, in words; anything else speaks for itself."""
    family = name.split("[", 1)[0]
    return f"{name}: {_MEANING[family]}" if family in _MEANING else name


def explain(
    plan: Plan, dataset: str, site: str | None = None, progress: Report = silent
) -> Explanation:
    """Why here, and why not there, for one other site or for all.

    For an eligible site the price is worked out with every other dataset staying where it is.
    Where that cannot be, the constraints in the way are named; asked for that one site, the whole
    plan is decided again with a replica required there.

    Raises
    ------
    BadInput
        When the plan has no such dataset or site.
    SolverError
    """
    table = plan.eligibility
    _known("dataset", dataset, table.datasets)
    if site is not None:
        _known("site", site, table.sites)
    number = table.datasets.index(dataset)
    placed = plan.placements[number]
    facts = derive_facts(plan.inputs.catalog, plan.parameters)
    problem = _problem(plan, facts)
    others = [s for s in table.sites if s not in placed.sites and site in (None, s)]
    asking = _Asking(plan, problem, dataset, placed)
    why_not = []
    for other in others:
        progress(Step("explain", f"asking what {dataset} at {other} would mean"))
        verdict = table.verdict(number, table.sites.index(other))
        why_not.append(
            _violating(plan, other, verdict)
            if not verdict.eligible
            else asking.price(other, decide_again=site is not None)
        )
    here = [table.verdict(number, table.sites.index(s)) for s in placed.sites]
    return Explanation(
        dataset=plan.inputs.catalog.datasets[number],
        effective=plan.effective[number],
        placement=placed,
        why=tuple(_why(plan, problem, dataset, placed)),
        host_obligations=_distinct(o for verdict in here for o in verdict.host_obligations),
        preferences=_distinct(p for verdict in here for p in verdict.preferences),
        why_not=tuple(why_not),
    )


def _known(kind: str, name: str, names: tuple[str, ...]) -> None:
    if name in names:
        return
    near = difflib.get_close_matches(name, names, n=3)
    hint = f"; did you mean {', '.join(near)}?" if near else ""
    raise BadInput([Defect("", f"{kind} {name}", "", f"not in the plan{hint}")])


def _problem(plan: Plan, facts: GraphFacts) -> Problem:
    catalog, register = plan.inputs.catalog, plan.inputs.sites
    roles = {role.id: role for role in (*catalog.roles, *register.roles)}
    return Problem(
        datasets=catalog.datasets,
        sites=register.sites,
        operators=register.operators,
        roles=tuple(roles.values()),
        eligibility=plan.eligibility,
        facts=facts,
        parameters=plan.parameters,
    )


class _Asking:
    """What-ifs around one dataset of a plan."""

    def __init__(self, plan: Plan, problem: Problem, dataset: str, placed: Placement) -> None:
        self._plan = plan
        self._problem = problem
        self._dataset = dataset
        groups = problem.facts.co_location
        together = next((set(group) for group in groups if dataset in group), {dataset})
        self._staying = tuple(
            FixedPair(dataset=other.dataset, site=at, allowed=True)
            for other in plan.placements
            if other.dataset not in together
            for at in other.sites
        )
        self._sites = placed.sites

    def price(self, site: str, *, decide_again: bool) -> WhyNot:
        """The extra cost of a replica at `site`, or what stands in the way."""
        alone = self._solve(site, self._staying)
        if alone.termination is Termination.WITHIN_GAP:
            return WhyNot(site=site, extra_eur_per_year=self._extra(alone))
        blocked = _in_the_way(alone.core)
        if not decide_again:
            return WhyNot(site=site, blocked_by=blocked)
        again = self._solve(site, ())
        if again.termination is Termination.INFEASIBLE:
            blocked = _in_the_way(again.core)
            return WhyNot(site=site, blocked_by=blocked, others_stay=False)
        extra = self._extra(again) if again.placements else None
        return WhyNot(site=site, blocked_by=blocked, others_stay=False, extra_eur_per_year=extra)

    def _solve(self, site: str, staying: tuple[FixedPair, ...]) -> Solution:
        required = FixedPair(dataset=self._dataset, site=site, allowed=True)
        return solve(self._problem.model_copy(update={"fixed": (required, *staying)}))

    def _extra(self, solution: Solution) -> Decimal:
        cost = Decimal(repr(solution.objective_eur or 0.0))
        return (cost - self._plan.objective_eur).quantize(CENT, rounding=ROUND_HALF_EVEN)


def _in_the_way(core: tuple[str, ...]) -> tuple[str, ...]:
    """The constraints of a core, without the questions themselves, unless nothing else is left."""
    asked = {"fixed", "assignment"}
    return tuple(name for name in core if name.split("[", 1)[0] not in asked) or core


def _violating(plan: Plan, site: str, verdict: Verdict) -> WhyNot:
    obligations = {obligation.code: obligation for obligation in plan.eligibility.obligations}
    return WhyNot(
        site=site,
        violations=tuple(
            SourcedViolation(obligation=obligations[v.obligation], message=v.message)
            for v in verdict.violations
        ),
    )


def _why(plan: Plan, problem: Problem, dataset: str, placed: Placement) -> Iterable[str]:
    number = plan.eligibility.datasets.index(dataset)
    row = plan.eligibility.verdicts[placed.profile]
    eligible = sum(verdict.eligible for verdict in row)
    yield f"the policies allow {eligible} of {len(row)} sites"
    costs = own_costs(problem, dataset)
    ranked = sorted(costs, key=lambda site: (costs[site], site))
    dearest = max(costs[site] for site in placed.sites)
    cheaper = [s for s in ranked if s not in placed.sites and costs[s] < dearest - 0.005]
    if not cheaper:
        yield "by itself it costs least here"
    else:
        listed = ", ".join(f"{s} (EUR {dearest - costs[s]:,.2f} less)" for s in cheaper[:3])
        more = f" and {len(cheaper) - 3} more" if len(cheaper) > 3 else ""
        yield f"by itself it would cost less at {listed}{more}; the plan as a whole costs less so"
        yield from _scarce(plan.prices, cheaper, plan)
    current = plan.inputs.catalog.datasets[number].current_sites
    if current:
        stays = set(current) <= set(placed.sites)
        yield "it stays where it is" if stays else f"it moves from {', '.join(current)}"
    for relation in (*problem.facts.co_location,):
        if dataset in relation:
            yield f"it rests together with {', '.join(m for m in relation if m != dataset)}"


def _scarce(prices: tuple[RowPrice, ...], sites: list[str], plan: Plan) -> Iterable[str]:
    """The constraints that others compete for at these sites."""
    operator = {site.id: site.operator for site in plan.inputs.sites.sites}
    rows = {f"capacity[{s}]" for s in sites}
    for family in ("concentration_volume", "concentration_critical"):
        rows |= {f"{family}[{operator[s]}]" for s in sites}
    rows |= {"exit_budget", "closed_stack", "moves"}
    for price in prices:
        if price.row in rows and price.price > 0:
            yield f"scarce: {constraint_sentence(price.row)}"


def _distinct(items: Iterable[_T]) -> tuple[_T, ...]:
    return tuple(dict.fromkeys(items))
