"""Durable jobs, as people see them: asked for, read, cancelled.

A job is acknowledged when its row is committed, in the transaction of whatever asked for it. The
engine only brings its id to a worker (see `working`); what it loses, `overdue` finds again.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from models import AuditAction, AuditEvent, Job, JobKind, JobState
from placement.store.engine import Transaction
from placement.store.jobs import Jobs

if TYPE_CHECKING:
    from placement.service.city import Caller, City

SWEPT = 20
"""Overdue jobs to announce at once, the oldest first: more than workers start in between."""

_LOG = logging.getLogger("placement.jobs")


def submit(
    tx: Transaction, city: City, caller: Caller, kind: JobKind, arguments: dict[str, Any]
) -> Job:
    """A queued job in the transaction of its request; workers hear of it after the commit.

    Parameters
    ----------
    arguments
        Plain JSON; the handler of this kind reads them.
    """

    def committed(job: str) -> None:
        try:
            city.wake(job)
        except Exception:  # noqa: BLE001  the request is committed, and must look so
            _LOG.exception("job %s is not announced to the workers; the sweeper will", job)

    return Jobs(tx).create(kind, caller.subject, arguments, committed)


def read(city: City, caller: Caller, job: str) -> Job:
    """One job. Raises NotFound, also for a job of somebody else's that is not theirs to see."""
    with city.store.reading() as tx:
        return Jobs(tx).get(job, author=_seen_by(caller))


def list_jobs(
    city: City,
    caller: Caller,
    *,
    state: JobState | None = None,
    kind: JobKind | None = None,
    after: str | None = None,
    limit: int = 100,
) -> tuple[Job, ...]:
    """Jobs, the latest first: at most `limit` of those that follow the job `after`.

    Raises
    ------
    NotFound
        When `after` is no job that the caller may see.
    """
    with city.store.reading() as tx:
        return Jobs(tx).list(
            author=_seen_by(caller), state=state, kind=kind, after=after, limit=limit
        )


def several(city: City, wanted: Sequence[str]) -> dict[str, Job]:
    """Jobs by id, for those who were let in to them before."""
    with city.store.reading() as tx:
        return Jobs(tx).several(wanted)


def cancel(tx: Transaction, caller: Caller, job: str) -> Job:
    """End a job at once, whatever its worker does; one that has ended stays as it is.

    Raises
    ------
    NotFound
    """
    ended, changed = Jobs(tx).cancel(job, author=_seen_by(caller))
    if changed:
        tx.record(
            AuditEvent(
                action=AuditAction.JOB_CANCELLED,
                actor=caller.subject,
                subject=f"job/{job}",
                detail={"kind": ended.kind.value},
                request_id=caller.request_id,
            )
        )
    return ended


def overdue(city: City) -> tuple[str, ...]:
    """Jobs that a worker should start now: not delivered, due again, or left by a dead worker.

    To announce one too often is harmless: a job is claimed once.
    """
    with city.store.reading() as tx:
        return Jobs(tx).due(limit=SWEPT)


def _seen_by(caller: Caller) -> str | None:
    """Whose jobs the caller sees; none: everybody's."""
    return None if caller.rows.all else caller.subject
