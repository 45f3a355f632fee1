"""What is going on, on standard error: a status line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from placement.cli.text import shown


class Step(Protocol):
    """What the service reports."""

    @property
    def phase(self) -> str: ...  # noqa: D102
    @property
    def message(self) -> str: ...  # noqa: D102


Reporter = Callable[[Any], None]


@contextmanager
def reporting(*, quiet: bool) -> Iterator[Reporter]:
    """A callback for the steps of a use case.

    It never raises: nobody's answer depends on whether its progress could be shown.
    """
    if quiet or sys.stderr is None:
        yield lambda _step: None
    elif sys.stderr.isatty():
        with _status_line() as reporter:
            yield reporter
    else:
        yield _PlainLines()


@contextmanager
def _status_line() -> Iterator[Reporter]:
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True, markup=False, highlight=False, emoji=False)
    with console.status(Text("starting")) as status:
        yield lambda step: status.update(
            Text(shown(sentence(step)), overflow="ellipsis", no_wrap=True)
        )


class _PlainLines:
    """One line for each new thing said; the solver repeats itself."""

    def __init__(self) -> None:
        self._said = ""

    def __call__(self, step: Step) -> None:
        line = sentence(step)
        if line != self._said:
            self._said = line
            note(line, quiet=False)


def note(text: str, *, quiet: bool) -> None:
    """A line on standard error; lost, not fatal, where nobody listens any more."""
    if not quiet and sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            print(shown(text), file=sys.stderr, flush=True)


def sentence(step: Step) -> str:
    """A step in words, with the figures it has."""
    figures = []
    for name in ("incumbent", "bound"):
        value = getattr(step, name, None)
        if value is not None:
            figures.append(f"{name} EUR {value:,.0f}")
    gap = getattr(step, "gap", None)
    if gap is not None:
        figures.append(f"gap {100 * gap:.3g} %")
    return f"{step.phase}: {step.message}" + (f" ({', '.join(figures)})" if figures else "")
