"""The reckoning after a crash test: the client's journal against the store, effect by effect."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import select

from models import STANDING, AuditRecord, JobState, SignedHead
from placement.keys import audit_public_keys
from placement.store import Store, Transaction
from placement.store.audit_head import read_head
from placement.store.audit_log import AuditFilter, AuditLog
from placement.store.audit_verify import verify_chain
from placement.store.catalog import CatalogRecords
from placement.store.decisions import Decisions
from placement.store.tables import (
    CatalogVersionRow,
    DecisionEventRow,
    DecisionRow,
    IdempotencyRow,
    JobRow,
    PlacedRow,
    PolicyRevisionEventRow,
    PolicyRevisionRow,
    RecordRow,
)
from tests.crash_cases import Entry, Journal, Town

EFFECTS = {
    "import": "catalog_changed",
    "put": "parameters_changed",
    "create": "catalog_changed",
    "change": "catalog_changed",
    "remove": "catalog_changed",
    "decide": "decision_requested",
    "check": "checked",
    "ask": "checked",
    "approve": "decision_approved",
    "provision": "decision_provisioning",
    "enforce": "decision_in_force",
    "withdraw": "decision_withdrawn",
    "rollback": "policy_rolled_back",
}
"""What the audit log says of each kind of request."""
CATALOGUE = ("import", "put", "create", "change", "remove")
MAY_BE_REFUSED = ("approve", "provision", "enforce", "withdraw", "rollback")
"""Others may have come first, or the city has changed. All other requests have their effect."""
REPEATED = 60
"""Requests that are sent once more, at the end."""


def reckon(town: Town, journal: Journal, heads: Sequence[SignedHead], seed: int) -> Counter[str]:
    """Hold what was acknowledged against what is stored; how often each kind succeeded.

    Parameters
    ----------
    town
        Its servers run; nobody asks them anything any more.
    heads
        Ends of the audit chain that a client was told on the way.
    """
    store = Store(town.database_url)
    try:
        with store.reading() as tx:
            records = every_record(tx)
            _reckon_answers(journal.entries)
            _reckon_audit(journal.entries, records)
            _reckon_catalogue(tx, journal.entries)
            _reckon_jobs(tx, journal.entries)
            _reckon_decisions(tx, journal.entries)
            _reckon_policies(tx, journal.entries)
            _reckon_keys(tx, journal.entries)
            _reckon_recorded(tx, records)
        _reckon_chain(town, store, heads)
        _reckon_repeats(store, journal, seed)
    finally:
        store.close()
    return Counter(entry.kind for entry in journal.entries if _ok(entry))


def every_record(tx: Transaction) -> list[AuditRecord]:
    """The whole audit log, oldest first."""
    found: list[AuditRecord] = []
    while page := AuditLog(tx).list(
        AuditFilter(), after=found[-1].sequence if found else None, limit=1000
    ):
        found += page
    return found


def standing_plans(tx: Transaction) -> list[int]:
    """Decisions that a board stands behind: by their histories, not by what the city's row says."""
    last: dict[int, str] = {}
    events = select(DecisionEventRow).order_by(DecisionEventRow.decision, DecisionEventRow.sequence)
    for event in tx.session.scalars(events):
        last[event.decision] = event.state
    return [number for number, state in last.items() if state in STANDING]


def _ok(entry: Entry) -> bool:
    return entry.answer is not None and entry.answer.ok


def _of(entries: Iterable[Entry], *kinds: str) -> list[Entry]:
    """Requests of these kinds that succeeded."""
    return [entry for entry in entries if entry.kind in kinds and _ok(entry)]


def _reckon_answers(entries: Sequence[Entry]) -> None:
    """Every request was answered in the end; what nobody disputes has succeeded."""
    for entry in entries:
        assert entry.answer is not None, entry
        refused = entry.answer.status == 409 and entry.kind in MAY_BE_REFUSED
        assert entry.answer.ok or refused, entry


def _reckon_audit(entries: Sequence[Entry], records: Sequence[AuditRecord]) -> None:
    """One record for each effect, none for a refusal, and none of anybody else."""
    found: dict[str, list[AuditRecord]] = {}
    for record in records:
        found.setdefault(record.event.actor, []).append(record)
    for entry in entries:
        action = EFFECTS[entry.kind]
        own = [r for r in found.pop(entry.actor, []) if r.event.action == action]
        most = 1 if entry.keyed else entry.tries
        assert (1 if _ok(entry) else 0) <= len(own) <= (most if _ok(entry) else 0), (entry, own)
        if action == "checked":
            assert entry.answer
            said = entry.answer.json()
            told = [record for record in own if record.sequence == said["record"]]
            assert [record.event.detail["eligible"] for record in told] == [said["eligible"]]
    assert set(found) <= {"placement"}, "somebody did what is not in the journal"


def _reckon_catalogue(tx: Transaction, entries: Sequence[Entry]) -> None:
    """One version for each change; and of each dataset what its last change said."""
    versions = tx.session.scalars(select(CatalogVersionRow.version)).all()
    assert len(versions) == len(_of(entries, *CATALOGUE))
    assert sorted(versions) == list(range(1, len(versions) + 1))
    last: dict[str, dict[str, Any] | None] = {}
    for entry in _of(entries, "create", "change", "remove"):
        assert entry.answer
        if entry.kind == "remove":
            last[entry.path.rpartition("/")[2]] = None
        else:
            said = entry.answer.json()
            last[said["id"]] = said
    current = CatalogRecords(tx).load().datasets
    for ident, said in last.items():
        kept = current.get(ident)
        assert (None if kept is None else kept.model_dump(mode="json")) == said
    histories = tx.session.execute(
        select(RecordRow.kind, RecordRow.id).where(RecordRow.valid_to.is_(None))
    ).all()
    assert len(histories) == len(set(histories)), "two versions of a record are current"


def _reckon_jobs(tx: Transaction, entries: Sequence[Entry]) -> None:
    """One job for each request, and each has ended."""
    jobs = {row.id: row for row in tx.session.scalars(select(JobRow))}
    asked = {_said(entry)["id"]: entry for entry in _of(entries, "decide")}
    assert set(jobs) == set(asked)
    for ident, entry in asked.items():
        assert jobs[ident].author == entry.actor
        assert JobState(jobs[ident].state).final
        if jobs[ident].state != JobState.DONE:
            problem = jobs[ident].problem or {}
            assert problem.get("code") in ("job_abandoned", "policy_revision"), problem


def _reckon_decisions(tx: Transaction, entries: Sequence[Entry]) -> None:
    """One decision for each job done; each history is what was acknowledged; one plan stands."""
    done = {
        row.id: row.result or {}
        for row in tx.session.scalars(select(JobRow).where(JobRow.state == JobState.DONE.value))
    }
    rows = list(tx.session.scalars(select(DecisionRow)))
    assert {row.job: row.number for row in rows} == {job: r["decision"] for job, r in done.items()}
    assert len(rows) == len(done)
    moved = Counter(
        (event.decision, event.actor)
        for event in tx.session.scalars(select(DecisionEventRow))
        if event.sequence > 1 and event.state != "superseded"
    )
    moves = _of(entries, "approve", "provision", "enforce", "withdraw")
    assert moved == Counter((_said(entry)["number"], entry.actor) for entry in moves)
    standing = standing_plans(tx)
    found = Decisions(tx).standing()
    assert standing == ([] if found is None else [found.number])
    placed = Counter(tx.session.scalars(select(PlacedRow.decision)))
    sizes = {row.number: row.datasets for row in rows}
    approved = {_said(entry)["number"] for entry in _of(entries, "approve")}
    assert placed == {number: sizes[number] for number in approved}


def _reckon_recorded(tx: Transaction, records: Sequence[AuditRecord]) -> None:
    """One audit record for each decision and each activation."""
    told = Counter((r.event.action.value, r.event.subject) for r in records)
    for number in tx.session.scalars(select(DecisionRow.number)):
        assert told["decision_recorded", f"decision/{number}"] == 1
    for event in tx.session.scalars(select(PolicyRevisionEventRow)):
        if event.state == "active":
            assert told["policy_activated", f"policies/{event.number}"] == 1


def _reckon_policies(tx: Transaction, entries: Sequence[Entry]) -> None:
    """One publication for each that was acknowledged."""
    rows = tx.session.scalars(
        select(PolicyRevisionRow).where(PolicyRevisionRow.rollback_of.is_not(None))
    )
    told = {_said(entry)["number"]: entry.actor for entry in _of(entries, "rollback")}
    assert {row.number: row.published_by for row in rows} == told


def _reckon_keys(tx: Transaction, entries: Sequence[Entry]) -> None:
    """One stored reply for each success with a key: the one that the client got."""
    stored = {(row.subject, row.key): row for row in tx.session.scalars(select(IdempotencyRow))}
    for entry in entries:
        row = stored.pop((entry.actor, entry.headers.get("idempotency-key", "")), None)
        assert (row is not None) == (entry.keyed and _ok(entry)), entry
        if row is not None:
            assert entry.answer
            assert (row.status, row.body.encode()) == (entry.answer.status, entry.answer.body)
    assert not stored


def _reckon_chain(town: Town, store: Store, heads: Sequence[SignedHead]) -> None:
    """The chain holds, by our key, up to every end that somebody remembers."""
    outside = read_head(town.folder / "keys" / "audit.head")
    assert outside is not None
    keys = audit_public_keys(town.folder / "keys" / "audit.pem")
    with store.reading() as tx:
        report = verify_chain(tx, keys, [*heads, outside])
    assert report.holds, report.defects
    assert report.head is not None


def _reckon_repeats(store: Store, journal: Journal, seed: int) -> None:
    """What succeeded is told again in the same words, and nothing happens."""
    before = _end(store)
    keyed = [entry for entry in journal.entries if entry.keyed and _ok(entry)]
    for entry in random.Random(seed).sample(keyed, min(REPEATED, len(keyed))):
        again = journal.repeat(entry)
        assert entry.answer
        assert (again.told, again.replayed) == (entry.answer.told, True), entry
    assert _end(store) == before


def _end(store: Store) -> tuple[int, int]:
    with store.reading() as tx:
        return tx.city.audit_sequence, tx.city.catalog_version


def _said(entry: Entry) -> Mapping[str, Any]:
    assert entry.answer
    found: Mapping[str, Any] = entry.answer.json()
    return found
