"""What a receiver's answer means: delivered, tried again when, given up, or gone for good.

A delivery is tried ten times within some sixteen hours; what a receiver refuses as such (422) is
dead at once, since no attempt would mend it. Each pause is up to a fifth longer or shorter than the
schedule says, so that what failed together is not tried together.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from models import DeliveryState
from placement.provision.transport import Reply

PAUSES = (
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(minutes=30),
    timedelta(hours=1),
    timedelta(hours=2),
    timedelta(hours=4),
    timedelta(hours=8),
)
"""After the first failed attempt, the second, and so on; after one more it is dead."""
JITTER = 0.2
LONGEST_WISH = timedelta(hours=24)
"""A receiver's Retry-After counts up to this."""
_GONE = 410
_REFUSED = 422


@dataclass(frozen=True)
class Judged:
    """What one attempt came to."""

    state: DeliveryState
    attempts: int
    after: timedelta | None = None
    """How long to wait, of a delivery that is tried again."""
    gone: bool = False
    """The receiver wants nothing more: by Standard Webhooks its subscription is to be paused."""

    @property
    def delivered(self) -> bool:
        """Whether the receiver has it."""
        return self.state is DeliveryState.DELIVERED


def judge(reply: Reply, attempts: int, chance: float) -> Judged:
    """What a reply means.

    Parameters
    ----------
    attempts
        How many were made before this one.
    chance
        0 to 1: where in the range of the jitter the pause is to be.
    """
    made = attempts + 1
    if not reply.error:
        return Judged(DeliveryState.DELIVERED, made)
    gone = reply.status == _GONE
    if made > len(PAUSES) or reply.status == _REFUSED:
        return Judged(DeliveryState.DEAD, made, gone=gone)
    pause = PAUSES[made - 1] * (1 + JITTER * (2 * chance - 1))
    if reply.retry_after_s is not None:
        pause = max(pause, min(timedelta(seconds=reply.retry_after_s), LONGEST_WISH))
    return Judged(DeliveryState.PENDING, made, pause, gone=gone)
