"""What each kind of job does."""

from __future__ import annotations

from models import JobKind
from placement.service.proposing import decide_job
from placement.service.working import Handlers

HANDLERS: Handlers = {
    JobKind.DECIDE: decide_job,
}
