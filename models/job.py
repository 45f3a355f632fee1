"""Work that takes longer than a request."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from models.base import Flag, Frozen
from models.principal import Subject

JobId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class JobKind(StrEnum):
    """What a job does."""

    DECIDE = "decide"
    WHAT_IF = "what_if"
    REPLAY = "replay"


class JobState(StrEnum):
    """How far a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Nothing more happens."""
        return self in {JobState.DONE, JobState.FAILED, JobState.CANCELLED}


class JobProgress(Frozen):
    """The last news of a job."""

    phase: str = ""
    message: str = ""
    incumbent_eur: Decimal | None = None
    bound_eur: Decimal | None = None
    gap: Decimal | None = None


class Job(Frozen):
    """A durable job."""

    id: JobId
    kind: JobKind
    state: JobState
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    author: Subject
    arguments: dict[str, Any] = Field(default_factory=dict)
    """Plain JSON."""
    attempt: int = 0
    """How often a worker started it."""
    cancel_requested: Flag = False
    progress: JobProgress = JobProgress()
    progress_sequence: int = 0
    """Counts the news; the id of a server-sent event."""
    result: dict[str, Any] | None = None
    """Plain JSON, such as {"decision": 12}."""
    problem: dict[str, Any] | None = None
    """Why it failed: `code` and `detail` of a problem document."""
