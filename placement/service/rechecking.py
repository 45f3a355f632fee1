"""A stored plan checked again: by its own inputs, by its own day, and by today.

The certificate is computed once more, from the inputs in the plan and from what OPA says now. OPA
is asked in batches here. Single queries, the certificate's own way, were held against the batches
when the plan was decided; now they would keep whoever approves waiting.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from models import (
    Certificate,
    EligibilityTable,
    Plan,
    PolicyDataset,
    PolicyInput,
    PolicySite,
    Verdict,
    policy_dataset,
)
from placement.certificate import certify, verify_plan
from placement.certificate.verify import claims_in
from placement.eligibility import PolicyEngine
from placement.errors import CertificateError, PolicyEngineError
from placement.reading import Reading, join
from placement.service.deciding import evaluate

_OF_ITS_DAY = frozenset({"eligibility", "objective", "prices", "bound", "gap"})
"""Checks of a certificate that say how a plan was found, not whether it may be carried out."""


def require_certificate(plan: Plan, engine: PolicyEngine) -> None:
    """Judge a stored plan by its own inputs, its own day and the policies that OPA holds.

    Raises
    ------
    CertificateError
        With everything that does not hold.
    PolicyEngineError
    """
    said = _said(plan, engine, plan.parameters.as_of)
    proof = verify_plan(
        plan,
        plan.inputs.catalog,
        plan.inputs.sites,
        said.ask,
        said.ask_segregated,
        policies_digest=engine.revision,
    )
    failed = [check for check in proof.checks if not check.holds]
    if failed:
        raise CertificateError(
            "the stored plan does not hold and is not approved: "
            + "; ".join(f"{item.name}: {', '.join(item.failures[:3])}" for item in failed)
        )


def not_allowed_on(plan: Plan, engine: PolicyEngine, day: date) -> list[str]:
    """Which constraints the plan breaks, judged for another day than its own.

    Raises
    ------
    PolicyEngineError
    """
    said = _said(plan, engine, day)
    certified = certify(
        plan.inputs.catalog,
        plan.inputs.sites,
        said.read.parameters,
        claims_in(plan),
        said.ask,
        said.ask_segregated,
    )
    return [
        f"{check.name}: {failure}"
        for check in certified.certificate.checks
        if check.name not in _OF_ITS_DAY
        for failure in check.failures
    ]


def judged_by_itself(plan: Plan) -> Certificate:
    """A plan judged by the verdicts in it instead of by policies: whether its parts fit together.

    Parameters
    ----------
    plan
        One whose table has a verdict for each of its datasets at each of its sites.

    Raises
    ------
    BadInput
        When references in its inputs lead nowhere.
    """
    said = _Said(join(plan.inputs.catalog, plan.inputs.sites, plan.parameters), plan.eligibility)
    return verify_plan(
        plan,
        plan.inputs.catalog,
        plan.inputs.sites,
        said.ask,
        said.ask_segregated,
        policies_digest=plan.digests.policies,
    )


def _said(plan: Plan, engine: PolicyEngine, day: date | None) -> _Said:
    parameters = plan.parameters.model_copy(update={"as_of": day})
    read = join(plan.inputs.catalog, plan.inputs.sites, parameters)
    return _Said(read, evaluate(read, engine))


class _Said:
    """What the policies say of every pair, asked in batches, to be looked up."""

    def __init__(self, read: Reading, table: EligibilityTable) -> None:
        self.read = read
        self._table = table
        # Equal views share a profile, so that it does not matter which of them comes last.
        self._rows = dict(zip(_views(read), self._table.profile_of, strict=True))
        self._columns = {site: column for column, site in enumerate(self._table.sites)}

    def ask(self, question: PolicyInput) -> Verdict:
        """The verdict of one dataset at one site."""
        row = self._rows.get(question.dataset)
        if row is None or question.as_of != self._table.as_of:
            raise PolicyEngineError("the policies were not asked this question")
        return self._table.verdicts[row][self._columns[question.site.id]]

    def ask_segregated(
        self, site: PolicySite, duties: Sequence[str], as_of: date
    ) -> frozenset[tuple[str, str]]:
        """The pairs of these duties that must not meet at the site."""
        if as_of != self._table.as_of:
            raise PolicyEngineError("the policies were not asked this question")
        return frozenset(
            (pair.duty, pair.other)
            for pair in self._table.segregated_duties
            if pair.site == site.id and {pair.duty, pair.other} <= set(duties)
        )


def _views(read: Reading) -> list[PolicyDataset]:
    catalog = read.catalog
    roles = {role.id: role for role in (*catalog.roles, *read.register.roles)}
    contracts = {contract.id: contract for contract in catalog.contracts}
    return [
        policy_dataset(dataset, effective, roles, contracts)
        for dataset, effective in zip(catalog.datasets, read.facts.effective, strict=True)
    ]
