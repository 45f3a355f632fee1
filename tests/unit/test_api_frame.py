"""What all routes share: targets, bodies, versions, pages, problem documents, headers."""

from __future__ import annotations

import logging

import pytest
from litestar.testing import TestClient

from api.paging import Cursors
from models import canonical_json
from placement.keys import audit_key
from tests import api_cases, builders

JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    return audit_key(tmp_path_factory.mktemp("keys") / "audit.pem")


@pytest.fixture(scope="module")
def client(key):
    with TestClient(api_cases.application(key), raise_server_exceptions=False) as running:
        yield running


def problem(response, status, code):
    """The problem document of an answer, checked."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    assert document["type"] == f"urn:placement:problem:{code}"
    assert (document["status"], document["code"]) == (status, code)
    assert document["instance"] == response.headers["x-request-id"]
    assert document["title"]
    assert document["detail"]
    return document


# -- targets -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/things/a/name", "a"),
        ("/things/a%2Fb%2Fname/name", "a/b/name"),
        ("/things/%25%32%46/name", "%2F"),
        ("/things/a%3Ab.c-d_e/name", "a:b.c-d_e"),
        ("/things/caf%C3%A9/name", "café"),
        ("/things/%2e%2e/name", ".."),
        ("/things/%3Fx%3D1/name", "?x=1"),
    ],
)
def test_path_parameters_are_what_the_client_meant(client, path, name):
    assert client.get(path).json() == {"id": name}


def test_ids_with_slashes_reach_no_other_route(client):
    assert client.get("/things/a%2Fname").status_code == 405
    assert client.get("/things%2Fa%2Fname").status_code == 404


@pytest.mark.parametrize(
    "target",
    [
        "/things/%ff/name",
        "/things/%00/name",
        "/things/a%0Ab/name",
        "/things/%/name",
        "/things/%zz/x",
        "/things?sort=%ff",
        "/things?sort=%00",
        "/things?%ff=1",
        "/things?sort=%1",
        "/nothing%c0%af",
        "/things/" + "a" * 9000,
        "/things?sort=" + "a" * 9000,
    ],
)
def test_targets_that_are_not_clean_utf8_are_refused(client, target):
    problem(client.get(target), 400, "bad_request")


@pytest.mark.parametrize("number", ["2147483648", "9" * 30, "9" * 5000, "-1", "1.0", "x", "%D9%A1"])
def test_numbers_that_no_database_holds_are_not_found(client, number):
    assert client.get(f"/numbers/{number}").status_code == 404
    assert client.get("/numbers/2147483647").status_code == 200


@pytest.mark.parametrize(
    ("query", "field", "words"),
    [
        ("limti=5", "limti", "is not a parameter"),
        ("limit=5&limit=6", "limit", "more than once"),
        ("limit=0", "limit", ">= 1"),
        ("limit=1001", "limit", "<= 1000"),
        ("limit=many", "limit", "int"),
        ("=1", "", "is not a parameter"),
        ("city=1", "city", "is not a parameter"),
    ],
)
def test_parameters_that_are_not_documented_are_refused(client, query, field, words):
    document = problem(client.get(f"/things?{query}"), 400, "bad_request")
    (defect,) = document["defects"]
    assert (defect["file"], defect["field"]) == ("query", field)
    assert words in defect["message"]


def test_an_unknown_path_and_method_are_problems_too(client):
    problem(client.get("/nothing"), 404, "no_such_route")
    refused = client.patch("/things/known")
    problem(refused, 405, "method_not_allowed")
    assert set(refused.headers["allow"].split(", ")) >= {"PUT", "DELETE"}


# -- bodies --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "is not JSON"),
        (b'{"text": "\xff"}', "is not UTF-8: byte 11"),
        (b'{"text": NaN}', "NaN is not a number"),
        (b'{"text": Infinity}', "Infinity is not a number"),
        (b'{"text": "a", "text": "b"}', "appears more than once"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested too deeply"),
        (b'{"text": %s}' % (b"9" * 100_000), "out of range"),
        (b'{"text": 1e999999999}', "out of range"),
        (b'"\\ud800"', "surrogate"),
        (b'{"text": "\\u0000"}', "control character"),
        (b'\xef\xbb\xbf{"text": "a"}', "byte order mark"),
        (b'{"text": "a"}{}', "Extra data"),
        ('{"text": "a"}'.encode("utf-16"), "byte order mark"),
    ],
)
def test_bodies_that_are_not_strict_json_are_refused_with_the_place(client, body, words):
    document = problem(client.post("/notes", content=body, headers=JSON), 400, "unreadable_body")
    assert any(words in defect["message"] for defect in document["defects"]), document


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        (b"{}", "text", "is missing"),
        (b'{"text": "a", "txt": 1}', "txt", "did you mean text?"),
        (b'{"text": 1}', "text", "a text is expected"),
        (b'{"text": "a", "urgent": 1}', "urgent", "true or false is expected"),
        (b"[]", "", "an object is expected"),
        (b"null", "", "an object is expected"),
    ],
)
def test_wrong_contents_are_told_with_their_places(client, body, field, words):
    document = problem(client.post("/notes", content=body, headers=JSON), 422, "bad_input")
    (defect,) = document["defects"]
    assert (defect["file"], defect["field"]) == ("body", field)
    assert words in defect["message"]


def test_all_defects_are_counted_and_a_hundred_shown(client):
    body = {f"unknown_{number}": number for number in range(500)}
    document = problem(client.post("/notes", json=body), 422, "bad_input")
    assert (len(document["defects"]), document["defects_total"]) == (100, 501)


def test_a_missing_body_is_named(client):
    document = problem(client.post("/notes", headers=JSON), 400, "bad_request")
    assert document["defects"][0] == {
        "file": "body",
        "record": "",
        "field": "",
        "message": "is missing",
    }


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": "text/plain"},
        {"content-type": "application/json; charset=latin-1"},
        {"content-type": "application/jsonx"},
        {"content-type": "multipart/form-data; boundary=x"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "application/json", "content-encoding": "gzip"},
    ],
)
def test_other_media_types_are_refused(client, headers):
    problem(client.post("/notes", content=b'{"text": "a"}', headers=headers), 415, "media_type")


@pytest.mark.parametrize("media_type", ["application/json", "Application/JSON; charset=UTF-8"])
def test_json_in_utf8_is_read(client, media_type):
    answer = client.post(
        "/sites",
        content=canonical_json(builders.site()),
        headers={"content-type": media_type},
    )
    assert answer.status_code == 201
    assert answer.json()["id"] == builders.site().id


def test_whole_models_come_back_as_they_were(client):
    sent = builders.dataset()
    answer = client.post("/datasets", content=canonical_json(sent), headers=JSON)
    assert type(sent).model_validate_json(answer.content) == sent


def test_long_bodies_are_refused_with_and_without_a_length(client):
    def drip():
        for _ in range(40):
            yield b" " * 2**15

    problem(client.post("/notes", content=b" " * (2**20 + 1), headers=JSON), 413, "body_too_large")
    problem(client.post("/notes", content=drip(), headers=JSON), 413, "body_too_large")
    assert client.post("/v1/catalogs", content=drip(), headers=JSON).json() == {
        "id": str(40 * 2**15)
    }


# -- versions ------------------------------------------------------------------------------------


@pytest.mark.parametrize("tags", ['"v1"', '"v0", "v1"', 'W/"v1"', "*", '"v0",,"v1"'])
def test_who_has_the_version_gets_no_body(client, tags):
    answer = client.get("/things/a/name", headers={"if-none-match": tags})
    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["etag"] == '"v1"'


def test_who_has_another_version_gets_the_content(client):
    answer = client.get("/things/a/name", headers={"if-none-match": '"v0", W/"v2", "*"'})
    assert (answer.status_code, answer.headers["etag"]) == (200, '"v1"')


@pytest.mark.parametrize(
    ("thing", "headers", "status", "code"),
    [
        ("known", {}, 428, "precondition_required"),
        ("known", {"if-match": '"v0"'}, 412, "precondition_failed"),
        ("known", {"if-match": 'W/"v1"'}, 412, "precondition_failed"),
        ("known", {"if-none-match": "*"}, 412, "precondition_failed"),
        ("new", {"if-match": "*"}, 412, "precondition_failed"),
        ("known", {"if-match": "v1"}, 400, "bad_request"),
        ("known", {"if-match": '"v1" "v2"'}, 400, "bad_request"),
        ("known", {"if-match": '"v1'}, 400, "bad_request"),
        ("known", {"if-match": '*, "v1"'}, 400, "bad_request"),
        ("known", {"if-match": '"a",' * 3000}, 400, "bad_request"),
    ],
)
def test_changes_need_the_current_version(client, thing, headers, status, code):
    answer = client.put(f"/things/{thing}", json={"text": "a"}, headers=headers)
    problem(answer, status, code)
    problem(client.delete(f"/things/{thing}", headers=headers), status, code)


@pytest.mark.parametrize(
    ("thing", "headers"),
    [
        ("known", {"if-match": '"v1"'}),
        ("known", {"if-match": '"v0", "v1"'}),
        ("known", {"if-match": "*"}),
        ("new", {"if-none-match": "*"}),
    ],
)
def test_changes_to_the_current_version_pass(client, thing, headers):
    assert client.put(f"/things/{thing}", json={"text": "a"}, headers=headers).status_code == 200


@pytest.mark.parametrize("sent", ["", "a b", "é".encode(), "a" * 201, "a\tb"])
def test_idempotency_keys_are_visible_ascii(client, sent):
    answer = client.post("/notes", json={"text": "a"}, headers={"idempotency-key": sent})
    problem(answer, 400, "bad_request")


# -- pages ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("sort", "limit"), [("id", 10), ("-id", 10), ("id", 1), ("-id", 25)])
def test_pages_together_are_the_list(client, sort, limit):
    seen, cursor = [], None
    while True:
        parameters = {"sort": sort, "limit": limit, **({"cursor": cursor} if cursor else {})}
        answer = client.get("/things", params=parameters).json()
        assert len(answer["items"]) <= limit
        seen += [item["id"] for item in answer["items"]]
        cursor = answer["next"]
        if cursor is None:
            break
    assert seen == sorted((t.id for t in api_cases.THINGS), reverse=sort == "-id")


def test_a_cursor_belongs_to_its_order_filters_and_deployment(client, key, tmp_path):
    cursor = client.get("/things?limit=5").json()["next"]
    assert client.get("/things", params={"cursor": cursor, "limit": 7}).status_code == 200
    for other in ({"sort": "-id"}, {"department": "Civil affairs"}):
        problem(client.get("/things", params={"cursor": cursor, **other}), 400, "bad_request")
    foreign = Cursors(audit_key(tmp_path / "audit.pem")).make("id", {}, ["t05"])
    problem(client.get("/things", params={"cursor": foreign}), 400, "bad_request")
    assert Cursors(key).read(cursor, "id", {"department": None}) == ("t04",)


@pytest.mark.parametrize("cursor", ["x", "====", "eyJ", "a" * 1999, "é", "%F0%9F%98%80", "-_-_"])
def test_what_is_no_cursor_is_refused(client, cursor):
    problem(client.get(f"/things?cursor={cursor}"), 400, "bad_request")


def test_every_changed_character_of_a_cursor_is_found(client):
    cursor = client.get("/things?limit=5").json()["next"]
    for at in range(len(cursor) - 1):
        changed = cursor[:at] + ("A" if cursor[at] != "A" else "B") + cursor[at + 1 :]
        problem(client.get("/things", params={"cursor": changed}), 400, "bad_request")


def test_sorting_by_anything_else_is_refused(client):
    problem(client.get("/things?sort=secret"), 400, "bad_request")
    problem(client.get("/things?sort=--id"), 400, "bad_request")


# -- what is told, and what not ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("store", 503, "store"),
        ("opa", 503, "policy_engine"),
        ("bug", 500, "internal"),
        ("ours", 500, "internal"),
    ],
)
def test_causes_stand_in_the_log_alone(client, caplog, fault, status, code):
    answer = client.get(f"/faults/{fault}", headers={"x-request-id": "find-me-42"})
    problem(answer, status, code)
    assert "password" not in answer.text
    assert answer.headers.get("retry-after") == ("1" if status == 503 else None)
    logged = [record for record in caplog.records if record.name == "placement.api"]
    assert any("find-me-42" in record.getMessage() for record in logged)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("abc-1_2.3", True), ("a" * 64, True), ("a" * 65, False), ("a b", False), ("", False)],
)
def test_request_ids_are_taken_over_when_they_are_plain(client, sent, kept):
    answer = client.get("/things", headers={"x-request-id": sent})
    assert (answer.headers["x-request-id"] == sent) is kept
    assert len(answer.headers["x-request-id"]) >= 9


@pytest.mark.parametrize("path", ["/things", "/nothing", "/things/%ff/name", "/faults/bug"])
def test_every_answer_has_the_safe_headers(client, path):
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "private, no-cache"
    assert "server" not in headers
    assert not any(name.startswith("access-control") for name in headers)


def test_head_is_get_without_the_content(client):
    got, asked = client.get("/things/a/name"), client.head("/things/a/name")
    assert (asked.status_code, asked.content) == (200, b"")
    assert asked.headers["content-length"] == got.headers["content-length"]
    assert asked.headers["etag"] == got.headers["etag"]


def test_no_other_site_is_let_in(client):
    answer = client.options(
        "/things",
        headers={"origin": "https://evil.example", "access-control-request-method": "GET"},
    )
    assert answer.status_code >= 400
    assert not any(name.startswith("access-control") for name in answer.headers)


def test_the_access_log_is_json_without_secrets(client, caplog):
    with caplog.at_level(logging.INFO, logger="placement.access"):
        client.get(
            "/things?department=secret-department",
            headers={"authorization": "Bearer secret-token", "x-request-id": "one"},
        )
    (record,) = [one for one in caplog.records if one.name == "placement.access"]
    line = record.access
    assert (line["request_id"], line["route"], line["status"]) == ("one", "/things", 200)
    assert "secret" not in record.getMessage()
