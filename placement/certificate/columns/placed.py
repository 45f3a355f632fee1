"""The sites a plan names, and whether they are as many as wanted, known and distinct."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models import Check
from models.columns import Flags, Integers, Numbers32, PlacedColumns
from placement.certificate.checks import check
from placement.certificate.columns.city import ColumnCity
from placement.certificate.columns.naming import told


@dataclass(frozen=True)
class Placed:
    """The known part of a plan; what is left out, `inputs` names."""

    sites: Numbers32
    """(N, R) rows of sites, each at most once a dataset, -1 for none."""
    inputs: Check
    """Every site named is known and named once."""


def read_placed(city: ColumnCity, placed: PlacedColumns) -> Placed:
    """Leave out sites that are unknown or named twice."""
    given, failures = placed.sites, list[str]()
    if given.ndim != 2 or len(given) != len(city):
        failures.append(f"sites: {given.shape} for {len(city)} datasets")
        given = np.full((len(city), 1), -1, dtype=np.int32)
    unknown = (given < -1) | (given >= len(city.places.ids))
    if unknown.any():
        failures += told(
            np.flatnonzero(unknown.any(axis=1)), lambda d: f"{city.name(d)}: a site is unknown"
        )
        given = np.where(unknown, -1, given)
    twice = _repeats(given)
    if twice is not None:
        failures += told(
            np.flatnonzero(twice.any(axis=1)), lambda d: f"{city.name(d)}: a site is named twice"
        )
        given = np.where(twice, -1, given)
    return Placed(given.astype(np.int32, copy=False), check("inputs", len(city), failures))


def _repeats(sites: Numbers32) -> Flags | None:
    """(N, R) entries whose site stands before them, too; none where there are none."""
    repeats = np.zeros(sites.shape, dtype=np.bool_)
    for later in range(1, sites.shape[1]):
        for earlier in range(later):
            same = (sites[:, later] == sites[:, earlier]) & (sites[:, later] >= 0)
            repeats[:, later] |= same
    return repeats if repeats.any() else None


def operators_at(city: ColumnCity, sites: Integers | Numbers32) -> Integers:
    """The operator of each site, -1 for none."""
    operators: Integers = np.append(city.places.operator_of, -1)[sites]
    return operators
