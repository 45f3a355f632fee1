"""Verdicts that OPA gave before, so that only what changed is asked again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date

from models import Obligation, Verdict
from placement.errors import PolicyEngineError

VERDICTS_MAX = 500_000
"""A verdict shared by many pairs is one object; a pair alone takes some 100 bytes."""
_DUTIES_MAX = 10_000

Row = dict[str, Verdict]
"""Verdicts of one view, by the digest of the site's view."""
DutyPairs = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Basis:
    """What a verdict rests on besides the two views. Another basis: everything is asked again.

    A revision is the digest of all rules and their data. Whether a changed rule leaves a verdict
    alone cannot be told from outside, so no verdict outlives its revision.
    """

    policy_revision: str
    opa_version: str
    as_of: date


@dataclass
class _Held:
    rows: OrderedDict[str, Row] = field(default_factory=OrderedDict)
    """By the digest of the dataset's view, the least recently used first."""
    obligations: dict[str, Obligation] = field(default_factory=dict)
    duties: OrderedDict[tuple[str, tuple[str, ...]], DutyPairs] = field(default_factory=OrderedDict)
    shared: dict[Verdict, Verdict] = field(default_factory=dict)


class KnownVerdicts:
    """Verdicts of one basis: bounded, and safe to use from several threads.

    Views are known by the SHA-256 of their canonical JSON, so that equal ones meet whatever
    catalogue they come from.

    Parameters
    ----------
    verdicts_max
        Pairs to keep. Beyond it, verdicts of sites that are no longer asked about go first, then
        those of the views not asked about for longest.
    """

    def __init__(self, verdicts_max: int = VERDICTS_MAX) -> None:
        self._verdicts_max = verdicts_max
        self._lock = threading.Lock()
        self._basis: Basis | None = None
        self._held = _Held()

    def __len__(self) -> int:
        with self._lock:
            return sum(map(len, self._held.rows.values()))

    def recall(self, basis: Basis, views: Sequence[str], sites: Sequence[str]) -> list[Row]:
        """For each view (digest) the known verdicts at these sites (digests)."""
        with self._lock:
            if basis != self._basis:
                return [{} for _ in views]
            found = []
            for view in views:
                row = self._held.rows.get(view, {})
                if row:
                    self._held.rows.move_to_end(view)
                found.append({site: row[site] for site in sites if site in row})
            return found

    def obligations(self, basis: Basis) -> dict[str, Obligation]:
        """The obligations that known verdicts may name, by code."""
        with self._lock:
            return dict(self._held.obligations) if basis == self._basis else {}

    def keep(
        self, basis: Basis, rows: Sequence[tuple[str, Row]], obligations: Iterable[Obligation]
    ) -> list[Row]:
        """Remember verdicts and forget those of another basis.

        Answers with the rows as they are kept: equal verdicts are one object.
        """
        with self._lock:
            self._turn_to(basis)
            merge_obligations(self._held.obligations, obligations)
            shared = self._shared(row for _, row in rows)
            for view, row in zip((view for view, _ in rows), shared, strict=True):
                self._held.rows.setdefault(view, {}).update(row)
                self._held.rows.move_to_end(view)
            self._shrink({site for row in shared for site in row})
            return shared

    def recall_duties(self, basis: Basis, site: str, duties: tuple[str, ...]) -> DutyPairs | None:
        """Which of the duties the site keeps apart; none: nobody asked."""
        with self._lock:
            return self._held.duties.get((site, duties)) if basis == self._basis else None

    def keep_duties(
        self, basis: Basis, site: str, duties: tuple[str, ...], pairs: DutyPairs
    ) -> None:
        """Remember which of the duties the site keeps apart."""
        with self._lock:
            self._turn_to(basis)
            self._held.duties[site, duties] = pairs
            if len(self._held.duties) > _DUTIES_MAX:
                self._held.duties.popitem(last=False)

    def _turn_to(self, basis: Basis) -> None:
        if basis != self._basis:
            self._basis, self._held = basis, _Held()

    def _shared(self, rows: Iterable[Row]) -> list[Row]:
        """The rows with one object for equal verdicts; each object given is compared once."""
        first: dict[int, Verdict] = {}
        found = []
        for row in rows:
            for verdict in row.values():
                if id(verdict) not in first:
                    first[id(verdict)] = self._held.shared.setdefault(verdict, verdict)
            found.append({site: first[id(verdict)] for site, verdict in row.items()})
        return found

    def _shrink(self, sites: set[str]) -> None:
        """Forget what is least likely to be asked again until few enough are left."""
        rows = self._held.rows
        count = sum(map(len, rows.values()))
        if count <= self._verdicts_max:
            return
        for view in list(rows):
            rows[view] = {site: kept for site, kept in rows[view].items() if site in sites}
        count = sum(map(len, rows.values()))
        while count > self._verdicts_max:
            _, row = rows.popitem(last=False)
            count -= len(row)
        left = {verdict for row in rows.values() for verdict in row.values()}
        self._held.shared = {verdict: verdict for verdict in left}


def merge_obligations(into: dict[str, Obligation], found: Iterable[Obligation]) -> None:
    """Add obligations by code.

    Raises
    ------
    PolicyEngineError
        One was stated otherwise before, by the same policies.
    """
    for obligation in found:
        if into.setdefault(obligation.code, obligation) != obligation:
            raise PolicyEngineError(
                f"the policies state the obligation {obligation.code} in two ways"
            )
