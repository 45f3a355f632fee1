"""Catalogue records for tests: small random ones, and a city whose routes can be asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from hypothesis import strategies as st
from litestar.testing import TestClient

from api.app import assemble
from api.routes import (
    catalogs,
    checks,
    contracts,
    datasets,
    operators,
    parameters,
    relations,
    roles,
    sites,
)
from models import (
    About,
    AccessRights,
    CityRole,
    CollectionContract,
    CollectorKind,
    CoLocated,
    Cumulated,
    DerivedFrom,
    EligibilityTable,
    GdprCategory,
    Level,
    Obligation,
    Parameters,
    Permission,
    Principal,
    PrincipalKind,
    RecordKind,
    RowFilter,
    Separated,
    Severity,
    Source,
    relation_id,
)
from placement.catalog.records import catalog_defects, register_defects
from placement.catalog.references import check_references
from placement.eligibility.bundle import bundle_of, read_policy_files
from placement.errors import BadInput, Defect, PolicyEngineError, PolicyRevisionMismatch
from placement.graph import derive_facts
from placement.provision.sealing import Seal
from placement.service.city import Caller, City
from placement.service.snapshot import Snapshots
from placement.settings import read_settings, shipped_policies
from placement.store.policies import Policies
from placement.store.recorder import Recorder
from placement.store.records import Records
from tests import builders

NAMES = ("a", "b/1", "c:d", "e")
"""Few, so that records often meet; with all that an id may hold."""
DEPARTMENTS = ("Green", "Police", None)

_some = st.lists(st.sampled_from(NAMES), max_size=3).map(tuple)
_one = st.sampled_from(NAMES)
_maybe = st.none() | _one
_members = st.lists(_one, min_size=2, max_size=3, unique=True).map(tuple)


def _datasets(ident):
    return st.builds(
        builders.dataset,
        st.just(ident),
        title=st.sampled_from(["Trees", "trees", "Ä 100%_x", "Zebra\\"]),
        owner_department=st.sampled_from(DEPARTMENTS),
        confidentiality=st.sampled_from([None, *Level]),
        gdpr_category=st.sampled_from([None, *GdprCategory]),
        access_rights=st.sampled_from([None, *AccessRights]),
        readers=_some,
        writers=st.just(()),
        administrators=st.just(()) | _some,
        contract=_maybe,
        collected_by=st.just(CollectorKind.CONTRACTOR),
        current_site=_maybe,
        replicas=st.sampled_from([1, 1, 1, 2]),
        volume_gb=st.sampled_from([0, 5, 10**12]),
    )


def _roles(ident):
    return st.builds(builders.role, st.just(ident), workplace_sites=st.just(()) | _some, title=_one)


_relations = st.one_of(
    st.builds(DerivedFrom, derived=_one, source=_one, monthly_transfer_gb=st.sampled_from([0, 7])),
    st.builds(CoLocated, members=_members),
    st.builds(Separated, members=_members),
    st.builds(Cumulated, members=_members),
)
_BUILDERS = {
    RecordKind.DATASET: _datasets,
    RecordKind.ROLE: _roles,
    RecordKind.SITE_ROLE: _roles,
    RecordKind.CONTRACT: lambda ident: st.builds(
        CollectionContract, id=st.just(ident), contractor=st.sampled_from(["X", "Y"])
    ),
    RecordKind.OPERATOR: lambda ident: st.builds(builders.operator, st.just(ident)),
    RecordKind.SITE: lambda ident: st.builds(
        builders.site,
        st.just(ident),
        operator=_one,
        administrators=_some,
        serves_roles=st.just(("*",)) | _some,
    ),
}


@st.composite
def _change(draw):
    kind = draw(st.sampled_from([*_BUILDERS, RecordKind.RELATION, RecordKind.PARAMETERS]))
    if kind is RecordKind.RELATION:
        relation = draw(_relations)
        return (kind, relation_id(relation)), draw(st.sampled_from([relation, relation, None]))
    if kind is RecordKind.PARAMETERS:
        return (kind, "parameters"), Parameters(cumulation_datasets_min=draw(st.integers(1, 3)))
    ident = draw(_one)
    return (kind, ident), draw(st.none() | _BUILDERS[kind](ident) | _BUILDERS[kind](ident))


CHANGES = st.lists(_change(), min_size=1, max_size=4).map(dict)
"""A few records put or removed at once; half of the time something does not fit."""
HISTORIES = st.lists(CHANGES, min_size=1, max_size=12)
ROWS = st.builds(
    RowFilter,
    all=st.sampled_from([False, False, False, True]),
    departments=st.lists(st.sampled_from(["Green", "Police"]), max_size=2).map(tuple),
    reader_roles=_some,
    public=st.booleans(),
)

BASIS = Records(
    operators={name: builders.operator(name) for name in NAMES},
    roles={name: builders.role(name) for name in NAMES},
    sites={name: builders.site(name, operator=name, administrators=()) for name in NAMES},
    contracts={name: CollectionContract(id=name, contractor="Z") for name in NAMES},
    single_city={"city": About(municipality="Testburg")},
)
"""Something to refer to."""


def whole_defects(records: Records) -> list[Defect]:
    """The verdict of the readers of files on all records at once, but for emptiness."""
    catalog, register = records.as_catalog(), records.as_register()
    # Files may not be without datasets or sites; a catalogue that begins is.
    listed = catalog.model_dump(mode="json")
    listed["datasets"].append(builders.dataset("filler").model_dump(mode="json"))
    sited = register.model_dump(mode="json")
    sited["sites"].append(builders.site("filler", operator="filler").model_dump(mode="json"))
    sited["operators"].append(builders.operator("filler").model_dump(mode="json"))
    found = [*catalog_defects(listed, "catalog"), *register_defects(sited, "sites")]
    try:
        check_references(catalog, register, catalog_file="", register_file="")
    except BadInput as error:
        found += error.defects
    if not found:
        try:
            derive_facts(catalog, records.parameters)
        except BadInput as error:
            found += error.defects
    return found


def caller(name: str = "office", rows: RowFilter | None = None) -> Caller:
    principal = Principal(
        subject=f"issuer {name}",
        kind=PrincipalKind.PERSON,
        roles=(CityRole.DATA_MANAGEMENT_OFFICE,),
    )
    return Caller(principal, rows or RowFilter(all=True), f"request-of-{name}")


OFFICE = caller()
GREEN = caller("green", RowFilter(departments=("Green",)))
READER = caller("reader", RowFilter(reader_roles=("registrar",), public=True))
NOBODY = caller("nobody", RowFilter())
CALLERS: Mapping[str, Caller] = {
    each.subject.removeprefix("issuer "): each for each in (OFFICE, GREEN, READER, NOBODY)
}


class StubTokens:
    """Accepts the names of CALLERS as tokens."""

    def recognise(self, token: str) -> Principal | None:
        return CALLERS[token].principal if token in CALLERS else None


class StubPermissions:
    """Allows everything, on the rows of each caller."""

    async def ask(self, question: Any) -> Permission:
        name = question.principal.subject.removeprefix("issuer ")
        return Permission(allow=True, reason="a test", rows=CALLERS[name].rows)


class StubEngine:
    """OPA for whom every site but "townhall" is forbidden; counts its questions."""

    def __init__(self) -> None:
        self.asked = 0
        self.broken = False
        self.holds: str | None = None

    def engine(self, revision: str) -> StubEngine:
        self.revision = revision
        return self

    def evaluate(self, pairs: Any, where: Any, as_of: Any) -> EligibilityTable:
        if self.holds not in (None, self.revision):
            raise PolicyRevisionMismatch("OPA holds other policies")
        if self.broken:
            raise PolicyEngineError("OPA is away")
        self.asked += 1
        ((name, _),) = pairs
        eligible = [site.id == "townhall" for site in where]
        return EligibilityTable(
            datasets=(name,),
            sites=tuple(site.id for site in where),
            profile_of=(0,),
            verdicts=(
                tuple(builders.ELIGIBLE if each else builders.INELIGIBLE for each in eligible),
            ),
            obligations=() if all(eligible) else (TEST_OBLIGATION,),
            policy_revision=self.revision,
            opa_version="test",
            as_of=as_of,
        )


TEST_OBLIGATION = Obligation(
    code="residency.test",
    text="Data stays at the town hall",
    severity=Severity.MANDATORY,
    sources=(Source(description="a test", ref="https://law.example"),),
)


def city_of(store: Any, key: Any, engine: StubEngine | None = None) -> City:
    """A city with a real store; OPA, tokens and permissions are stood in for."""
    held: Any = {
        "opa": engine or StubEngine(),
        "permissions": StubPermissions(),
        "tokens": StubTokens(),
    }
    return City(
        settings=read_settings({}),
        store=store,
        recorder=Recorder(store),
        audit_key=key,
        snapshots=Snapshots(store),
        seal=Seal(bytes(32)),
        **held,
    )


def publish(city: City, comment: str = "") -> str:
    """Make the shipped policies, with a comment more, the active ones; their revision."""
    files = read_policy_files(shipped_policies())
    changed = {
        **files.files,
        "residency/residency.rego": files.files["residency/residency.rego"] + comment,
    }
    files = files.model_copy(update={"files": changed})
    with city.store.writing() as tx:
        policies = Policies(tx)
        revision = bundle_of(files).digest
        policies.publish(policies.keep_files(files), revision, "placement")
        policies.activate("opa")
    return revision


@contextmanager
def asked_as(city: City) -> Iterator[Any]:
    """A client of the catalogue's routes: `ask("office", "GET", "/v1/sites")`."""
    modules = (
        catalogs, checks, contracts, datasets, operators, parameters, relations, roles, sites,
    )  # fmt: skip
    app = assemble(city, [route for module in modules for route in module.routes])
    with TestClient(app, raise_server_exceptions=False) as client:

        def ask(who: str, method: str, path: str, **more: Any) -> Any:
            headers = {"authorization": f"Bearer {who}", **more.pop("headers", {})}
            return client.request(method, path, headers=headers, **more)

        yield ask
