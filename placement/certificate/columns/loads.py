"""What rests where: whole numbers by site, from which every cost and row total follows exactly.

Costs and weights are linear in four features of a dataset: that it is one, its gigabytes, and
the millionths of gigabytes delivered and read a month. Their coefficients depend on the site and
on few properties of the dataset, one *axis* each:

| axis     | rows                                        | coefficients                       |
|----------|---------------------------------------------|------------------------------------|
| site     | one                                         | handling, capacity, concentration  |
| storage  | kinds of storage                            | storage, exit cost                 |
| critical | no, yes                                     | concentration of critical datasets |
| tariff   | storage, replicas, critical, remote readers | delivery, reading                  |
| profile  | profiles                                    | preference, closed stack           |
| current  | tuples of sites of today                    | migration, moves                   |

A *term* is one such table of coefficients, (rows of the axis, S), in integers of 1/unit. With
the loads of a plan, sums of a feature by row of the axis and site, its value is the sum of their
products: a few thousand exact products, whatever the number of datasets.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from math import lcm

import numpy as np

from models.columns import Integers, Numbers32
from placement.certificate.columns.city import STORAGE, ColumnCity
from placement.certificate.columns.sums import Whole, add_up_by

COUNT, VOLUME, DELIVERED, READ = range(4)
FEATURES = 4
AXES = ("site", "storage", "critical", "tariff", "profile", "current")
_COUNTED = {"tariff": (COUNT, VOLUME, DELIVERED, READ), "profile": (COUNT, VOLUME)}
_COUNTED["current"] = (COUNT, VOLUME)

Cell = tuple[str, int]
"""(axis, feature)"""


@dataclass(frozen=True)
class Term:
    """Coefficients of one feature along one axis, numerators / unit."""

    axis: str
    feature: int
    numerators: Whole
    """(rows of the axis, S)"""
    unit: int

    def times(self, price: Fraction) -> Term:
        """The term with a price on every unit of it."""
        scaled = self.numerators * price.numerator
        return Term(self.axis, self.feature, scaled, self.unit * price.denominator)


def term(axis: str, feature: int, values: list[list[Fraction]]) -> Term:
    """A term from fractions."""
    unit = lcm(1, *{value.denominator for row in values for value in row})
    numerators: Whole = np.zeros((len(values), len(values[0]) if values else 0), dtype=object)
    for a, row in enumerate(values):
        numerators[a] = [value.numerator * (unit // value.denominator) for value in row]
    return Term(axis, feature, numerators, unit)


def merged(terms: Iterable[Term]) -> list[Term]:
    """One term for each axis and feature, with the sum of their coefficients."""
    found: dict[Cell, Term] = {}
    for t in terms:
        other = found.get((t.axis, t.feature))
        found[t.axis, t.feature] = t if other is None else _sum(t, other)
    return list(found.values())


def _sum(one: Term, other: Term) -> Term:
    unit = lcm(one.unit, other.unit)
    numerators = one.numerators * (unit // one.unit) + other.numerators * (unit // other.unit)
    return Term(one.axis, one.feature, numerators, unit)


@dataclass(frozen=True)
class Axes:
    """For each row of the counted axes, its row on the axes that follow from it."""

    storage_of_tariff: Integers
    critical_of_tariff: Integers
    tariff_of: Numbers32
    profile_of: Numbers32
    current_of: Numbers32

    def rows(self, axis: str, datasets: Integers | slice) -> Integers | Numbers32:
        """The rows of datasets on an axis."""
        if axis == "storage":
            return self.storage_of_tariff[self.tariff_of[datasets]]
        if axis == "critical":
            return self.critical_of_tariff[self.tariff_of[datasets]]
        if axis == "site":
            return np.zeros(len(self.tariff_of[datasets]), dtype=np.int64)
        named = {"tariff": self.tariff_of, "profile": self.profile_of, "current": self.current_of}
        return named[axis][datasets]


def axes_of(city: ColumnCity) -> Axes:
    """The axes of a city."""
    storage = [STORAGE.index(tariff.storage) for tariff in city.tariffs]
    critical = [int(tariff.critical) for tariff in city.tariffs]
    return Axes(
        storage_of_tariff=np.array(storage, dtype=np.int64),
        critical_of_tariff=np.array(critical, dtype=np.int64),
        tariff_of=city.tariff_of,
        profile_of=city.profile_of,
        current_of=city.columns.current_of,
    )


def axis_sizes(city: ColumnCity) -> dict[str, int]:
    """The number of rows of each axis."""
    return {
        "site": 1,
        "storage": len(STORAGE),
        "critical": 2,
        "tariff": len(city.tariffs),
        "profile": len(city.verdicts.rows),
        "current": len(city.held),
    }


@dataclass(frozen=True)
class Loads:
    """Sums of features by row of an axis and site, for one choice of sites."""

    axes: Axes
    by_cell: dict[Cell, Whole]
    """(rows of the axis, S) for the axes that are counted; others are put together from them."""
    _known: dict[Cell, Whole] = field(default_factory=dict)

    def of(self, axis: str, feature: int) -> Whole:
        """Sums of a feature, (rows of the axis, S)."""
        if (axis, feature) in self.by_cell:
            return self.by_cell[axis, feature]
        if (axis, feature) not in self._known:
            self._known[axis, feature] = self._gathered(axis, feature)
        return self._known[axis, feature]

    def _gathered(self, axis: str, feature: int) -> Whole:
        tariffs = self.by_cell["tariff", feature]
        if axis == "site":
            return np.asarray(tariffs.sum(axis=0, keepdims=True))
        to, size = {
            "storage": (self.axes.storage_of_tariff, len(STORAGE)),
            "critical": (self.axes.critical_of_tariff, 2),
        }[axis]
        total: Whole = np.zeros((size, tariffs.shape[1]), dtype=object)
        for row, target in enumerate(to.tolist()):
            total[target] += tariffs[row]
        return total

    def value(self, terms: Iterable[Term]) -> Fraction:
        """The exact sum of the terms."""
        parts = ((t, t.numerators * self.of(t.axis, t.feature)) for t in terms)
        return sum((Fraction(int(p.sum()), t.unit) for t, p in parts if p.size), Fraction(0))


def loads_of(city: ColumnCity, sites: Numbers32) -> Loads:
    """The loads of a choice of sites.

    Parameters
    ----------
    sites
        (N, R) rows of sites, -1 for none.
    """
    sizes, axes = axis_sizes(city), axes_of(city)
    columns, width = city.columns, len(city.places.sites)
    values = {
        VOLUME: columns.volume_gb,
        DELIVERED: columns.monthly_egress_ugb,
        READ: columns.monthly_read_ugb,
    }
    found: dict[Cell, Whole] = {}
    for axis, features in _COUNTED.items():
        shape = sizes[axis], width
        for feature in features:
            found[axis, feature] = np.zeros(shape, dtype=object)
        for column in sites.T:
            there = column >= 0
            kept = slice(None) if there.all() else np.flatnonzero(there)
            cells = axes.rows(axis, kept).astype(np.int64) * width + column[kept]
            counts = np.bincount(cells, minlength=shape[0] * width).reshape(shape)
            found[axis, COUNT] += counts.astype(object)
            for feature in features[1:]:
                sums = add_up_by(cells, values[feature][kept], shape[0] * width)
                found[axis, feature] += sums.reshape(shape)
    return Loads(axes, found)
