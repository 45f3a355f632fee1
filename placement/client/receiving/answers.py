"""What a receiver answers. The status tells the sender whether to try again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum


class Result(StrEnum):
    """What became of a message."""

    DONE = "done"
    """200: its effect is there."""
    REPEATED = "repeated"
    """200: it was there already."""
    OVERTAKEN = "overtaken"
    """200: a later event of the same dataset is done, so that this one has nothing to say."""
    UNPROVEN = "unproven"
    """401: the signature does not hold, or is of another time. Trying again may help: a retry is
    signed anew, and a secret may be on its way."""
    REFUSED = "refused"
    """422, for good: expired, withdrawn, not certified, or not a message at all. Sending the same
    again is of no use; a person has to look at it."""
    FAILED = "failed"
    """503: the effect, or what it rests on, failed. Try again."""


_STATUS = {
    Result.DONE: 200,
    Result.REPEATED: 200,
    Result.OVERTAKEN: 200,
    Result.UNPROVEN: 401,
    Result.REFUSED: 422,
    Result.FAILED: 503,
}


@dataclass(frozen=True)
class Answer:
    """What to answer over HTTP."""

    result: Result
    detail: str = ""

    @property
    def status(self) -> int:
        """The HTTP status."""
        return _STATUS[self.result]

    @property
    def body(self) -> bytes:
        """JSON: `result` and `detail`."""
        return json.dumps({"result": self.result.value, "detail": self.detail}).encode()


class Refuse(Exception):
    """A message is refused for good. Effects may raise it, too."""


class Unproven(Exception):
    """A message is not proven to be the sender's, or not of now."""
