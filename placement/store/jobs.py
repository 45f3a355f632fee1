"""Durable jobs: the row is the truth, whatever the engine that brings a job to a worker does.

A worker *claims* a job under a token of its own. The row remembers the token, and whoever does
not hold it any more (it was too slow to give a sign of life, or somebody cancelled the job) can
neither report nor finish: its work is fenced off, so that no effect happens twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, Select, and_, event, func, or_, select, tuple_

from models import Job, JobKind, JobProgress, JobState
from placement.errors import Conflict, JobAbandoned, NotFound
from placement.store.engine import Transaction
from placement.store.tables import JobRow

LEASE = timedelta(seconds=10)
"""A running job without a sign of life for longer may be claimed by another worker."""
MAX_ATTEMPTS = 5
"""A job that ended none of so many attempts fails."""
_ASKED_AT_ONCE = 1000
"""Ids in one statement: databases take some ten thousand parameters."""


class Jobs:
    """The jobs of a store, seen in one transaction.

    `claim`, `news` and `release` are made for `Store.noting`: they lock the job's row alone.
    `create`, `cancel`, `hold` and `finish` belong into `Store.writing`, with the effect that they
    go with.
    """

    def __init__(self, tx: Transaction) -> None:
        self._session = tx.session
        self._started = tx.now

    # -- what people ask --------------------------------------------------------------------

    def create(
        self,
        kind: JobKind,
        author: str,
        arguments: dict[str, Any],
        committed: Callable[[str], None] | None = None,
    ) -> Job:
        """A queued job.

        Parameters
        ----------
        kind, author
            What it does, and for whom.
        arguments
            Plain JSON.
        committed
            Told the job's id once the transaction is committed; it must not raise.
        """
        row = JobRow(
            id=uuid4().hex,
            kind=kind.value,
            state=JobState.QUEUED.value,
            created_at=self._started,
            author=author,
            arguments=arguments,
            attempt=0,
            cancel_requested=False,
            progress=JobProgress().model_dump(mode="json"),
            progress_sequence=0,
        )
        self._session.add(row)
        self._session.flush()
        job = _job(row)
        if committed is not None:
            event.listen(self._session, "after_commit", lambda _: committed(job.id), once=True)
        return job

    def get(self, job: str, *, author: str | None = None) -> Job:
        """One job; `author`: only if it is theirs. Raises NotFound."""
        row = self._session.get(JobRow, job)
        if row is None or author not in (None, row.author):
            raise _unknown()
        return _job(row)

    def several(self, jobs: Sequence[str]) -> dict[str, Job]:
        """Those of the jobs that exist, by id."""
        rows = self._session.scalars(select(JobRow).where(JobRow.id.in_(jobs)))
        return {row.id: _job(row) for row in rows}

    def states(self, jobs: Sequence[str]) -> dict[str, JobState]:
        """How far those of the jobs are that exist, by id; of any number of jobs."""
        found: dict[str, JobState] = {}
        for start in range(0, len(jobs), _ASKED_AT_ONCE):
            some = jobs[start : start + _ASKED_AT_ONCE]
            query = select(JobRow.id, JobRow.state).where(JobRow.id.in_(some))
            found.update((job, JobState(state)) for job, state in self._session.execute(query))
        return found

    def list(
        self,
        *,
        author: str | None = None,
        state: JobState | None = None,
        kind: JobKind | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> tuple[Job, ...]:
        """Jobs, the latest first: at most `limit` of those that follow the job `after`.

        Raises
        ------
        NotFound
            When `after` is none of them.
        """
        query = select(JobRow)
        for column, wanted in ((JobRow.author, author), (JobRow.state, state), (JobRow.kind, kind)):
            if wanted is not None:
                query = query.where(column == str(wanted))
        if after is not None:
            query = self._below(query, self.get(after, author=author))
        query = query.order_by(JobRow.created_at.desc(), JobRow.id.desc()).limit(limit)
        return tuple(_job(row) for row in self._session.scalars(query))

    def cancel(self, job: str, *, author: str | None = None) -> tuple[Job, bool]:
        """End a job now, and whether that changed anything; a job that has ended stays as it is.

        The attempt that holds it is fenced off at once: its worker need not be reachable, or
        alive. Raises NotFound.
        """
        row = self._locked(job)
        if author not in (None, row.author):
            raise _unknown()
        if JobState(row.state).final:
            return _job(row), False
        row.cancel_requested = True
        self._end(row, JobState.CANCELLED)
        return _job(row), True

    # -- what workers do --------------------------------------------------------------------

    def claim(self, job: str, worker: str) -> Job | None:
        """Take a job that waits, or whose worker is silent; none when there is nothing to do.

        A job that was tried too often ends here as failed.
        """
        row = self._locked(job)
        if not self._claimable(row):
            return None
        if row.attempt >= MAX_ATTEMPTS:
            self._end(row, JobState.FAILED, problem=_abandoned(row.attempt))
            return None
        row.state = JobState.RUNNING.value
        row.worker = worker
        row.attempt += 1
        row.heartbeat_at = self._clock()
        row.started_at = row.started_at or row.heartbeat_at
        row.due_at = None
        self._session.flush()
        return _job(row)

    def holds(self, job: str, worker: str) -> bool:
        """Whether the job is still this worker's."""
        query = select(JobRow.id).where(JobRow.id == job, *_held_by(worker))
        return self._session.scalar(query) is not None

    def news(self, job: str, worker: str, progress: JobProgress | None = None) -> bool:
        """A sign of life, with progress if there is any; false when the job is not held."""
        row = self._locked(job)
        if not _holds(row, worker):
            return False
        row.heartbeat_at = self._clock()
        if progress is not None:
            row.progress = progress.model_dump(mode="json")
            row.progress_sequence += 1
        return True

    def release(self, job: str, worker: str, *, after: timedelta | None = None) -> bool:
        """Give a job back, to be tried again; false when it is not held.

        Parameters
        ----------
        after
            How long to wait, since the attempt failed. None: the worker stops, and the attempt
            does not count.
        """
        row = self._locked(job)
        if not _holds(row, worker):
            return False
        row.state = JobState.QUEUED.value
        row.worker = row.heartbeat_at = None
        if after is None:
            row.attempt -= 1
        else:
            row.due_at = self._clock() + after
        return True

    def hold(self, job: str, worker: str) -> bool:
        """Lock the job until the transaction ends; false when it is no longer this worker's."""
        return _holds(self._locked(job), worker)

    def finish(
        self,
        job: str,
        worker: str,
        *,
        result: dict[str, Any] | None = None,
        problem: dict[str, Any] | None = None,
    ) -> Job:
        """End a job: as done with a result, or as failed with a problem.

        Raises
        ------
        Conflict
            When it is no longer this worker's: nothing of the attempt may take effect.
        """
        row = self._locked(job)
        if not _holds(row, worker):
            raise Conflict("the job was cancelled, or another worker has taken it over")
        state = JobState.DONE if problem is None else JobState.FAILED
        self._end(row, state, result=result, problem=problem)
        return _job(row)

    def due(self, limit: int = 100) -> tuple[str, ...]:
        """Jobs that a worker should start now: waiting ones, and those whose worker is silent."""
        now = self._clock()
        waiting = and_(
            JobRow.state == JobState.QUEUED.value,
            or_(JobRow.due_at.is_(None), JobRow.due_at <= now),
        )
        silent = and_(JobRow.state == JobState.RUNNING.value, JobRow.heartbeat_at < now - LEASE)
        query = select(JobRow.id).where(or_(waiting, silent)).order_by(JobRow.created_at)
        return tuple(self._session.scalars(query.limit(limit)))

    # -- parts ------------------------------------------------------------------------------

    def _locked(self, job: str) -> JobRow:
        row = self._session.get(JobRow, job, with_for_update=True, populate_existing=True)
        if row is None:
            raise _unknown()
        return row

    def _claimable(self, row: JobRow) -> bool:
        now = self._clock()
        if row.state == JobState.QUEUED.value:
            return row.due_at is None or row.due_at <= now
        if row.state == JobState.RUNNING.value:
            return row.heartbeat_at is None or row.heartbeat_at < now - LEASE
        return False

    def _end(
        self,
        row: JobRow,
        state: JobState,
        *,
        result: dict[str, Any] | None = None,
        problem: dict[str, Any] | None = None,
    ) -> None:
        row.state, row.result, row.problem = state.value, result, problem
        row.worker = row.heartbeat_at = row.due_at = None
        row.ended_at = self._clock()
        self._session.flush()

    def _clock(self) -> datetime:
        """Now; of the database where its clients may be on several machines."""
        if self._session.get_bind().dialect.name != "postgresql":
            return self._started
        now: datetime = self._session.scalars(select(func.clock_timestamp())).one()
        return now

    def _below(self, query: Select[tuple[JobRow]], last: Job) -> Select[tuple[JobRow]]:
        return query.where(tuple_(JobRow.created_at, JobRow.id) < (last.created_at, last.id))


def _held_by(worker: str) -> tuple[ColumnElement[bool], ...]:
    return JobRow.worker == worker, JobRow.state == JobState.RUNNING.value


def _holds(row: JobRow, worker: str) -> bool:
    return row.worker == worker and row.state == JobState.RUNNING.value


def _abandoned(attempts: int) -> dict[str, Any]:
    return {
        "code": JobAbandoned.code,
        "detail": f"it was started {attempts} times, and no attempt came to an end",
    }


def _unknown() -> NotFound:
    return NotFound("there is no such job")


def _job(row: JobRow) -> Job:
    return Job.model_validate({name: getattr(row, name) for name in Job.model_fields})
