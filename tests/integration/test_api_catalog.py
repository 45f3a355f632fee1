"""The catalogue over HTTP, on both databases: records, versions, imports, and who sees what."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest

from models import (
    AccessRights,
    AuditAction,
    Catalog,
    CoLocated,
    Dataset,
    DerivedFrom,
    Parameters,
    SiteRegister,
    relation_id,
    sha256_of,
)
from placement.store.catalog import CatalogRecords
from placement.store.catalog_versions import catalog_defects
from placement.store.tables import AuditRow
from tests import builders
from tests.record_cases import asked_as, city_of

ODD = ("a/b", "urn:nl:soest:bomen", "a/../b", "a//b", "x" * 200, "0", "a/", "A.b-c:d/e")
"""Ids as a catalogue may have them."""
NEVER = ("..", ".", "%2e%2e", "bömen", "x" * 201, "a b", "🌳", "-a", "a?b", "a#b", "a\\b", "a%b")
"""What no record is called."""
JSON = {"content-type": "application/json"}


@pytest.fixture
def city(store, store_key):
    city = city_of(store, store_key)
    yield city
    city.recorder.close()


@pytest.fixture
def ask(city):
    with asked_as(city) as ask:
        yield ask


@pytest.fixture
def filled(ask):
    """A catalogue of three datasets in two departments."""
    answer = ask("office", "POST", "/v1/catalogs", json=native())
    assert answer.status_code == 201, answer.text
    return answer.json()


def native(**changes):
    datasets = (
        builders.dataset("trees", owner_department="Green", current_site="townhall"),
        builders.dataset("benches", owner_department="Green", access_rights=AccessRights.PUBLIC,
                         readers=()),
        builders.dataset("cameras", owner_department="Police", readers=(), volume_gb=7,
                         confidentiality=4),
    )  # fmt: skip
    relations = (
        DerivedFrom(derived="trees", source="cameras"),
        CoLocated(members=("trees", "benches")),
    )
    catalog = builders.catalog(*datasets, relations=relations, **changes)
    return {
        "catalog": catalog.model_dump(mode="json"),
        "sites": builders.register().model_dump(mode="json"),
    }


def body_of(model):
    return json.loads(model.model_dump_json())


def events(city):
    with city.store.reading() as tx:
        rows = tx.session.query(AuditRow).order_by(AuditRow.sequence)
        return [json.loads(row.body)["event"] for row in rows]


def put(ask, who, path, model, **headers):
    return ask(who, "PUT", path, json=body_of(model), headers=headers)


def tag_of(ask, path, who="office"):
    answer = ask(who, "GET", path)
    assert answer.status_code == 200, answer.text
    return answer.headers["etag"]


def problem(answer, status, code):
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    return answer.json()


# --- one record -----------------------------------------------------------------------------------


def test_a_catalogue_grows_record_by_record(ask, city):
    for path, model in (
        ("operators", builders.operator()),
        ("roles", builders.role()),
        ("sites", builders.site()),
        ("datasets", builders.dataset("trees")),
        ("datasets", builders.dataset("maps")),
    ):
        made = ask("office", "POST", f"/v1/{path}", json=body_of(model))
        assert made.status_code == 201, made.text
        assert made.headers["location"] == f"/v1/{path}/{model.id}"
        assert made.headers["etag"] == f'"{sha256_of(model)}"'
        assert type(model).model_validate(made.json()) == model
        again = ask("office", "GET", made.headers["location"])
        assert again.content == made.content
        assert again.headers["etag"] == made.headers["etag"]
    relation = DerivedFrom(derived="maps", source="trees", monthly_transfer_gb=Decimal("1.50"))
    made = ask("office", "POST", "/v1/relations", json=body_of(relation))
    assert made.json()["id"] == relation_id(relation)
    with city.store.reading() as tx:
        assert tx.city.catalog_version == 6
        assert list(catalog_defects(tx)) == []
        assert CatalogRecords(tx).as_catalog().relations == (relation,)


def test_an_id_may_hold_slashes_and_colons(ask, filled):
    for ident in ODD:
        _comes_and_goes(ask, ident)


def _comes_and_goes(ask, ident):
    where = f"/v1/datasets/{quote(ident, safe='')}"
    made = ask("office", "POST", "/v1/datasets", json=body_of(builders.dataset(ident)))
    assert made.status_code == 201, made.text
    read = ask("office", "GET", where)
    assert (read.status_code, read.json()["id"]) == (200, ident)
    assert ask("office", "GET", made.headers["location"]).json()["id"] == ident
    changed = builders.dataset(ident, title="New")
    kept = put(ask, "office", where, changed, **{"if-match": read.headers["etag"]})
    assert (kept.status_code, kept.json()["title"]) == (200, "New")
    gone = ask("office", "DELETE", where, headers={"if-match": kept.headers["etag"]})
    assert (gone.status_code, gone.content) == (204, b"")
    assert ask("office", "GET", where).status_code == 404


def test_what_is_no_id_is_no_record(ask, filled):
    for ident in NEVER:
        # Clients resolve dots before they send; this one does not see them.
        where = f"/v1/datasets/{quote(ident, safe='').replace('.', '%2E')}"
        problem(ask("office", "GET", where), 404, "not_found")
        wrong = {**body_of(builders.dataset()), "id": ident}
        answer = ask("office", "PUT", where, json=wrong, headers={"if-none-match": "*"})
        assert problem(answer, 422, "bad_input")["defects"][0]["field"] == "id"


def test_changes_need_the_version_they_are_meant_for(ask, filled):
    where = "/v1/datasets/trees"
    tag = tag_of(ask, where)
    changed = builders.dataset("trees", owner_department="Green", title="Boom")
    problem(put(ask, "office", where, changed), 428, "precondition_required")
    problem(ask("office", "DELETE", where), 428, "precondition_required")
    stale = {"if-match": f'"{"0" * 64}"'}
    problem(put(ask, "office", where, changed, **stale), 412, "precondition_failed")
    problem(ask("office", "DELETE", where, headers=stale), 412, "precondition_failed")
    problem(
        put(ask, "office", where, changed, **{"if-none-match": "*"}), 412, "precondition_failed"
    )
    kept = put(ask, "office", where, changed, **{"if-match": tag})
    assert kept.status_code == 200
    problem(put(ask, "office", where, changed, **{"if-match": tag}), 412, "precondition_failed")
    known = {"if-none-match": kept.headers["etag"]}
    assert ask("office", "GET", where, headers=known).status_code == 304
    problem(put(ask, "office", "/v1/datasets/none", builders.dataset("none"), **{"if-match": tag}),
            404, "not_found")  # fmt: skip
    other = put(ask, "office", where, builders.dataset("other"), **{"if-match": "*"})
    assert problem(other, 422, "bad_input")["defects"][0]["field"] == "id"


def test_a_change_that_changes_nothing_makes_no_version(ask, filled, city):
    tag = tag_of(ask, "/v1/sites/townhall")
    before = len(events(city))
    same = put(ask, "office", "/v1/sites/townhall", builders.site(), **{"if-match": tag})
    assert (same.status_code, same.headers["etag"]) == (200, tag)
    assert ask("office", "GET", "/v1/catalogs").json()["items"][0]["version"] == filled["version"]
    assert len(events(city)) == before


def test_every_change_is_recorded_with_its_digests(ask, filled, city):
    tag = tag_of(ask, "/v1/roles/registrar")
    role = builders.role(title="Clerk")
    put(ask, "office", "/v1/roles/registrar", role, **{"if-match": tag})
    event = events(city)[-1]
    version = ask("office", "GET", "/v1/catalogs").json()["items"][0]
    assert event["action"] == AuditAction.CATALOG_CHANGED
    assert (event["actor"], event["subject"]) == ("issuer office", "role/registrar")
    assert event["request_id"]
    assert event["detail"] == {
        "version": version["version"],
        "digest": version["digest"],
        "summary": "1 role changed",
        "changed": 1,
        "records": [{"kind": "role", "id": "registrar", "digest": sha256_of(role)}],
    }
    with city.store.reading() as tx:
        assert CatalogRecords(tx).load(version["version"]).roles["registrar"] == role
        earlier = CatalogRecords(tx).load(version["version"] - 1)
        assert earlier.roles["registrar"] == builders.role()


def test_a_post_with_a_key_acts_once(ask, filled, city):
    body = body_of(builders.dataset("lamps"))
    keyed = {"idempotency-key": "one"}
    first = ask("office", "POST", "/v1/datasets", json=body, headers=keyed)
    again = ask("office", "POST", "/v1/datasets", json=body, headers=keyed)
    assert (first.status_code, again.status_code) == (201, 201)
    assert (again.content, again.headers["etag"]) == (first.content, first.headers["etag"])
    assert again.headers["idempotent-replayed"] == "true"
    problem(ask("office", "POST", "/v1/datasets", json=body), 409, "conflict")


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("roles/registrar", ("dataset trees", "readers")),
        ("operators/city", ("site townhall", "operator")),
        ("sites/townhall", ("dataset trees", "current_site")),
        ("datasets/cameras", ("relation of trees, cameras", "source")),
        ("datasets/benches", ("relation of trees, benches", "members")),
    ],
)
def test_nothing_that_others_refer_to_is_removed(ask, filled, path, place):
    gone = ask("office", "DELETE", f"/v1/{path}", headers={"if-match": "*"})
    defects = problem(gone, 422, "bad_input")["defects"]
    assert place in {(defect["record"], defect["field"]) for defect in defects}
    assert ask("office", "GET", f"/v1/{path}").status_code == 200


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"readers": ("ghost",)}, "readers", "there is no role ghost"),
        ({"current_site": "mars"}, "current_site", "there is no site mars"),
        ({"contract": "none"}, "contract", "there is no contract none"),
        ({"writers": ("registrar", "registrar")}, "writers", "names registrar more than once"),
    ],
)
def test_a_dataset_refers_to_nothing_that_is_not_there(ask, filled, changes, field, message):
    model = builders.dataset("lamps", **changes)
    answer = ask("office", "POST", "/v1/datasets", json=body_of(model))
    (defect,) = problem(answer, 422, "bad_input")["defects"]
    assert defect == {"file": "body", "record": "dataset lamps", "field": field, "message": message}


def test_nothing_derives_from_itself(ask, filled):
    circle = DerivedFrom(derived="cameras", source="trees")
    answer = ask("office", "POST", "/v1/relations", json=body_of(circle))
    (defect,) = problem(answer, 422, "bad_input")["defects"]
    assert defect["message"].endswith(("trees -> cameras -> trees", "cameras -> trees -> cameras"))
    itself = DerivedFrom(derived="trees", source="trees")
    problem(ask("office", "POST", "/v1/relations", json=body_of(itself)), 422, "bad_input")
    twice = DerivedFrom(derived="trees", source="cameras", monthly_transfer_gb=Decimal(3))
    problem(ask("office", "POST", "/v1/relations", json=body_of(twice)), 422, "bad_input")


def test_co_located_datasets_keep_equal_replicas(ask, filled):
    more = builders.dataset("trees", owner_department="Green", replicas=2)
    answer = put(ask, "office", "/v1/datasets/trees", more, **{"if-match": "*"})
    (defect,) = problem(answer, 422, "bad_input")["defects"]
    assert "co-located datasets need equal replicas" in defect["message"]


def test_a_changed_relation_has_a_new_id(ask, filled):
    old = DerivedFrom(derived="trees", source="cameras")
    where = f"/v1/relations/{relation_id(old)}"
    new = old.model_copy(update={"monthly_transfer_gb": Decimal(4)})
    read = ask("office", "GET", where)
    changed = {**read.json(), "monthly_transfer_gb": "4"}
    kept = ask("office", "PUT", where, json=changed, headers={"if-match": read.headers["etag"]})
    assert kept.status_code == 200, kept.text
    assert kept.json()["id"] == relation_id(new)
    assert kept.headers["content-location"] == f"/v1/relations/{relation_id(new)}"
    assert ask("office", "GET", where).status_code == 404
    found = ask("office", "GET", "/v1/relations?dataset=cameras").json()["items"]
    assert [each["id"] for each in found] == [relation_id(new)]
    wrong = ask("office", "POST", "/v1/relations", json={**changed, "id": "rel-0"})
    assert problem(wrong, 422, "bad_input")["defects"][0]["field"] == "id"
    odd = ask("office", "POST", "/v1/relations", json={"kind": "derived_from", "derivd": "x"})
    fields = {defect["field"] for defect in problem(odd, 422, "bad_input")["defects"]}
    assert fields == {"derived", "source", "derivd"}
    for text in (b"[]", b'"x"', b"null", b"3", b'{"id": 3}', b'{"kind": "other"}'):
        answer = ask("office", "POST", "/v1/relations", content=text, headers=JSON)
        problem(answer, 422, "bad_input")


def test_roles_of_both_sides_are_one_list_and_stay_equal(ask, filled):
    body: dict[str, Any] = native()
    staff = builders.role("staff", department=None)
    body["sites"]["roles"] = [body_of(builders.role()), body_of(staff)]
    assert ask("office", "POST", "/v1/catalogs", json=body).status_code == 201
    listed = ask("office", "GET", "/v1/roles").json()["items"]
    assert [each["id"] for each in listed] == ["registrar", "staff"]
    role = builders.role(title="Clerk")
    assert put(ask, "office", "/v1/roles/registrar", role, **{"if-match": "*"}).status_code == 200
    snapshot = ask("office", "GET", "/v1/catalogs/current").json()
    assert snapshot["catalog"]["roles"][0]["title"] == "Clerk"
    assert snapshot["sites"]["roles"][0]["title"] == "Clerk"
    problem(ask("office", "POST", "/v1/roles", json=body_of(staff)), 409, "conflict")
    gone = ask("office", "DELETE", "/v1/roles/staff", headers={"if-match": "*"})
    assert gone.status_code == 204


# --- who sees what --------------------------------------------------------------------------------


def test_rows_are_filtered_in_lists_and_single_reads(ask, filled):
    def listed(who, path):
        return [each["id"] for each in ask(who, "GET", path).json()["items"]]

    assert listed("office", "/v1/datasets") == ["benches", "cameras", "trees"]
    assert listed("green", "/v1/datasets") == ["benches", "trees"]
    assert listed("reader", "/v1/datasets") == ["benches", "trees"]
    assert listed("nobody", "/v1/datasets") == []
    assert listed("green", "/v1/datasets?department=Police") == []
    assert listed("green", "/v1/datasets?q=camer") == []
    assert len(listed("office", "/v1/relations")) == 2
    assert listed("green", "/v1/relations") == [
        relation_id(CoLocated(members=("trees", "benches")))
    ]
    for who in ("green", "reader", "nobody"):
        problem(ask(who, "GET", "/v1/datasets/cameras"), 404, "not_found")
        hidden = relation_id(DerivedFrom(derived="trees", source="cameras"))
        problem(ask(who, "GET", f"/v1/relations/{hidden}"), 404, "not_found")
        problem(ask(who, "GET", "/v1/catalogs/current"), 403, "not_allowed")
        problem(ask(who, "POST", "/v1/catalogs", json=native()), 403, "not_allowed")
        assert "cameras" not in ask(who, "GET", "/v1/catalogs").text


def test_a_steward_keeps_records_of_the_own_department_alone(ask, filled):
    any_version = {"if-match": "*"}
    mine = builders.dataset("trees", owner_department="Green", title="Boom")
    assert put(ask, "green", "/v1/datasets/trees", mine, **any_version).status_code == 200
    for away in ("Police", None):
        moved = builders.dataset("trees", owner_department=away)
        answer = put(ask, "green", "/v1/datasets/trees", moved, **any_version)
        problem(answer, 403, "not_allowed")
        foreign = builders.dataset("new", owner_department=away)
        answer = ask("green", "POST", "/v1/datasets", json=body_of(foreign))
        problem(answer, 403, "not_allowed")
    taken = builders.dataset("cameras", owner_department="Green")
    problem(put(ask, "green", "/v1/datasets/cameras", taken, **any_version), 404, "not_found")
    stolen = put(ask, "green", "/v1/datasets/cameras", taken, **{"if-none-match": "*"})
    problem(stolen, 409, "conflict")
    problem(ask("green", "POST", "/v1/datasets", json=body_of(taken)), 409, "conflict")
    problem(ask("green", "DELETE", "/v1/datasets/cameras", headers=any_version), 404, "not_found")
    # Reading is not keeping: what one sees as a reader, or because it is public, stays others'.
    for path in ("trees", "benches"):
        answer = ask("reader", "DELETE", f"/v1/datasets/{path}", headers=any_version)
        problem(answer, 403, "not_allowed")
    assert ask("office", "GET", "/v1/datasets/cameras").json()["owner_department"] == "Police"


def test_a_steward_relates_own_datasets_alone_and_learns_of_no_others(ask, filled):
    touching = DerivedFrom(derived="benches", source="cameras")
    absent = DerivedFrom(derived="benches", source="nothing")
    answers = [
        problem(ask("green", "POST", "/v1/relations", json=body_of(each)), 422, "bad_input")
        for each in (touching, absent)
    ]
    texts = [answer["defects"][0]["message"] for answer in answers]
    assert texts == ["there is no dataset cameras", "there is no dataset nothing"]
    lonely = relation_id(DerivedFrom(derived="trees", source="cameras"))
    gone = ask("green", "DELETE", f"/v1/relations/{lonely}", headers={"if-match": "*"})
    problem(gone, 404, "not_found")
    gone = ask("green", "DELETE", "/v1/datasets/trees", headers={"if-match": "*"})
    assert "cameras" not in gone.text
    assert problem(gone, 422, "bad_input")["defects"]


# --- lists ----------------------------------------------------------------------------------------


def test_lists_filter_sort_and_page(ask, filled):
    def listed(query):
        answer = ask("office", "GET", f"/v1/datasets?{query}")
        assert answer.status_code == 200, answer.text
        return [each["id"] for each in answer.json()["items"]]

    assert listed("department=Green") == ["benches", "trees"]
    assert listed("confidentiality=very_high") == ["cameras"]
    assert listed("confidentiality=4") == ["cameras"]
    assert listed("access_rights=public") == ["benches"]
    assert listed("gdpr_category=personal&department=Police") == ["cameras"]
    assert listed("current_site=townhall") == ["trees"]
    assert listed("q=TREE") == ["trees"]
    assert listed("q=%25") == []
    assert listed("sort=-volume_gb") == ["trees", "benches", "cameras"]
    assert listed("sort=title") == ["benches", "cameras", "trees"]
    first = ask("office", "GET", "/v1/datasets?limit=2&sort=-title").json()
    assert [each["id"] for each in first["items"]] == ["trees", "cameras"]
    last = ask("office", "GET", f"/v1/datasets?limit=2&sort=-title&cursor={first['next']}").json()
    assert ([each["id"] for each in last["items"]], last["next"]) == (["benches"], None)
    for query in (
        "sort=body", "sort=volume", "cursor=x", "limit=0", "limit=1001", "unknown=1", "q=",
        "confidentiality=9", "gdpr_category=secret", "department=a&department=b",
        f"cursor={first['next']}", f"sort=-title&department=Green&cursor={first['next']}",
    ):  # fmt: skip
        problem(ask("office", "GET", f"/v1/datasets?{query}"), 400, "bad_request")
    cursor = first["next"]
    problem(ask("office", "GET", f"/v1/sites?sort=-title&cursor={cursor}"), 400, "bad_request")
    assert [each["id"] for each in ask("office", "GET", "/v1/sites?country=NL").json()["items"]]
    assert ask("office", "GET", "/v1/sites?operator=none").json() == {"items": [], "next": None}


# --- versions and imports -------------------------------------------------------------------------


def test_versions_are_listed_and_read_as_native_files(ask, filled, city):
    put(ask, "office", "/v1/sites/townhall", builders.site(title="Old"), **{"if-match": "*"})
    newest, oldest = ask("office", "GET", "/v1/catalogs").json()["items"]
    assert (newest["summary"], oldest["version"]) == ("1 site changed", 1)
    assert newest["changes"] == [
        {"kind": "site", "id": "townhall", "digest": sha256_of(builders.site(title="Old"))}
    ]
    first = ask("office", "GET", "/v1/catalogs?limit=1").json()
    second = ask("office", "GET", f"/v1/catalogs?limit=1&cursor={first['next']}").json()
    assert [first["items"][0], second["items"][0]] == [newest, oldest]
    now, then = (ask("office", "GET", f"/v1/catalogs/{which}") for which in ("current", "1"))
    assert now.headers["etag"] == f'"{newest["digest"]}"'
    assert now.content == ask("office", "GET", "/v1/catalogs/2").content
    assert SiteRegister.model_validate(now.json()["sites"]).sites[0].title == "Old"
    assert SiteRegister.model_validate(then.json()["sites"]) == builders.register()
    known = {"if-none-match": now.headers["etag"]}
    assert ask("office", "GET", "/v1/catalogs/current", headers=known).status_code == 304
    # What is read can be brought again, and changes nothing.
    again = {"catalog": now.json()["catalog"], "sites": now.json()["sites"]}
    answer = ask("office", "POST", "/v1/catalogs", json=again)
    assert (answer.status_code, answer.json()["summary"]) == (200, "")
    for which in ("3", "-1", "x", "99999999999", "1.0", "²"):
        problem(ask("office", "GET", f"/v1/catalogs/{quote(which)}"), 404, "not_found")


def test_the_empty_catalogue_can_be_read(ask):
    for which in ("current", "0"):
        snapshot = ask("office", "GET", f"/v1/catalogs/{which}").json()
        assert (snapshot["version"], snapshot["catalog"]["datasets"]) == (0, [])
    assert ask("office", "GET", "/v1/datasets").json() == {"items": [], "next": None}


def test_a_dry_run_tells_the_difference_and_changes_nothing(ask, filled, city):
    body = native()
    body["catalog"]["datasets"][0]["title"] = "Boom"
    body["catalog"]["datasets"].append(body_of(builders.dataset("lamps")))
    removed = body["catalog"]["relations"].pop()
    before = len(events(city))
    dry = ask("office", "POST", "/v1/catalogs?dry_run=true", json=body)
    assert dry.status_code == 200
    difference = dry.json()
    assert (difference["added"], difference["changed"], difference["removed"]) == (1, 1, 1)
    assert (difference["base"], difference["version"], difference["dry_run"]) == (1, 1, True)
    assert len(events(city)) == before
    assert ask("office", "GET", "/v1/datasets/lamps").status_code == 404
    done = ask("office", "POST", "/v1/catalogs", json=body)
    assert (done.status_code, done.headers["location"]) == (201, "/v1/catalogs/2")
    assert {**done.json(), "dry_run": True, "version": 1} == difference
    assert removed["kind"] == "co_located"
    assert events(city)[-1]["detail"]["summary"] == difference["summary"]


def test_half_an_import_leaves_the_other_half(ask, filled):
    sites = builders.register(builders.site(), builders.site("annex"))
    answer = ask("office", "POST", "/v1/catalogs", json={"sites": body_of(sites)})
    assert answer.json()["summary"] == "1 site added"
    less = {"catalog": {**native()["catalog"], "relations": []}}
    assert (
        ask("office", "POST", "/v1/catalogs", json=less).json()["summary"] == "2 relations removed"
    )
    elsewhere = builders.register(builders.site("annex"))
    answer = ask("office", "POST", "/v1/catalogs", json={"sites": body_of(elsewhere)})
    (defect,) = problem(answer, 422, "bad_input")["defects"]
    assert (defect["file"], defect["record"]) == ("catalog", "dataset trees")


def test_every_defect_of_an_import_has_its_place(ask):
    body = native()
    body["catalog"]["datasets"][0]["volume_gb"] = -1
    body["catalog"]["datasets"][1]["contract"] = "none"
    body["sites"]["sites"][0]["operator"] = "nobody"
    answer = ask("office", "POST", "/v1/catalogs", json=body)
    found = {
        (each["file"], each["record"], each["field"])
        for each in problem(answer, 422, "bad_input")["defects"]
    }
    assert found == {
        ("catalog", "dataset trees", "volume_gb"),
        ("catalog", "dataset benches", "contract"),
        ("sites", "site townhall", "operator"),
    }
    assert ask("office", "GET", "/v1/catalogs").json()["items"] == []


@pytest.mark.parametrize(
    "body", [{}, [], None, {"catalog": None}, {"files": {}}, {"catalog": []}, {"sites": 3},
             {"catalog": {"municipality": "x", "datasets": []}}, {"catalogue": {}}],
)  # fmt: skip
def test_what_is_no_import_is_refused(ask, body):
    sent = json.dumps(body).encode()
    answer = ask("office", "POST", "/v1/catalogs", content=sent, headers=JSON)
    problem(answer, 422, "bad_input")


TURTLE = b"""@prefix dcat: <http://www.w3.org/ns/dcat#> . @prefix dct: <http://purl.org/dc/terms/> .
<https://soest.example/c> a dcat:Catalog ; dct:title "Soest"@nl ;
  dct:publisher <https://soest.example/> ; dcat:dataset <https://soest.example/d/bomen> .
<https://soest.example/d/bomen> a dcat:Dataset ; dct:title "Bomen"@nl .
"""


def test_a_dcat_catalogue_is_brought_as_it_is(ask):
    for sent in (
        {"content": TURTLE, "headers": {"content-type": "text/turtle"}},
        {"json": {"files": {"catalog.ttl": TURTLE.decode()}}},
    ):
        answer = ask("office", "POST", "/v1/catalogs?format=dcat-ap&dry_run=true", **sent)
        assert answer.status_code == 200, answer.text
        assert "1 dataset added" in answer.json()["summary"]
    broken = ask("office", "POST", "/v1/catalogs?format=dcat-ap", content=b"@prefix",
                 headers={"content-type": "text/turtle"})  # fmt: skip
    assert problem(broken, 422, "bad_input")["defects"][0]["file"] == "catalog.ttl"


def test_a_foreign_folder_is_brought_as_files(ask, tmp_path):
    from tests.catalog_cases import City as Folder

    folder = Folder(tmp_path)
    folder.dataset("trees")
    files = {
        path.relative_to(tmp_path).as_posix(): path.read_text() for path in tmp_path.rglob("*.json")
    }
    answer = ask("office", "POST", "/v1/catalogs?format=amsterdam-schema", json={"files": files})
    assert answer.status_code == 201, answer.text
    assert ask("office", "GET", "/v1/datasets/trees").status_code == 200
    files["datasets/trees/dataset.json"] = "{"
    answer = ask("office", "POST", "/v1/catalogs?format=amsterdam-schema", json={"files": files})
    (defect, *_) = problem(answer, 422, "bad_input")["defects"]
    assert defect["file"] == "datasets/trees/dataset.json"
    assert "placement-import" not in answer.text


def test_ckan_packages_are_brought_and_lineage_is_added_to_them(ask):
    packages = {"success": True, "result": [{"name": "trees", "private": False}, {"name": "shade"}]}
    sent = {"files": {"answer.json": json.dumps(packages)}}
    assert ask("office", "POST", "/v1/catalogs?format=ckan", json=sent).status_code == 201
    read = ask("office", "GET", "/v1/datasets/trees").json()
    assert read["access_rights"] == "public"
    names = {name: [{"namespace": "pg", "name": name}] for name in ("trees", "shade")}
    event = {
        "eventType": "COMPLETE",
        "run": {"runId": "1"},
        "inputs": names["trees"],
        "outputs": names["shade"],
    }
    sent = {"files": {"events.jsonl": json.dumps(event)}}
    answer = ask("office", "POST", "/v1/catalogs?format=openlineage", json=sent)
    assert answer.status_code == 201, answer.text
    assert answer.json()["added"] == 1
    assert ask("office", "GET", "/v1/datasets/trees").json() == read
    again = ask("office", "POST", "/v1/catalogs?format=openlineage", json=sent)
    assert again.json()["added"] == 0
    back = event | {"inputs": names["shade"], "outputs": names["trees"]}
    sent = {"files": {"events.jsonl": json.dumps(back)}}
    answer = ask("office", "POST", "/v1/catalogs?format=openlineage", json=sent)
    (defect,) = problem(answer, 422, "bad_input")["defects"]
    assert defect["file"] == "events.jsonl"
    assert "circle: " in defect["message"]


@pytest.mark.parametrize("form", ["dcat-ap", "ckan", "openlineage"])
@pytest.mark.parametrize("text", ["[" * 50_000, "{", "\ufeff{}", "PK\x03\x04", "a: &a [*a]", ""])
def test_what_is_no_catalogue_of_its_form_is_refused_by_name(ask, form, text):
    for files in ({"file.json": text}, {"a.json": text, "b.json": text}):
        answer = ask("office", "POST", f"/v1/catalogs?format={form}", json={"files": files})
        assert problem(answer, 422, "bad_input")["defects"]
        assert "placement-import" not in answer.text


@pytest.mark.parametrize(
    "path", ["../x.json", "/etc/passwd", "a/../../b", "", ".", ".hidden", "a//b", "a\\b", "a\0b",
             "x" * 101, "a/" * 9 + "b", "~root", "a/.b", "C:x", "ä"],
)  # fmt: skip
def test_files_stay_in_their_folder(ask, path):
    sent = {"files": {path: "{}"}}
    answer = ask("office", "POST", "/v1/catalogs?format=amsterdam-schema", json=sent)
    assert answer.status_code in (400, 422), answer.text


def test_archives_and_forms_are_not_read(ask):
    for media_type in ("application/zip", "application/x-tar", "application/gzip", "text/csv",
                       "multipart/form-data; boundary=x", "text/turtle"):  # fmt: skip
        for form in ("native", "amsterdam-schema", "eu-cloud-prices"):
            answer = ask("office", "POST", f"/v1/catalogs?format={form}", content=b"PK\x03\x04",
                         headers={"content-type": media_type})  # fmt: skip
            problem(answer, 415, "media_type")
    both = {"files": {"a": "{}", "a/b": "{}"}}
    answer = ask("office", "POST", "/v1/catalogs?format=eu-cloud-prices", json=both)
    problem(answer, 422, "bad_input")
    problem(ask("office", "POST", "/v1/catalogs?format=zip", json=both), 400, "bad_request")


def test_parameters_are_kept_like_any_record(ask, city):
    read = ask("office", "GET", "/v1/parameters")
    assert Parameters.model_validate(read.json()) == Parameters()
    wanted = {"alternatives_min": 1}
    problem(ask("office", "PUT", "/v1/parameters", json=wanted), 428, "precondition_required")
    tag = {"if-match": read.headers["etag"]}
    kept = ask("office", "PUT", "/v1/parameters", json=wanted, headers=tag)
    assert kept.status_code == 200, kept.text
    assert ask("office", "GET", "/v1/parameters").headers["etag"] == kept.headers["etag"]
    stale = ask("office", "PUT", "/v1/parameters", json=wanted, headers=tag)
    problem(stale, 412, "precondition_failed")
    wrong = {"alternatives_min": -1, "gap": 2}
    answer = ask("office", "PUT", "/v1/parameters", json=wanted | wrong, headers={"if-match": "*"})
    fields = {each["field"] for each in problem(answer, 422, "bad_input")["defects"]}
    assert fields == {"alternatives_min", "gap"}
    assert events(city)[-1]["action"] == AuditAction.PARAMETERS_CHANGED
    assert city.snapshots.at_head().parameters == Parameters(alternatives_min=1)
    # An import of records leaves them alone.
    assert ask("office", "POST", "/v1/catalogs", json=native()).status_code == 201
    assert city.snapshots.at_head().parameters == Parameters(alternatives_min=1)


def test_the_example_city_is_brought_and_read_back(ask, city):
    from pathlib import Path

    import placement
    from placement.catalog import load_catalog, load_register

    folder = Path(placement.__file__).parent / "example"
    sent = {
        "catalog": json.loads((folder / "catalog.json").read_text()),
        "sites": json.loads((folder / "sites.json").read_text()),
    }
    assert ask("office", "POST", "/v1/catalogs", json=sent).status_code == 201
    snapshot = ask("office", "GET", "/v1/catalogs/current").json()
    catalog = Catalog.model_validate(snapshot["catalog"])
    native_catalog = load_catalog(folder / "catalog.json")
    assert {each.id: each for each in catalog.datasets} == {
        each.id: each for each in native_catalog.datasets
    }
    assert set(map(relation_id, catalog.relations)) == set(
        map(relation_id, native_catalog.relations)
    )
    register = SiteRegister.model_validate(snapshot["sites"])
    assert set(register.sites) == set(load_register(folder / "sites.json").sites)
    listed = ask("office", "GET", "/v1/datasets?limit=1000").json()["items"]
    assert [Dataset.model_validate(each) for each in listed] == list(catalog.datasets)
