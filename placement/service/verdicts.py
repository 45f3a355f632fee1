"""Verdicts that a process keeps: answers of OPA that hang on nothing but what they were asked."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import date

from models import HostObligation, PolicyDataset, PolicySite, Preference, SourcedViolation

VERDICTS_KEPT = 20_000
"""Verdicts kept of one revision; some 4 kB each at most, and they share most of it."""


@dataclass(frozen=True)
class Judged:
    """A verdict with the sources of what it fails."""

    violations: tuple[SourcedViolation, ...]
    host_obligations: tuple[HostObligation, ...]
    preferences: tuple[Preference, ...]


Question = tuple[PolicyDataset, PolicySite, date]


class Verdicts:
    """Verdicts of the active revision. Safe to use from several threads.

    Verdicts of another revision are forgotten as soon as one is asked about.
    """

    def __init__(self, most: int = VERDICTS_KEPT) -> None:
        self._most = most
        self._revision = ""
        self._kept: OrderedDict[Question, Judged] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, revision: str, question: Question) -> Judged | None:
        """The verdict that this revision gave; none where it was not asked yet."""
        with self._lock:
            if revision != self._revision:
                self._kept.clear()
                self._revision = revision
            found = self._kept.get(question)
            if found is not None:
                self._kept.move_to_end(question)
            return found

    def keep(self, revision: str, question: Question, judged: Judged) -> None:
        """Keep what a revision said, unless another one is active by now."""
        with self._lock:
            if revision != self._revision:
                return
            self._kept[question] = judged
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
