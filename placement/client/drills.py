"""The drills of a service: many what-ifs at once, and what they come to."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from models import Drill, DrillSummary, ExitDrill, FrontierDrill, canonical_json
from placement.client.connection import Connection
from placement.client.decoding import part, read, read_plain

_PATH = "/v1/drills"
_LOOK_AGAIN_S = 1.0


class Drills:
    """`client.drills`. Every method raises as `Client` says."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def ask(self, asked: ExitDrill | FrontierDrill) -> Drill:
        """Ask what leaving operators comes to, or what values of a limit do."""
        return read(Drill, self._connection.send("POST", _PATH, body=canonical_json(asked)))

    def read(self, drill: str) -> Drill:
        """A drill, with what its parts have come to so far."""
        return read(Drill, self._connection.send("GET", f"{_PATH}/{part(drill)}"))

    def list(self) -> Iterator[DrillSummary]:
        """Drills, the latest first, and how far they are."""
        for item in self._connection.items(_PATH):
            yield read_plain(DrillSummary, item)

    def cancel(self, drill: str) -> Drill:
        """End every part that has not ended; what the others came to stays."""
        path = f"{_PATH}/{part(drill)}/cancellation"
        return read(Drill, self._connection.send("POST", path))

    def wait(self, drill: str, report: Callable[[Drill], None] = lambda _: None) -> Drill:
        """The drill once all its parts have ended; `report` is told how far it is."""
        while True:
            now = self.read(drill)
            report(now)
            if now.state.final:
                return now
            time.sleep(_LOOK_AGAIN_S)
