"""Looking at everything at once: the whole eligibility table, and plans that somebody brings."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from models import Catalog, Certificate, EligibilityReport, Plan, PolicyFiles, SiteRegister
from placement.eligibility import PolicyEngine, open_engine
from placement.eligibility.bundle import bundle_of
from placement.errors import PolicyEngineError, StoreError
from placement.reading import Reading, join
from placement.service.city import City
from placement.service.deciding import check_on, verify_on
from placement.store import Transaction
from placement.store.decisions import Decisions
from placement.store.documents import Documents
from placement.store.policies import Policies


def eligibility(city: City) -> EligibilityReport:
    """Which dataset of the catalogue may rest at which site, by the active policies.

    Raises
    ------
    PolicyEngineError
        When OPA does not answer, or holds no confirmed policies yet.
    """
    with city.store.reading() as tx:
        reading = city.snapshots.at_head(tx).reading()
        revision = _active(tx)
    return check_on(reading, city.engine(revision))


def verify(city: City, plan: Plan) -> Certificate:
    """The certificate of a plan, worked out again from the city's own records.

    A plan that was recorded is judged by what it was decided on: the stored inputs, and the stored
    policies, held by an OPA of its own. Any other plan is judged by the present records and the
    active policies.

    Raises
    ------
    BadInput
        When the plan's parameters do not fit the present records.
    PolicyEngineError, StoreError
    """
    with city.store.reading() as tx:
        recorded = Decisions(tx).of_plan(plan.digest)
        active = Policies(tx).active_revision()
        if recorded is None:
            now = city.snapshots.at_head(tx)
            reading = join(now.catalog, now.register, plan.parameters)
            files = None
        else:
            reading = _decided_on(tx, recorded.basis.catalog, recorded.basis.sites, plan)
            files = _files(tx, recorded.basis.policy_files)
    if recorded is None or files is None or recorded.basis.policies == active:
        if active is None:
            raise PolicyEngineError("no policies are active: OPA has not confirmed any yet")
        return verify_on(plan, reading, city.engine(active))
    with _holding(city, files) as engine:
        return verify_on(plan, reading, engine)


def _active(tx: Transaction) -> str:
    revision = Policies(tx).active_revision()
    if revision is None:
        raise PolicyEngineError("no policies are active: OPA has not confirmed any yet")
    return revision


def _decided_on(tx: Transaction, catalog: str, sites: str, plan: Plan) -> Reading:
    documents = Documents(tx)
    return join(
        documents.get(catalog, Catalog), documents.get(sites, SiteRegister), plan.parameters
    )


def _files(tx: Transaction, digest: str | None) -> PolicyFiles:
    if digest is None:
        raise StoreError("the decision does not say which files its policies were")
    return Documents(tx).get(digest, PolicyFiles)


@contextmanager
def _holding(city: City, files: PolicyFiles) -> Iterator[PolicyEngine]:
    """An OPA that holds these policies, until the block ends."""
    with tempfile.TemporaryDirectory(prefix="placement-verify-") as folder:
        root = Path(folder) / "policies"
        bundle_of(files).write(root)
        with open_engine(root, replace(city.settings, opa_url=None)) as engine:
            yield engine
