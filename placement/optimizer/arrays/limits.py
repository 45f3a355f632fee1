"""The coupling rows of a columnar catalogue: those of placement.optimizer.coupling, by class.

Right-hand sides are rounded down where weights are whole: that loses no plan.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import floor

import numpy as np

from models import Parameters
from placement.optimizer.arrays.classes import (
    ONE,
    VOLUME,
    Classes,
    SiteArrays,
    storage_price,
)
from placement.optimizer.arrays.problem import Row
from placement.optimizer.attributes import Flags, Floats, Indices


@dataclass(frozen=True)
class Totals:
    """Sums over all datasets that limits are shares of."""

    volume_gb: int
    """V: of all replicas."""
    critical: int
    """C: replicas of critical datasets."""
    placed: int
    """Datasets that rest somewhere today."""


@dataclass(frozen=True)
class Weights:
    """What rows are made of. K classes of datasets, S sites."""

    classes: Classes
    sites: SiteArrays
    critical: Flags
    """(K,)"""
    closed: Flags
    """(K, S)"""
    stays: Floats
    """(K, S) 1 at the first of today's sites."""


def limits(of: Weights, parameters: Parameters, totals: Totals) -> Iterator[Row]:
    """All coupling rows, in a fixed order."""
    yield from _capacity(of)
    yield from _concentration_volume(of, parameters, totals)
    yield from _concentration_critical(of, parameters, totals)
    yield from _exit_budget(of, parameters)
    limit = floor(parameters.closed_stack_share_max * totals.volume_gb)
    every = np.arange(len(of.sites.ids))
    yield _row("closed_stack", every, VOLUME, of.closed.astype(np.float64)[:, None, :], limit)
    if parameters.moves_max is not None and parameters.moves_max < totals.placed:
        rhs = float(parameters.moves_max - totals.placed)
        yield _row("moves", every, ONE, -of.stays[:, None, :], rhs)


def _capacity(of: Weights) -> Iterator[Row]:
    for s, name in enumerate(of.sites.ids):
        at = np.array([s], dtype=np.intp)
        rhs = float(of.sites.capacity_gb[s])
        yield _row(f"capacity[{name}]", at, VOLUME, np.ones((1, 1, 1)), rhs)


def _concentration_volume(of: Weights, parameters: Parameters, totals: Totals) -> Iterator[Row]:
    limit = floor(parameters.operator_volume_share_max * totals.volume_gb)
    for name, at in _capped_operators(of.sites):
        ones = np.ones((1, 1, len(at)))
        yield _row(f"concentration_volume[{name}]", at, VOLUME, ones, limit)


def _concentration_critical(of: Weights, parameters: Parameters, totals: Totals) -> Iterator[Row]:
    if totals.critical == 0:
        return
    limit = max(1, floor(parameters.operator_critical_share_max * totals.critical))
    for name, at in _capped_operators(of.sites):
        weights = np.repeat(of.critical.astype(np.float64)[:, None, None], len(at), axis=2)
        yield _row(f"concentration_critical[{name}]", at, ONE, weights, limit)


def _exit_budget(of: Weights, parameters: Parameters) -> Iterator[Row]:
    if parameters.exit_budget_eur is None:
        return
    at = np.flatnonzero(of.sites.capped[of.sites.operator_of])
    months = of.sites.exit_days[at] / 30.0
    per_gb = of.sites.egress_price[at] + storage_price(of.classes, of.sites)[:, at] * months
    rework = float(parameters.closed_rework_eur_per_dataset) * of.closed[:, at]
    weights = np.stack([rework, np.nan_to_num(per_gb)], axis=1)
    features = np.array([ONE, VOLUME], dtype=np.intp)
    yield Row("exit_budget", at, features, weights, float(parameters.exit_budget_eur))


def _capped_operators(sites: SiteArrays) -> Iterator[tuple[str, Indices]]:
    for o in np.flatnonzero(sites.capped).tolist():
        yield sites.operators[o], np.flatnonzero(sites.operator_of == o)


def _row(name: str, at: Indices, feature: int, weights: Floats, rhs: float) -> Row:
    return Row(name, at, np.array([feature], dtype=np.intp), weights, float(rhs))
