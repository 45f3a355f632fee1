"""How a check is made."""

from __future__ import annotations

from collections.abc import Iterable

from models import Check


def check(name: str, checked: int, failures: Iterable[str]) -> Check:
    """A check that holds exactly when it found no failure."""
    found = tuple(failures)
    return Check(name=name, holds=not found, checked=checked, failures=found)
