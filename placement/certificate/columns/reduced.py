"""Reduced costs in float64, block by block: enough to choose sites by, and how wrong they may be.

    c'_ds = c_ds + sum_r p_r w_r(d, s) + sum over flows e out of d of m_es
            - sum over flows e into d of max over the sites t of the operator of s of m_et
            + sum over pairs q of d with s at their place of l_q

is linear in four features of d with coefficients by *class*, the datasets of one tariff, profile
and tuple of sites of today. Each coefficient is the sum of at most four tables, each correctly
rounded from exact integers.

Error: with u = 2^-53 and M the sum of the magnitudes of all terms, a computed value is within
gamma_k M of the exact one, gamma_k = k u / (1 - k u), where k counts the roundings a term passes
(Higham, Accuracy and Stability of Numerical Algorithms, 2002, 3.1). A term of a dataset passes 12:
its table (1), the sum of tables (3), the feature (1), the product (1), the sum of features (3),
and three sums with messages and pairs (3). A message passes 4 and as many as the dataset has
flows, the price of a pair 4 and as many as it has pairs; a sum over the members of a group as many
more as there are members. `roundings` is larger than all.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from models.columns import Flags, Integers
from placement.certificate.columns.city import STORAGE, ColumnCity
from placement.certificate.columns.constraints import with_alternatives
from placement.certificate.columns.costs import price
from placement.certificate.columns.loads import (
    COUNT,
    DELIVERED,
    FEATURES,
    READ,
    VOLUME,
    Term,
    axes_of,
    merged,
)
from placement.certificate.columns.meetings import Meetings
from placement.certificate.columns.prices import MESSAGE_UNIT
from placement.certificate.columns.sums import distinct

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Ends:
    """Flows by the dataset at one of their ends; or ends of pairs by their dataset."""

    offsets: Integers
    """(N + 1,)"""
    flows: Integers
    """(F,) numbers of flows, those of one dataset together."""

    def of(self, datasets: Integers) -> tuple[Integers, Integers, Integers]:
        """Flows of these datasets, where each dataset's begin, and which datasets have any."""
        begin = self.offsets[datasets]
        counts = self.offsets[datasets + 1] - begin
        some = np.flatnonzero(counts)
        begin, counts = begin[some], counts[some]
        starts = np.cumsum(counts) - counts
        picked = np.repeat(begin - starts, counts) + np.arange(counts.sum())
        return self.flows[picked], starts, some

    @property
    def most(self) -> int:
        """The most flows of one dataset."""
        return int(np.diff(self.offsets).max(initial=0))


class ReducedCosts:
    """c' of any datasets at all sites."""

    def __init__(
        self,
        city: ColumnCity,
        terms: list[Term],
        messages: NDArray[np.int64],
        meetings: Meetings,
    ) -> None:
        self._city = city
        self._messages = messages
        self._meetings = meetings
        axes = axes_of(city)
        self._class_of, rows = _classes(city)
        sizes = len(rows["tariff"]), len(city.places.ids)
        self._coefficients = np.zeros((FEATURES, *sizes))
        rows["storage"] = axes.storage_of_tariff[rows["tariff"]]
        rows["critical"] = axes.critical_of_tariff[rows["tariff"]]
        rows["site"] = np.zeros_like(rows["tariff"])
        for t in merged(terms):
            table = (t.numerators / t.unit).astype(np.float64)
            self._coefficients[t.feature] += table[rows[t.axis]]
        self.open = _open(city, rows["tariff"], rows["profile"])
        """(classes, S) pairs that no constraint on a dataset alone rules out."""

    def of(self, datasets: Integers) -> Floats:
        """(n, S) EUR a year, infinite where the pair is not open."""
        columns, of_class = self._city.columns, self._class_of[datasets]
        cost: Floats = self._coefficients[COUNT].take(of_class, axis=0)
        for feature, amounts in (
            (VOLUME, columns.volume_gb),
            (DELIVERED, columns.monthly_egress_ugb),
            (READ, columns.monthly_read_ugb),
        ):
            if not self._idle[feature]:
                part = self._coefficients[feature].take(of_class, axis=0)
                part *= amounts[datasets].astype(np.float64)[:, None]
                cost += part
        if len(self._messages):
            self._add_messages(cost, datasets)
        if len(self._meetings):
            self._add_meetings(cost, datasets)
        cost[~self.open.take(of_class, axis=0)] = np.inf
        self._close_fixed(cost, datasets)
        return cost

    @cached_property
    def _idle(self) -> list[bool]:
        columns = self._city.columns
        amounts = {DELIVERED: columns.monthly_egress_ugb, READ: columns.monthly_read_ugb}
        return [
            not self._coefficients[feature].any()
            or (feature in amounts and not amounts[feature].any())
            for feature in range(FEATURES)
        ]

    def _add_messages(self, cost: Floats, datasets: Integers) -> None:
        flows, starts, some = self._out.of(datasets)
        if len(flows):
            paid = self._messages[flows] / MESSAGE_UNIT
            cost[some] += np.add.reduceat(paid, starts, axis=0)
        flows, starts, some = self._into.of(datasets)
        if len(flows):
            granted = np.add.reduceat(self.granted(flows) / MESSAGE_UNIT, starts, axis=0)
            cost[some] -= granted[:, self._city.places.operator_of]

    def _add_meetings(self, cost: Floats, datasets: Integers) -> None:
        ends, starts, some = self._apart.of(datasets)
        if not len(ends):
            return
        pairs, places = ends % len(self._meetings), self._city.places
        counts = np.diff(starts, append=len(ends))
        width = self._meetings.sites + len(places.operators)
        cell = np.repeat(np.arange(len(some)), counts) * width + self._meetings.place[pairs]
        price = self._meetings.price[pairs] / MESSAGE_UNIT
        paid = np.bincount(cell, price, len(some) * width).reshape(len(some), width)
        at, by_operator = np.split(paid, [self._meetings.sites], axis=1)
        cost[some] += at + by_operator[:, places.operator_of]

    def granted(self, flows: Integers | slice) -> NDArray[np.int64]:
        """(n, O) the largest message among the sites of each operator, 1e-6 EUR."""
        messages = self._messages[flows]
        most = np.zeros((len(messages), len(self._city.places.operators)), dtype=np.int64)
        for site, operator in enumerate(self._city.places.operator_of.tolist()):
            np.maximum(most[:, operator], messages[:, site], out=most[:, operator])
        return most

    @cached_property
    def _out(self) -> Ends:
        return _ends(self._city.facts.flow_source, len(self._city))

    @cached_property
    def _into(self) -> Ends:
        return _ends(self._city.facts.flow_derived, len(self._city))

    @cached_property
    def _apart(self) -> Ends:
        """Number q is the first end of priced pair q, P + q its second end."""
        both = np.concatenate([self._meetings.first, self._meetings.second])
        return _ends(both, len(self._city))

    @cached_property
    def _fixed(self) -> dict[int, Flags]:
        """For each dataset with fixed pairs the sites that these close."""
        city, closed = self._city, dict[int, Flags]()
        for dataset, site, allowed in city.fixed:
            flags = closed.setdefault(dataset, np.zeros(len(city.places.ids), dtype=np.bool_))
            if not allowed:
                flags[site] = True
            elif city.replicas[dataset] == 1:
                flags |= np.arange(len(flags)) != site
        return closed

    def _close_fixed(self, cost: Floats, datasets: Integers) -> None:
        if self._fixed:
            at = np.isin(datasets, list(self._fixed))
            for row in np.flatnonzero(at).tolist():
                cost[row, self._fixed[int(datasets[row])]] = np.inf

    def roundings(self, largest_group: int) -> int:
        """k: more roundings than any term of a unit passes."""
        flows = self._out.most + self._into.most if len(self._messages) else 0
        pairs = self._apart.most if len(self._meetings) else 0
        return 32 + largest_group + flows + pairs


def _classes(city: ColumnCity) -> tuple[Integers, dict[str, Integers]]:
    """The class of each dataset, and each class's row on the axes."""
    profiles, held = len(city.verdicts.rows), len(city.held)
    space = len(city.tariffs) * profiles * held
    code = (city.tariff_of.astype(np.int64) * profiles + city.profile_of) * held
    found, number = distinct(code + city.columns.current_of, space)
    pairs, current = np.divmod(found, max(1, held))
    tariff, profile = np.divmod(pairs, max(1, profiles))
    return number.astype(np.int32), {"tariff": tariff, "profile": profile, "current": current}


def _open(city: ColumnCity, tariff: Integers, profile: Integers) -> Flags:
    """(classes, S) eligible, priced, and with enough alternatives where critical."""
    offered = np.array(
        [[price(site, kind) is not None for site in city.places.sites] for kind in STORAGE]
    )
    storage = np.array([STORAGE.index(t.storage) for t in city.tariffs], dtype=np.int64)
    critical = np.array([t.critical for t in city.tariffs], dtype=np.bool_)
    free = with_alternatives(city)[profile] | ~critical[tariff][:, None]
    opened: Flags = city.verdicts.eligible[profile] & offered[storage[tariff]] & free
    return opened


def _ends(datasets: Integers, count: int) -> Ends:
    offsets = np.concatenate(([0], np.cumsum(np.bincount(datasets, minlength=count))))
    return Ends(offsets, np.argsort(datasets, kind="stable"))
