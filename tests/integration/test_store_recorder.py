"""Many threads' audit records share a commit, and nobody is told before it is done."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select, text

from models import AuditAction, AuditEvent
from placement.errors import StoreError
from placement.store import Store
from placement.store.recorder import Recorder
from placement.store.tables import AuditHeadRow, AuditRow


def checked(subject: str, **detail) -> AuditEvent:
    return AuditEvent(action=AuditAction.CHECKED, actor="key:1", subject=subject, detail=detail)


@pytest.fixture
def recorder(store):
    recorder = Recorder(store)
    yield recorder
    recorder.close()


def subjects(store: Store) -> list[str]:
    with store.reading() as tx:
        return list(tx.session.scalars(select(AuditRow.subject).order_by(AuditRow.sequence)))


def test_what_was_recorded_is_in_the_chain(store, recorder):
    first, second = recorder.record([checked("a"), checked("b")])
    assert (first.sequence, second.sequence) == (1, 2)
    assert second.previous == first.hash
    assert subjects(store) == ["a", "b"]
    assert recorder.record([]) == ()


def test_those_who_wait_share_a_commit(store, recorder):
    with ThreadPoolExecutor(40) as threads:
        with store.writing() as tx:  # the writer waits for the city's row meanwhile
            futures = [threads.submit(recorder.record, [checked(str(i))]) for i in range(40)]
            while recorder._queue.qsize() < 39:
                assert not any(future.done() for future in futures)
            tx.city.catalog_version = 1
        sequences = sorted(future.result()[0].sequence for future in futures)
    assert sequences == list(range(1, 41))
    with store.reading() as tx:
        assert len(tx.session.scalars(select(AuditHeadRow)).all()) <= 2


def test_a_failed_batch_is_told_to_everybody_who_waits(store, recorder, monkeypatch):
    def fail(*_args):
        raise StoreError("the disk is full")

    monkeypatch.setattr("placement.store.audit.AuditChain.sign", fail)
    with ThreadPoolExecutor(8) as threads:
        futures = [threads.submit(recorder.record, [checked(str(i))]) for i in range(8)]
    for future in futures:
        with pytest.raises(StoreError, match="the disk is full"):
            future.result()
    assert subjects(store) == []
    monkeypatch.undo()
    assert recorder.record([checked("later")])[0].sequence == 1


def test_an_unexpected_error_is_told_without_its_text(store, recorder, monkeypatch):
    def fail(*_args):
        raise RuntimeError("password=secret")

    monkeypatch.setattr("placement.store.audit.AuditChain.sign", fail)
    with pytest.raises(StoreError) as told:
        recorder.record([checked("a")])
    assert "secret" not in str(told.value)
    monkeypatch.undo()
    assert recorder.record([checked("b")])


def test_an_event_without_a_json_form_harms_nobody_else(store, recorder):
    with pytest.raises(TypeError):
        recorder.record([checked("bad", what=object())])
    with pytest.raises(ValueError, match="not JSON compliant"):
        recorder.record([checked("bad", what=float("nan"))])
    assert recorder.record([checked("good")])[0].sequence == 1


def test_too_many_who_wait_are_refused_at_once(store):
    recorder = Recorder(store, most_waiting=2)
    with ThreadPoolExecutor(8) as threads, store.writing() as tx:
        futures = [threads.submit(recorder.record, [checked(str(i))]) for i in range(8)]
        while sum(future.done() for future in futures) < 5:  # 2 wait, 1 is being written
            assert tx.city.audit_sequence == 0
    refused = [future for future in futures if future.exception() is not None]
    assert len(refused) in (5, 6)
    assert {type(future.exception()) for future in refused} == {StoreError}
    assert len(subjects(store)) == 8 - len(refused)
    recorder.close()


def test_a_caller_does_not_wait_for_ever(store):
    recorder = Recorder(store, patience_s=0.05)
    with store.writing() as tx:
        with pytest.raises(StoreError, match="in time"):
            recorder.record([checked("late")])
        tx.city.catalog_version = 1
    recorder.close()
    assert subjects(store) == ["late"]


def test_closing_writes_what_waits(store):
    recorder = Recorder(store)
    with ThreadPoolExecutor(8) as threads:
        with store.writing():
            futures = [threads.submit(recorder.record, [checked(str(i))]) for i in range(8)]
            while recorder._queue.qsize() < 7:
                pass
            closing = threading.Thread(target=recorder.close)
            closing.start()
        closing.join()
        assert len({future.result()[0].sequence for future in futures}) == 8
    with pytest.raises(StoreError, match="closed"):
        recorder.record([checked("after")])


def test_a_child_process_records_for_itself(store, recorder):
    recorder.record([checked("parent")])
    child = os.fork()
    if child == 0:  # pragma: no cover  another process
        code = 1
        try:
            code = 0 if recorder.record([checked("child")])[0].sequence == 2 else 2
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    assert recorder.record([checked("parent again")])[0].sequence == 3
    assert subjects(store) == ["parent", "child", "parent again"]


def test_hostile_text_is_recorded_all_the_same(store, recorder):
    subjects_sent = ["a\x00b", "x" * 5000, "\u202e\u0000'; DROP TABLE audit; --"]
    for each in subjects_sent:
        assert recorder.record([checked(each, text=each)])[0].event.subject == each
    surrogate = recorder.record([checked("c", why=["lone \udfff surrogate"])])
    assert surrogate[0].event.detail == {"why": ["lone " + "\ufffd" * 3 + " surrogate"]}
    assert subjects(store) == ["a\ufffdb", "x" * 400, "\u202e\ufffd'; DROP TABLE audit; --", "c"]


def test_records_survive_the_process(store, make_store):
    recorder = Recorder(store)
    recorder.record([checked("a")])
    with make_store().reading() as tx:
        assert tx.session.scalar(text("SELECT count(*) FROM audit")) == 1
    recorder.close()
