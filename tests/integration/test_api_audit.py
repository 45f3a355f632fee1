"""Reading the audit log: lists, its end, its verification, and a copy that can be checked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from litestar.testing import TestClient
from sqlalchemy import text

from api.app import assemble
from api.routes.audit import routes
from models import AuditAction, AuditEvent, RecordKind, RowFilter, SignedHead, canonical_json
from placement.keys import audit_public_keys
from placement.service.audit import export_log, verify_log
from placement.settings import Settings
from placement.store import open_store
from placement.store.audit import head_message
from placement.store.audit_log import AuditLog
from placement.store.catalog import CatalogRecords
from placement.store.recorder import Recorder
from tests import builders


@pytest.fixture
def city(store_url, store_key, tmp_path) -> Iterator[Any]:
    settings = Settings(key_folder=tmp_path / "keys")
    store = open_store(store_url, store_key, settings.audit_head_file)
    recorder = Recorder(store)
    yield SimpleNamespace(settings=settings, store=store, recorder=recorder, audit_key=store_key)
    recorder.close()
    store.close()


@pytest.fixture
def client(city, monkeypatch) -> Iterator[TestClient[Any]]:
    async def admit(_connection, _operation):
        return auditor()

    monkeypatch.setattr("api.guard.admit", admit)
    with TestClient(assemble(city, routes)) as client:
        yield client


def auditor() -> Any:
    return SimpleNamespace(subject="issuer auditor", rows=RowFilter(all=True), request_id="r-1")


def fill(city: Any, count: int) -> None:
    for number in range(count):
        action = (AuditAction.CHECKED, AuditAction.DENIED)[number % 2]
        event = AuditEvent(action=action, actor=f"key:{number % 3}", subject=f"dataset/{number}")
        city.recorder.record([event])


def sequences(response: Any) -> list[int]:
    assert response.status_code == 200, response.text
    return [item["sequence"] for item in response.json()["items"]]


def test_pages_follow_one_another(city, client):
    fill(city, 7)
    seen: list[int] = []
    cursor: dict[str, str] = {}
    while True:
        response = client.get("/v1/audit", params={"limit": 3, **cursor})
        seen += sequences(response)
        if response.json()["next"] is None:
            break
        cursor = {"cursor": response.json()["next"]}
    assert seen == [1, 2, 3, 4, 5, 6, 7]
    latest = client.get("/v1/audit", params={"limit": 2, "sort": "-sequence"})
    assert sequences(latest) == [7, 6]
    following = {"limit": 2, "sort": "-sequence", "cursor": latest.json()["next"]}
    assert sequences(client.get("/v1/audit", params=following)) == [5, 4]


def test_filters(city, client):
    fill(city, 7)
    moments = [item["at"] for item in client.get("/v1/audit").json()["items"]]
    for filters, expected in (
        ({"action": "denied"}, [2, 4, 6]),
        ({"actor": "key:1"}, [2, 5]),
        ({"subject": "dataset/3"}, [4]),
        ({"actor": "key:1", "action": "checked"}, [5]),
        ({"subject": "dataset/"}, []),
        ({"since": moments[4]}, [5, 6, 7]),
        ({"until": moments[2]}, [1, 2]),
        ({"since": moments[1], "until": moments[3]}, [2, 3]),
    ):
        assert sequences(client.get("/v1/audit", params=filters)) == expected, filters


@pytest.mark.parametrize(
    "wrong",
    [
        {"action": "nothing"},
        {"since": "yesterday"},
        {"since": "2026-11-23T12:00:00"},  # without a zone
        {"limit": 0},
        {"sort": "at"},
        {"cursor": "x"},
        {"unknown": "1"},
        {"subject": "a\x00b"},
    ],
)
def test_wrong_questions_are_refused(client, wrong):
    assert client.get("/v1/audit", params=wrong).status_code in (400, 422)


def test_the_head_can_be_kept_and_checked(city, client, store_key):
    assert client.get("/v1/audit/head").status_code == 404
    fill(city, 3)
    response = client.get("/v1/audit/head")
    head = SignedHead.model_validate_json(response.content)
    assert head.sequence == 3
    assert store_key.public.holds(head_message(head), head.signature)
    again = client.get("/v1/audit/head", headers={"if-none-match": response.headers["etag"]})
    assert again.status_code == 304


def test_verification(city, client):
    fill(city, 5)
    answer = client.get("/v1/audit/verification").json()
    assert answer["holds"] is True
    assert answer["report"]["records"] == 5
    with city.store.engine.begin() as connection:
        if city.store.is_sqlite:
            connection.execute(text("DROP TRIGGER guard_audit_update"))
        else:
            connection.execute(text("ALTER TABLE audit DISABLE TRIGGER ALL"))
        connection.execute(text("UPDATE audit SET actor = 'key:9' WHERE sequence = 2"))
    answer = client.get("/v1/audit/verification").json()
    assert answer["holds"] is False
    assert [defect["sequence"] for defect in answer["report"]["defects"]] == [2]


def test_a_copy_can_be_checked_without_us(city, client, store_key, monkeypatch):
    monkeypatch.setattr("placement.service.audit._BATCH", 2)
    fill(city, 5)
    response = client.get("/v1/audit/export")
    assert response.headers["content-type"].startswith("application/x-ndjson")
    *lines, last = [json.loads(line) for line in response.text.splitlines()]
    previous = "0" * 64
    for number, line in enumerate(lines, start=1):
        digest = line.pop("hash")
        assert hashlib.sha256(canonical_json(line)).hexdigest() == digest
        assert (line["sequence"], line["previous"]) == (number, previous)
        previous = digest
    assert lines[-1]["event"]["action"] == "exported"
    assert lines[-1]["event"]["actor"] == "issuer auditor"
    head = SignedHead.model_validate(last["head"])
    assert (head.sequence, head.hash) == (6, previous)
    assert store_key.public.holds(head_message(head), head.signature)


def test_a_copy_may_begin_later(city, client):
    fill(city, 5)
    lines = client.get("/v1/audit/export", params={"after": 4}).text.splitlines()
    assert [json.loads(line).get("sequence") for line in lines] == [5, 6, None]


def test_an_export_that_cannot_be_recorded_does_not_happen(city, client):
    fill(city, 2)
    city.recorder.close()
    assert client.get("/v1/audit/export").status_code == 503


def test_a_changed_record_is_not_handed_out(city):
    fill(city, 3)
    with city.store.engine.begin() as connection:
        if city.store.is_sqlite:
            connection.execute(text("DROP TRIGGER guard_audit_delete"))
        else:
            connection.execute(text("ALTER TABLE audit DISABLE TRIGGER ALL"))
        connection.execute(text("DELETE FROM audit WHERE sequence = 2"))
    lines = export_log(city, auditor())
    with pytest.raises(Exception, match="missing"):
        list(lines)


def test_verification_remembers_by_itself(city, store_url, tmp_path):
    """Cut off records, heads and the city's row: the head file is asked without being named."""
    fill(city, 5)
    city.recorder.close()
    city.store.close()
    assert verify_log(city.store, city.settings).holds
    with city.store.engine.begin() as connection:
        for table in ("audit", "audit_heads"):
            if city.store.is_sqlite:
                connection.execute(text(f"DROP TRIGGER guard_{table}_delete"))
            else:
                connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER ALL"))
            connection.execute(text(f"DELETE FROM {table} WHERE sequence > 3"))
        last = "SELECT hash FROM audit WHERE sequence = 3"
        connection.execute(text(f"UPDATE city SET audit_sequence = 3, audit_hash = ({last})"))
    reader = open_store(store_url)  # an auditor has no private key
    (defect,) = verify_log(reader, city.settings).defects
    assert "cut off" in defect.message
    kept = tmp_path / "kept.head"
    city.settings.audit_head_file.rename(kept)
    assert verify_log(reader, city.settings).holds
    assert not verify_log(reader, city.settings, kept).holds
    with reader.reading() as tx:
        head = AuditLog(tx).head()
    assert head is not None
    assert set(audit_public_keys(city.settings.keys / "audit.pem")) == {head.key_id}
    reader.close()


def test_verification_looks_at_the_catalogue_too(city):
    with city.store.writing() as tx:
        trees = builders.dataset("trees")
        CatalogRecords(tx).apply({(RecordKind.DATASET, trees.id): trees}, "issuer office")
    assert verify_log(city.store, city.settings).holds
    with city.store.engine.begin() as connection:
        if city.store.is_sqlite:
            connection.execute(text("DROP TRIGGER guard_records_update"))
        else:
            connection.execute(text("ALTER TABLE records DISABLE TRIGGER ALL"))
        connection.execute(text("UPDATE records SET department = 'Elsewhere'"))
    report = verify_log(city.store, city.settings)
    assert not report.holds
    assert report.defects == ()
    assert report.catalog_defects == ("the dataset trees is listed as something that it is not",)
