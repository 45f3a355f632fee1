"""A receiver as a city would run it, that can be killed and started again at once.

`python -m tests.outbox_hook FOLDER PORT` reads the secret from its first line, and then orders:
"start" forks a receiver, "kill" kills it with SIGKILL. Each order is answered with a line.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from pathlib import Path

EFFECTS = "effects.sqlite3"


def receive(folder: Path, port: int, secret: str) -> None:
    """Receive until killed; every effect is a row, and nothing keeps a second one away."""
    from placement.client.receiver import Received, Receiver
    from placement.client.receiving.server import serve

    def effect(received: Received, journal: sqlite3.Connection) -> None:
        row = (received.id, received.dataset, received.sequence)
        journal.execute("INSERT INTO effects (id, dataset, sequence) VALUES (?, ?, ?)", row)

    receiver = Receiver([secret], folder / EFFECTS, effect)
    with sqlite3.connect(folder / EFFECTS, timeout=30) as journal:
        journal.execute(
            "CREATE TABLE IF NOT EXISTS effects"
            " (number INTEGER PRIMARY KEY, id TEXT, dataset TEXT, sequence INTEGER)"
        )
    journal.close()
    serve(receiver, "127.0.0.1", port)


def main() -> None:
    """Start and kill, one order after the other."""
    import placement.client.receiver  # noqa: F401  so that a forked one starts at once

    folder, port = Path(sys.argv[1]), int(sys.argv[2])
    secret, child = sys.stdin.readline().strip(), 0
    for order in sys.stdin:
        if order.strip() == "start":
            child = os.fork()
            if child == 0:
                os.dup2(os.open(folder / "hook.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
                receive(folder, port, secret)
        else:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            child = 0
        sys.stdout.write("done\n")
        sys.stdout.flush()
    if child:
        os.kill(child, signal.SIGKILL)


if __name__ == "__main__":
    main()
