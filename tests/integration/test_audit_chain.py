"""Whoever changes the audit log behind our back is found out, whatever they change."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import CursorResult, text
from sqlalchemy.orm import Session

from models import (
    FIRST_PREVIOUS,
    AuditAction,
    AuditEvent,
    AuditReport,
    SignedHead,
    canonical_json,
)
from placement.errors import StoreError
from placement.keys import AuditKey, audit_key, audit_public_keys
from placement.store import Store, Transaction
from placement.store.audit import head_message
from placement.store.audit_head import read_head
from placement.store.audit_log import AuditLog
from placement.store.audit_verify import verify_chain

EVENTS = st.builds(
    AuditEvent,
    action=st.sampled_from(AuditAction),
    actor=st.sampled_from(["key:1", "https://id.city.example mayor"]),
    subject=st.text(max_size=500),
    detail=st.dictionaries(st.text(max_size=3), st.text(max_size=3) | st.integers(), max_size=2),
)
on_one_store = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=40,
)


def event(number: int) -> AuditEvent:
    action = list(AuditAction)[number % len(AuditAction)]
    return AuditEvent(action=action, actor=f"key:{number % 3}", subject=f"dataset/{number}")


@pytest.fixture
def filled(store) -> Store:
    """Fourteen records in seven transactions."""
    number = 0
    for size in (1, 3, 1, 2, 4, 1, 2):
        with store.writing() as tx:
            for _ in range(size):
                number += 1
                tx.record(event(number))
    return store


def verified(store: Store, key: AuditKey, *outside: SignedHead) -> AuditReport:
    with store.reading() as tx:
        return verify_chain(tx, {key.public.id: key.public}, outside)


def end_of(store: Store) -> SignedHead:
    with store.reading() as tx:
        head = AuditLog(tx).head()
    assert head is not None
    return head


# -- an untouched log -------------------------------------------------------------------------


def test_an_empty_log_holds(store, store_key):
    report = verified(store, store_key)
    assert report.holds
    assert (report.records, report.heads, report.head) == (0, 0, None)


@on_one_store
@given(groups=st.lists(st.lists(EVENTS, max_size=4), max_size=5), fail=st.booleans())
def test_an_untouched_log_holds(store, store_key, groups, fail):
    for group in groups:
        with store.writing() as tx:
            for each in group:
                tx.record(each)
        if fail:
            _fail(store, group)
    report = verified(store, store_key)
    assert report.defects == ()
    if report.head:
        assert verified(store, store_key, report.head).holds


def _fail(store: Store, group: list[AuditEvent]) -> None:
    """A transaction that is rolled back leaves nothing."""

    def attempt() -> None:
        with store.writing() as tx:
            for each in group:
                tx.record(each)
            raise RuntimeError("the effect failed")

    with pytest.raises(RuntimeError):
        attempt()


def test_more_records_than_a_batch_hold(store, store_key, monkeypatch):
    monkeypatch.setattr("placement.store.audit_verify._BATCH", 3)
    with store.writing() as tx:
        for number in range(20):
            tx.record(event(number))
    report = verified(store, store_key)
    assert report.holds
    assert (report.records, report.heads) == (20, 1)


# -- a log that somebody changed --------------------------------------------------------------


class Forger:
    """Somebody who may write to the database as they like, and has no key."""

    def __init__(self, session: Session, random: Random) -> None:
        self.session = session
        self.random = random
        self.sequences: list[int] = self._all("SELECT sequence FROM audit ORDER BY sequence")
        self.heads: list[int] = self._all("SELECT sequence FROM audit_heads ORDER BY sequence")

    def _all(self, query: str) -> list[int]:
        return list(self.session.scalars(text(query)))

    def run(self, statement: str, **values) -> None:
        result = self.session.execute(text(statement), values)
        assert isinstance(result, CursorResult)
        assert result.rowcount > 0, statement

    def any(self) -> int:
        return self.random.choice(self.sequences)

    def row(self, sequence: int) -> dict[str, Any]:
        found = self.session.execute(
            text("SELECT * FROM audit WHERE sequence = :s"), {"s": sequence}
        )
        return dict(found.mappings().one())

    def put(self, sequence: int, row: dict[str, Any]) -> None:
        changes = ", ".join(f"{name} = :{name}" for name in row if name != "sequence")
        self.run(f"UPDATE audit SET {changes} WHERE sequence = :place", **row, place=sequence)

    def rechain(self, *, follow: bool) -> None:
        """Write bodies, hashes and the city's row anew; heads, too, as far as one can."""
        previous = FIRST_PREVIOUS
        for sequence in self._all("SELECT sequence FROM audit ORDER BY sequence"):
            row = self.row(sequence)
            body = json.loads(row["body"]) | {"sequence": sequence, "previous": previous}
            encoded = canonical_json(body)
            digest = hashlib.sha256(encoded).hexdigest()
            self.put(sequence, row | {"body": encoded.decode(), "hash": digest})
            previous = digest
        self.run("UPDATE city SET audit_hash = :hash", hash=previous)
        if follow:
            copied = "SELECT hash FROM audit WHERE audit.sequence = audit_heads.sequence"
            self.run(
                f"UPDATE audit_heads SET hash = ({copied}) WHERE sequence IN "
                "(SELECT sequence FROM audit)"
            )


def edit_a_letter_of_a_body(forger: Forger) -> None:
    sequence = forger.any()
    body = forger.row(sequence)["body"]
    place = forger.random.randrange(len(body))
    letter = "x" if body[place] != "x" else "y"
    changed = body[:place] + letter + body[place + 1 :]
    forger.run("UPDATE audit SET body = :b WHERE sequence = :s", b=changed, s=sequence)


def edit_a_body_and_its_hash(forger: Forger) -> None:
    row = forger.row(forger.any())
    body = json.loads(row["body"])
    body["event"]["subject"] = body["event"]["subject"] + "!"
    encoded = canonical_json(body)
    row |= {"body": encoded.decode(), "hash": hashlib.sha256(encoded).hexdigest()}
    row["subject"] = body["event"]["subject"]
    forger.put(row["sequence"], row)


def write_the_chain_anew(forger: Forger) -> None:
    edit_a_body_and_its_hash(forger)
    forger.rechain(follow=forger.random.random() < 0.5)


def edit_a_column(forger: Forger) -> None:
    column = forger.random.choice(["action", "actor", "subject", "hash"])
    forger.run(
        f"UPDATE audit SET {column} = {column} || ' ' WHERE sequence = :s"
        if column != "hash"
        else "UPDATE audit SET hash = upper(substr(hash, 2)) || '0' WHERE sequence = :s",
        s=forger.any(),
    )


def edit_a_moment(forger: Forger) -> None:
    earlier = "datetime(at, '-1 second')"
    if forger.session.get_bind().dialect.name != "sqlite":
        earlier = "at - interval '1 microsecond'"
    forger.run(f"UPDATE audit SET at = {earlier} WHERE sequence = :s", s=forger.any())


def delete_a_record(forger: Forger) -> None:
    forger.run("DELETE FROM audit WHERE sequence = :s", s=forger.any())


def delete_a_record_and_close_the_gap(forger: Forger) -> None:
    gone = forger.any()
    forger.run("DELETE FROM audit WHERE sequence = :s", s=gone)
    for sequence in forger.sequences:
        if sequence > gone:
            forger.run("UPDATE audit SET sequence = sequence - 1 WHERE sequence = :s", s=sequence)
    forger.run("UPDATE city SET audit_sequence = audit_sequence - 1")
    last = len(forger.sequences)
    forger.session.execute(text("DELETE FROM audit_heads WHERE sequence = :s"), {"s": last})
    forger.rechain(follow=True)


def swap_two_records(forger: Forger) -> None:
    first, second = forger.random.sample(forger.sequences, 2)
    one, other = forger.row(first), forger.row(second)
    forger.put(first, other)
    forger.put(second, one)
    if forger.random.random() < 0.5:
        forger.rechain(follow=True)


def insert_a_record(forger: Forger) -> None:
    row = forger.row(forger.any())
    row["sequence"] = forger.random.choice([0, -3, len(forger.sequences) + 1, 10**6])
    names = ", ".join(row)
    values = ", ".join(f":{name}" for name in row)
    forger.run(f"INSERT INTO audit ({names}) VALUES ({values})", **row)
    if row["sequence"] == len(forger.sequences) + 1 and forger.random.random() < 0.7:
        forger.run("UPDATE city SET audit_sequence = audit_sequence + 1")
        forger.rechain(follow=False)


def cut_off_records(forger: Forger) -> None:
    end = forger.random.choice(forger.sequences[:-1])
    forger.run("DELETE FROM audit WHERE sequence > :s", s=end)


def cut_off_everything(forger: Forger) -> None:
    """Records, heads and the city's row: only a head outside the database can tell."""
    end = forger.random.choice([0, *forger.heads[:-1]])
    forger.run("DELETE FROM audit WHERE sequence > :s", s=end)
    forger.run("DELETE FROM audit_heads WHERE sequence > :s", s=end)
    last = forger.row(end)["hash"] if end else FIRST_PREVIOUS
    forger.run("UPDATE city SET audit_sequence = :s, audit_hash = :h", s=end, h=last)


def delete_a_head(forger: Forger) -> None:
    gone = forger.random.choice(forger.heads)
    forger.run("DELETE FROM audit_heads WHERE sequence = :s", s=gone)


def edit_a_letter_of_a_head(forger: Forger) -> None:
    column = forger.random.choice(["hash", "at", "key_id", "signature"])
    sequence = forger.random.choice(forger.heads)
    old = forger.session.scalar(
        text(f"SELECT {column} FROM audit_heads WHERE sequence = :s"), {"s": sequence}
    )
    place = forger.random.randrange(len(old))
    new = forger.random.choice([letter for letter in "09afAB+ " if letter != old[place]])
    changed = old[:place] + new + old[place + 1 :]
    forger.run(f"UPDATE audit_heads SET {column} = :v WHERE sequence = :s", v=changed, s=sequence)


def edit_a_number_of_a_head(forger: Forger) -> None:
    column = forger.random.choice(["previous", "sequence"])
    sequence = forger.random.choice(forger.heads)
    forger.run(f"UPDATE audit_heads SET {column} = {column} + 1000 WHERE sequence = :s", s=sequence)


def sign_with_another_key(forger: Forger) -> None:
    other = AuditKey(_stranger())
    write_the_chain_anew(forger)
    for sequence in forger.heads:
        query = text("SELECT * FROM audit_heads WHERE sequence = :s")
        row = dict(forger.session.execute(query, {"s": sequence}).mappings().one())
        digest = forger.row(sequence)["hash"]
        head = SignedHead(**row | {"hash": digest, "key_id": other.public.id, "signature": ""})
        if forger.random.random() < 0.5:  # say that the city's key did
            head = head.model_copy(update={"key_id": row["key_id"]})
        forger.run(
            "UPDATE audit_heads SET hash = :h, key_id = :k, signature = :g WHERE sequence = :s",
            h=digest,
            k=head.key_id,
            g=other.sign(head_message(head)),
            s=sequence,
        )


def move_the_citys_end(forger: Forger) -> None:
    forger.run(
        forger.random.choice(
            [
                "UPDATE city SET audit_sequence = audit_sequence - 1",
                "UPDATE city SET audit_sequence = audit_sequence + 1",
                f"UPDATE city SET audit_hash = '{FIRST_PREVIOUS}'",
                "DELETE FROM city",
            ]
        )
    )


TAMPERINGS = (
    edit_a_letter_of_a_body,
    edit_a_body_and_its_hash,
    write_the_chain_anew,
    edit_a_column,
    edit_a_moment,
    delete_a_record,
    delete_a_record_and_close_the_gap,
    swap_two_records,
    insert_a_record,
    cut_off_records,
    cut_off_everything,
    delete_a_head,
    edit_a_letter_of_a_head,
    edit_a_number_of_a_head,
    sign_with_another_key,
    move_the_citys_end,
)


@contextmanager
def tampered(store: Store) -> Iterator[Session]:
    """A database without guards; all that is done to it is undone at the end."""
    with Session(store.engine) as session:
        session.execute(text("BEGIN" if store.is_sqlite else "SELECT 1"))
        for table in ("audit", "audit_heads", "city"):
            if store.is_sqlite:
                session.execute(text(f"DROP TRIGGER IF EXISTS guard_{table}_update"))
                session.execute(text(f"DROP TRIGGER IF EXISTS guard_{table}_delete"))
            else:
                session.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER ALL"))
        yield session
        session.rollback()


@pytest.mark.parametrize("tampering", TAMPERINGS, ids=lambda tampering: tampering.__name__)
def test_tampering_is_found(filled, store_key, tampering: Callable[[Forger], None]):
    end = end_of(filled)
    keys = {store_key.public.id: store_key.public}

    @on_one_store
    @given(random=st.randoms(use_true_random=False))
    def found(random: Random) -> None:
        with tampered(filled) as session:
            tampering(Forger(session, random))
            report = verify_chain(Transaction(session, None, None), keys, [end])
            assert not report.holds
            if tampering is not cut_off_everything:  # then nobody outside needs to remember
                assert not verify_chain(Transaction(session, None, None), keys).holds

    found()
    assert verified(filled, store_key, end).holds


def test_the_first_wrong_record_is_named(filled, store_key):
    keys = {store_key.public.id: store_key.public}
    with tampered(filled) as session:
        session.execute(text("UPDATE audit SET actor = 'nobody' WHERE sequence = 9"))
        (defect,) = verify_chain(Transaction(session, None, None), keys).defects
        assert (defect.sequence, defect.message) == (
            9,
            "the columns that are searched were edited",
        )
        session.execute(text("UPDATE audit SET body = body || ' ' WHERE sequence = 9"))
        with pytest.raises(StoreError, match="record 9 was changed"):
            AuditLog(Transaction(session, None, None)).list()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET body = CAST(x'ff7b7d' AS TEXT) WHERE sequence = 4",
        "UPDATE audit SET at = 'yesterday' WHERE sequence = 4",
        "UPDATE audit SET body = x'00' WHERE sequence = 4",
        "UPDATE audit_heads SET previous = CAST(previous AS TEXT) || '.0x'",
        "UPDATE audit_heads SET signature = CAST(x'ff' AS TEXT)",
        "UPDATE city SET audit_hash = CAST(x'ff' AS TEXT)",
        "UPDATE city SET audit_sequence = 'all'",
    ],
)
def test_what_only_sqlite_can_hold_is_found(tmp_path, sqlite_template, store_key, statement):
    path = tmp_path / "hostile.sqlite3"
    path.write_bytes(sqlite_template.read_bytes())
    store = Store(f"sqlite:///{path}", store_key)
    for number in range(6):
        with store.writing() as tx:
            tx.record(event(number))
    with tampered(store) as session:
        session.execute(text(statement))
        keys = {store_key.public.id: store_key.public}
        assert not verify_chain(Transaction(session, None, None), keys).holds
    store.close()


# -- keys that follow one another -------------------------------------------------------------


def test_a_new_key_follows_an_old_one(store_url, tmp_path):
    keys = []
    for number in range(3):
        key = audit_key(tmp_path / "city" / "audit.pem")
        (tmp_path / "city" / "audit.pem").rename(tmp_path / f"old-{number}.pem")
        store = Store(store_url, key)
        with store.writing() as tx:
            tx.record(event(number))
        keys.append(key)
        store.close()
    known = audit_public_keys(tmp_path / "city" / "audit.pem")
    assert set(known) == {key.public.id for key in keys}
    reader = Store(store_url)
    with reader.reading() as tx:
        assert verify_chain(tx, known).holds
        missing = dict(list(known.items())[:2])
        assert not verify_chain(tx, missing).holds
    reader.close()
    thief = Store(store_url, keys[0])
    with thief.writing() as tx:
        tx.record(event(9))
    with thief.reading() as tx:
        (defect,) = verify_chain(tx, known).defects
    assert "retired" in defect.message
    thief.close()


def _stranger():
    from cryptography.hazmat.primitives.asymmetric import ed25519

    return ed25519.Ed25519PrivateKey.from_private_bytes(b"\7" * 32)


# -- the head outside the database ------------------------------------------------------------


@pytest.fixture
def remembering(store_url, store_key, tmp_path) -> Iterator[Store]:
    store = Store(store_url, store_key, tmp_path / "audit.head")
    store.prepare()
    yield store
    store.close()


def test_the_file_holds_the_last_head(remembering, tmp_path):
    for number in range(3):
        with remembering.writing() as tx:
            tx.record(event(number))
    remembering.close()
    assert read_head(tmp_path / "audit.head") == end_of(remembering)


def test_the_file_follows_without_a_close(remembering, tmp_path, monkeypatch):
    monkeypatch.setattr("placement.store.audit_head.PAUSE_S", 0.01)
    for number in range(3):
        with remembering.writing() as tx:
            tx.record(event(number))
    while read_head(tmp_path / "audit.head") != end_of(remembering):
        pass  # the test's own time limit is the only one


def _cut_off(store: Store, end: int) -> None:
    """What somebody with all rights does, for good."""
    with store.engine.connect() as connection:
        connection.execute(text("BEGIN IMMEDIATE" if store.is_sqlite else "SELECT 1"))
        for table in ("audit", "audit_heads"):
            if store.is_sqlite:
                connection.execute(text(f"DROP TRIGGER guard_{table}_delete"))
            else:
                connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER ALL"))
            connection.execute(text(f"DELETE FROM {table} WHERE sequence > {end}"))
        connection.execute(
            text(
                f"UPDATE city SET audit_sequence = {end},"
                f" audit_hash = (SELECT hash FROM audit WHERE sequence = {end})"
            )
        )
        connection.commit()


def test_a_running_service_writes_nothing_behind_a_cut(remembering, store_key, tmp_path):
    for number in range(4):
        with remembering.writing() as tx:
            tx.record(event(number))
    _cut_off(remembering, 2)
    with pytest.raises(StoreError, match="has lost record 4"), remembering.writing() as tx:
        tx.record(event(5))
    assert verified(remembering, store_key).holds  # from inside nobody can tell
    remembering.close()
    head = read_head(tmp_path / "audit.head")
    assert head is not None
    assert not verified(remembering, store_key, head).holds


def test_a_service_does_not_begin_behind_a_cut(remembering, store_url, store_key, tmp_path):
    for number in range(4):
        with remembering.writing() as tx:
            tx.record(event(number))
    remembering.close()
    _cut_off(remembering, 2)
    late = Store(store_url, store_key, tmp_path / "audit.head")
    with pytest.raises(StoreError, match="has lost record 4"):
        late.prepare()
    late.close()


def test_another_end_of_the_same_length_is_no_end(remembering, make_store):
    """Cut off, and grown again by somebody who could write through another replica."""
    for number in range(3):
        with remembering.writing() as tx:
            tx.record(event(number))
    _cut_off(remembering, 2)
    with make_store().writing() as tx:
        tx.record(event(99))
        tx.record(event(100))
    with pytest.raises(StoreError, match="has lost record 3"), remembering.writing() as tx:
        tx.record(event(4))


def test_replicas_follow_one_another(remembering, store_url, store_key, tmp_path):
    other = Store(store_url, store_key, tmp_path / "audit.head")
    other.prepare()
    for number in range(6):
        with (remembering, other)[number % 2].writing() as tx:
            tx.record(event(number))
    remembering.close()  # its last head is older than the other's
    other.close()
    remembering.close()
    assert read_head(tmp_path / "audit.head") == end_of(remembering)


def test_a_head_that_cannot_be_kept_stops_the_writing(store_url, store_key, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    store = Store(store_url, store_key, tmp_path / "file" / "audit.head")
    with store.writing() as tx:
        tx.record(event(1))
    with pytest.raises(StoreError):
        store.close()
    with pytest.raises(StoreError, match="cannot be kept"), store.writing() as tx:
        tx.record(event(2))
    assert end_of(store).sequence == 1
    (tmp_path / "file").unlink()
    with store.writing() as tx:
        tx.record(event(2))
    end = end_of(store)
    store.close()
    assert read_head(tmp_path / "file" / "audit.head") == end


def test_a_file_that_is_no_head_is_not_overwritten(store_url, store_key, tmp_path):
    (tmp_path / "audit.head").write_text("{}")
    store = Store(store_url, store_key, tmp_path / "audit.head")
    with pytest.raises(StoreError, match="not a signed end"):
        store.prepare()
    store.close()
    assert (tmp_path / "audit.head").read_text() == "{}"
