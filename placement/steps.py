"""How a use case tells what it is doing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One step of a use case, or news of a long one."""

    phase: str
    """read, eligibility, solve, certify, verify or explain."""
    message: str
    incumbent: float | None = None
    """EUR a year of the best plan so far."""
    bound: float | None = None
    """EUR a year below which no plan can cost."""
    gap: float | None = None


Report = Callable[[Step], None]


def silent(_step: Step) -> None:
    """Report to nobody."""
