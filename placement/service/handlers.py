"""What each kind of job does."""

from __future__ import annotations

from models import JobKind
from placement.service.proposing import decide_job
from placement.service.replay import replay_job
from placement.service.what_ifs import what_if_job
from placement.service.working import Handlers

HANDLERS: Handlers = {
    JobKind.DECIDE: decide_job,
    JobKind.WHAT_IF: what_if_job,
    JobKind.REPLAY: replay_job,
}
