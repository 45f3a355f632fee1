"""The command line: parses, calls one use case of the service, and renders its answer.

Nothing heavy is imported before a command runs, so that help and typing errors are instant.

Exit codes: 0 answered; 1 no plan (a dataset has no eligible site, or the constraints cannot all
hold), or a verification that found a fault; 2 bad input; 3 policy engine; 4 solver; 5 the answer
could not be stored; 6 who asks is not known, or not allowed to; 7 the request cannot be met as it
was put; 8 the service cannot be reached; 70 internal error; 130 interrupted; 143 terminated.
"""

from __future__ import annotations

import signal
import sys
from types import FrameType


def main() -> None:
    """Entry point of the `placement` command."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a locale without UTF-8 must not make help crash
            stream.reconfigure(errors="backslashreplace")
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores SIGHUP, and so do we
            signal.signal(number, _leave)
    try:
        from placement.cli.app import app
    except KeyboardInterrupt:  # from here on, `outcome` is in charge
        raise SystemExit(128 + signal.SIGINT) from None
    app(prog_name="placement")


def _leave(number: int, _frame: FrameType | None) -> None:
    """Leave through every `finally`, so that OPA stops with us."""
    raise SystemExit(128 + number)


__all__ = ["main"]
