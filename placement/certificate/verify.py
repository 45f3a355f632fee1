"""A plan file judged: what it states, what it was made from, and whether it still holds.

| check                | what it compares                                                         |
|----------------------|--------------------------------------------------------------------------|
| digest               | the file's digest with the digest of everything else in it               |
| catalog, sites       | the inputs in the file, their digests, and the inputs given              |
| parameters           | their digest, and the parameters given, if any                           |
| policies_revision    | the policies' digest given with both places where the plan names it      |
| obligations          | texts and sources of obligations with those given, if any                |
| placements           | order, profiles and form of the placements                               |
| costs                | every cost, to the cent                                                  |
| proof                | price bound <= dual bound <= objective, the gap of both, the termination |
| certificate          | the certificate in the file with the one computed now                    |
| all those of certify | the plan itself, by the inputs and parameters given                      |

What rests on the digest alone, because nothing here can compute it again: `created_at`, `solver`
and `versions` (but for OPA's); the sentences of `effective[].reasons`; texts and sources of
`eligibility.obligations` where nobody gives the true ones; the order of prices and of segregated
duties; prices that prove the same bound to the cent; and a dual bound between the price bound and
the objective. The last is the solver's word: its branching and cuts leave no proof that can be
checked without a solver, so the plan states both bounds, and `certificate.price_gap` is the gap
that is proven without one. The digest is no signature: it shows that a file was edited since it
was written, not who wrote it: a file edited and digested again, in which all of the above still
holds to the cent, states a plan that is as valid as the one before.
"""

from __future__ import annotations

from collections.abc import Iterable

from models import (
    Catalog,
    Certificate,
    Check,
    Obligation,
    Parameters,
    Plan,
    SiteRegister,
    sha256_of,
)
from placement.certificate import stated
from placement.certificate.certify import certify
from placement.certificate.checks import check
from placement.certificate.claims import Claims
from placement.certificate.differences import differences
from placement.certificate.verdicts import Ask, AskSegregated


def plan_digest(plan: Plan) -> str:
    """SHA-256 of the canonical JSON of everything in a plan but its digest."""
    return sha256_of(plan.model_dump(exclude={"digest"}))


def verify_plan(
    plan: Plan,
    catalog: Catalog,
    register: SiteRegister,
    ask: Ask,
    ask_segregated: AskSegregated,
    *,
    policies_digest: str,
    parameters: Parameters | None = None,
    obligations: Iterable[Obligation] | None = None,
) -> Certificate:
    """Judge a plan file by the raw inputs and policies; every check is made.

    Parameters
    ----------
    catalog, register : Catalog, SiteRegister
        What the plan must be for; references have been checked.
    ask, ask_segregated
        Single queries to the raw policies.
    policies_digest : str
        SHA-256 over the policy bundle that `ask` answers from.
    parameters : Parameters, optional
        What the plan must have been decided with; without `as_of` the plan's day counts.
        Default: the plan's own, so that their choice is not judged.
    obligations : iterable of Obligation, optional
        Texts and sources as the policies state them now. Default: the plan's are not judged.

    Raises
    ------
    PolicyEngineError
        When a query is not answered.
    BadInput
        For a lineage cycle in the catalogue.
    """
    judged_by = _parameters(plan, parameters)
    claims = claims_in(plan)
    certified = certify(catalog, register, judged_by, claims, ask, ask_segregated)
    checks = (
        _digest(plan),
        _catalog(plan, catalog),
        _sites(plan, register),
        _parameters_check(plan, judged_by),
        _policies_revision(plan, policies_digest),
        _obligations(plan, obligations),
        stated.placements(plan, certified),
        stated.costs(plan, certified),
        stated.proof(plan, certified),
        stated.certificate(plan, certified),
        *certified.certificate.checks,
    )
    return certified.certificate.model_copy(update={"checks": checks})


def claims_in(plan: Plan) -> Claims:
    """What a plan file claims."""
    return Claims(
        placements=tuple((p.dataset, p.sites) for p in plan.placements),
        objective_eur=plan.objective_eur,
        dual_bound_eur=plan.dual_bound_eur,
        gap=plan.gap,
        prices=plan.prices,
        flow_prices=plan.flow_prices,
        separation_prices=plan.separation_prices,
        eligibility=plan.eligibility,
        effective=plan.effective,
    )


def _parameters(plan: Plan, given: Parameters | None) -> Parameters:
    if given is None:
        return plan.parameters
    if given.as_of is None:
        return given.model_copy(update={"as_of": plan.parameters.as_of})
    return given


def _digest(plan: Plan) -> Check:
    own = plan_digest(plan)
    failures = _digest_failures("the file was changed: digest", plan.digest, own)
    return check("digest", 1, failures)


def _digest_failures(name: str, stated_digest: str, own: str) -> list[str]:
    return [] if stated_digest == own else [f"{name} is stated {stated_digest}, it is {own}"]


def _catalog(plan: Plan, catalog: Catalog) -> Check:
    failures = [*differences("catalogue", plan.inputs.catalog, catalog)]
    if plan.municipality != catalog.municipality:
        failures.append(f"the plan is for {plan.municipality}, not for {catalog.municipality}")
    failures += _digest_failures("digests.catalog", plan.digests.catalog, sha256_of(catalog))
    return check("catalog", len(catalog.datasets), failures)


def _sites(plan: Plan, register: SiteRegister) -> Check:
    failures = [*differences("sites", plan.inputs.sites, register)]
    failures += _digest_failures("digests.sites", plan.digests.sites, sha256_of(register))
    return check("sites", len(register.sites), failures)


def _parameters_check(plan: Plan, judged_by: Parameters) -> Check:
    """Time limits say nothing of a plan that was found within them."""
    same_time = judged_by.model_copy(update={"time_limit_s": plan.parameters.time_limit_s})
    failures = [*differences("parameters", plan.parameters, same_time)]
    own = sha256_of(plan.parameters)
    failures += _digest_failures("digests.parameters", plan.digests.parameters, own)
    return check("parameters", len(Parameters.model_fields), failures)


def _policies_revision(plan: Plan, policies_digest: str) -> Check:
    """Other policies may judge otherwise: a plan is verified against those it was made with."""
    revision = plan.eligibility.policy_revision
    failures = _digest_failures("digests.policies", plan.digests.policies, policies_digest)
    failures += _digest_failures("eligibility.policy_revision", revision, policies_digest)
    if plan.versions.opa != plan.eligibility.opa_version:
        failures.append(
            f"versions.opa is {plan.versions.opa}, the table was made by"
            f" {plan.eligibility.opa_version}"
        )
    return check("policies_revision", 3, failures)


def _obligations(plan: Plan, given: Iterable[Obligation] | None) -> Check:
    """Verdicts are compared by `eligibility`; this is what the plan tells people about them."""
    if given is None:
        return check("obligations", 0, ())
    true = {obligation.code: obligation for obligation in given}
    stated_ones = plan.eligibility.obligations
    failures = [
        f"{o.code}: text, severity or sources are not those of the policies"
        for o in stated_ones
        if o != true.get(o.code)
    ]
    return check("obligations", len(stated_ones), failures)
