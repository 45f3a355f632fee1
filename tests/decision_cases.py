"""A small city for tests of the decision lifecycle: real records, a real OPA, a real solver.

One OPA runs for the whole session and holds the shipped policies. What is stood in for is how the
service's OPA gets its policies, and whoever grants permissions.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from models import (
    Catalog,
    Certification,
    CityRole,
    CoLocated,
    DecisionRecord,
    DerivedFrom,
    Job,
    Parameters,
    PolicyFiles,
    Principal,
    PrincipalKind,
    RowFilter,
    Site,
    SiteRegister,
)
from placement.eligibility import PolicyEngine, open_engine
from placement.eligibility.bundle import bundle_of, read_policy_files
from placement.errors import NotAllowed, PolicyRevisionMismatch
from placement.keys import AuditKey
from placement.provision.sealing import Seal
from placement.service.approving import approve, prepare
from placement.service.city import Caller, City
from placement.service.decisions import enforce, provision
from placement.service.handlers import HANDLERS
from placement.service.preconditions import Precondition
from placement.service.proposing import DecisionRequest, request
from placement.service.snapshot import Snapshots
from placement.service.working import execute
from placement.settings import Settings, read_settings, shipped_policies
from placement.store import Store
from placement.store.catalog import CatalogRecords
from placement.store.decisions import Decisions
from placement.store.jobs import Jobs
from placement.store.policies import Policies
from placement.store.records import difference, records_of
from tests import builders

ANY = Precondition()
PARAMETERS = Parameters(
    alternatives_min=0,
    operator_volume_share_max=Decimal(1),
    operator_critical_share_max=Decimal(1),
    closed_stack_share_max=Decimal(1),
)


class Permitting:
    """Permissions that allow everything but looking at one's own work, and remember."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    def require(
        self, principal: Principal, operation: str, method: str, route: str, author: str | None
    ) -> None:
        self.asked.append((principal.subject, operation, method, route, author))
        if author == principal.subject:
            raise NotAllowed("whoever made it needs somebody else to do this")


class OneEngine:
    """The service's OPA, as far as the city asks it for an engine."""

    def __init__(self, engine: PolicyEngine) -> None:
        self._engine = engine

    def engine(self, revision: str) -> PolicyEngine:
        if revision != self._engine.revision:
            raise PolicyRevisionMismatch("OPA holds other policies")
        return self._engine


@pytest.fixture(scope="session")
def shipped_engine() -> Iterator[PolicyEngine]:
    """OPA with the shipped policies."""
    with open_engine(shipped_policies(), local_settings()) as engine:
        yield engine


@pytest.fixture
def make_city(make_store, store_key, shipped_engine):
    """Opens the test's city once more, as another replica would."""

    def make() -> City:
        return city_of(make_store(), store_key, shipped_engine)

    return make


@pytest.fixture
def city(make_city) -> City:
    """A city with records and active policies, that has decided nothing yet."""
    opened = make_city()
    with opened.store.writing() as tx:
        publish(tx, read_policy_files(shipped_policies()))
    keep(opened)
    return opened


def local_settings() -> Settings:
    return replace(read_settings(), opa_url=None)


def city_of(store: Store, key: AuditKey, engine: PolicyEngine) -> City:
    held: Any = {"opa": OneEngine(engine), "permissions": Permitting(), "recorder": None}
    return City(
        settings=local_settings(),
        store=store,
        audit_key=key,
        snapshots=Snapshots(store),
        seal=Seal(bytes(32)),
        **held,
    )


def publish(tx: Any, files: PolicyFiles) -> str:
    """Make policies the active ones; their revision."""
    policies = Policies(tx)
    revision = bundle_of(files).digest
    policies.publish(policies.keep_files(files), revision, "placement")
    policies.activate("opa")
    return revision


def catalog(**changes: Any) -> Catalog:
    """Five datasets of three departments: bound together, derived, and alone."""
    volumes = {"volume_gb": 1000, "monthly_egress_gb": Decimal(5)}
    datasets = (
        builders.dataset("bag", **volumes),
        builders.dataset("bag/maps:v1", owner_department="Green", current_site="townhall"),
        builders.dataset("secret-register", owner_department="Police", **volumes),
        builders.dataset("trees", owner_department="Green", current_site="archive", volume_gb=300),
        builders.dataset("zones", replicas=2, volume_gb=50),
    )
    relations = (
        DerivedFrom(
            derived="bag/maps:v1", source="secret-register", monthly_transfer_gb=Decimal(1)
        ),
        CoLocated(members=("bag", "secret-register"), reason="one case system"),
    )
    return builders.catalog(*datasets, relations=relations, **changes)


def certified(until: date = date(2999, 1, 1)) -> tuple[Certification, ...]:
    """What policies ask of every site, valid for as long as tests are run."""
    return (
        Certification(scheme="ISO27001", valid_until=until),
        Certification(scheme="C5", level="Type 2", valid_until=until),
    )


def sites(**hoster: Any) -> tuple[Site, ...]:
    """The city's two sites, and one of a company that is cheaper, changed in some fields."""
    company: dict[str, Any] = {
        "operator": "hoster",
        "certifications": certified(),
        "egress_price_eur_per_gb": Decimal("0.01"),
        "object_price_eur_per_gb_month": Decimal("0.01"),
    }
    return (
        builders.site(
            "archive",
            certifications=certified(),
            object_price_eur_per_gb_month=Decimal("0.03"),
        ),
        builders.site("hoster", **(company | hoster)),
        builders.site("townhall", certifications=certified()),
    )


def register(**hoster: Any) -> SiteRegister:
    """Those sites and their operators."""
    return builders.register(*sites(**hoster))


def keep(
    city: City,
    catalog_given: Catalog | None = None,
    register_given: SiteRegister | None = None,
    parameters: Parameters = PARAMETERS,
) -> None:
    """Make these the city's records; others are removed."""
    after = records_of(catalog_given or catalog(), register_given or register(), parameters)
    with city.store.writing() as tx:
        records = CatalogRecords(tx)
        records.apply(difference(records.load(), after), "office")


def caller(name: str, *roles: CityRole, rows: RowFilter | None = None) -> Caller:
    principal = Principal(subject=f"issuer {name}", kind=PrincipalKind.PERSON, roles=roles)
    return Caller(principal, rows or RowFilter(all=True), f"request-of-{name}")


OFFICE = caller("office", CityRole.DATA_MANAGEMENT_OFFICE)
BOARD = caller("board", CityRole.GOVERNANCE_BOARD)
MACHINE = caller("machine", CityRole.PROVISIONER)


def run(city: City, job: Job) -> Job:
    """Do a job; it must have ended."""
    execute(city, job.id, HANDLERS)
    return read_job(city, job.id)


def read_job(city: City, job: str) -> Job:
    with city.store.reading() as tx:
        return Jobs(tx).get(job)


def ask(city: City, **asked: Any) -> Job:
    """A committed request for a decision."""
    with city.store.writing() as tx:
        return request(tx, city, OFFICE, DecisionRequest(**asked))


def propose(city: City, **asked: Any) -> DecisionRecord:
    """A decision made by a job."""
    job = run(city, ask(city, **asked))
    assert job.result is not None, job.problem
    return read(city, int(job.result["decision"]))


def read(city: City, number: int) -> DecisionRecord:
    with city.store.reading() as tx:
        return Decisions(tx).get(number)


def approve_it(city: City, number: int, who: Caller = BOARD) -> DecisionRecord:
    """As the route does: checked first, then approved in a transaction."""
    ready = prepare(city, who, number)
    with city.store.writing() as tx:
        return approve(tx, who, number, ANY, ready)


def enforce_it(city: City, number: int) -> DecisionRecord:
    """Bring an approved decision into force."""
    with city.store.writing() as tx:
        provision(tx, MACHINE, number, ANY)
        return enforce(tx, MACHINE, number, ANY)


def in_force(city: City, **asked: Any) -> DecisionRecord:
    """A decision that went the whole way."""
    number = propose(city, **asked).number
    approve_it(city, number)
    return enforce_it(city, number)


def at_once(*actions: Any) -> list[Any]:
    """What each action answers with, or raises, all started together."""
    barrier = threading.Barrier(len(actions))
    outcomes: list[Any] = [None] * len(actions)

    def go(place: int, action: Any) -> None:
        barrier.wait()
        try:
            outcomes[place] = action()
        except Exception as error:  # noqa: BLE001  the outcome, whatever it is
            outcomes[place] = error

    threads = [
        threading.Thread(target=go, args=(place, action)) for place, action in enumerate(actions)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def write_policies(folder: Path, files: PolicyFiles) -> Path:
    """A policies' folder of stored files."""
    for name, content in files.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder
