"""Units of a columnar catalogue: single datasets, and co-located groups that are placed as one.

A group is a class of its own: its costs and class-dependent weights are the sums of its
members', kept under the feature that is always 1; the other features are summed, so that weights
that are the same for all classes see them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from models.columns import Groups
from placement.optimizer.arrays.classes import ONE
from placement.optimizer.arrays.problem import Row
from placement.optimizer.attributes import Flags, Floats, Indices


@dataclass(frozen=True)
class Parts:
    """Cost, openness and rows by class, (K, ...), and the features of N datasets."""

    class_of: Indices
    features: Floats
    cost: Floats
    open: Flags
    replicas: Indices
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Units:
    """U units made of N datasets, sorted by class; `parts` is of units, no longer of datasets."""

    unit_of: Indices
    """(N,) unit of each dataset."""
    first: Indices
    """(U,) first dataset of each unit."""
    parts: Parts


def contract(parts: Parts, groups: Groups) -> Units:
    """Units of datasets and groups, sorted by class and first dataset."""
    datasets, classes = len(parts.class_of), len(parts.cost)
    first = np.arange(datasets)
    members, starts = groups.members.astype(np.intp), groups.offsets[:-1].astype(np.intp)
    grouped = parts
    if len(groups):
        sizes = np.diff(groups.offsets)
        heads = members[starts]
        first[members] = np.repeat(heads, sizes)
        grouped = _with_groups(parts, members, starts, heads, classes)
    singles = np.flatnonzero(first == np.arange(datasets))
    order = singles[np.argsort(grouped.class_of[singles], kind="stable")]
    unit_at = np.empty(datasets, dtype=np.intp)
    unit_at[order] = np.arange(len(order))
    return Units(
        unit_of=unit_at[first],
        first=order,
        parts=replace(
            grouped,
            class_of=grouped.class_of[order],
            features=np.ascontiguousarray(grouped.features[:, order]),
        ),
    )


def _with_groups(
    parts: Parts, members: Indices, starts: Indices, heads: Indices, classes: int
) -> Parts:
    """Parts in which the first member of each group stands for the whole group."""
    k, phi = parts.class_of[members], parts.features[:, members]
    features = parts.features.copy()
    features[:, heads] = np.add.reduceat(phi, starts, axis=1)
    features[ONE, heads] = 1.0
    class_of = parts.class_of.copy()
    class_of[heads] = classes + np.arange(len(starts))
    summed = np.zeros((len(starts), *parts.cost.shape[1:]))
    summed[:, ONE] = _sums(parts.cost, parts.features, members, k, starts)
    return Parts(
        class_of=class_of,
        features=features,
        cost=np.concatenate([parts.cost, summed]),
        open=np.concatenate([parts.open, np.logical_and.reduceat(parts.open[k], starts, axis=0)]),
        replicas=np.concatenate([parts.replicas, parts.replicas[k[starts]]]),
        rows=tuple(_row_with_groups(row, parts.features, members, k, starts) for row in parts.rows),
    )


def _sums(
    coefficients: Floats, features: Floats, members: Indices, k: Indices, starts: Indices
) -> Floats:
    """(G, n) sums over members of sum_f coefficients[k, f, n] phi[f]."""
    total = np.zeros((len(starts), coefficients.shape[2]))
    for f, phi in enumerate(features):
        total += np.add.reduceat(coefficients[k, f] * phi[members, None], starts, axis=0)
    return total


def _row_with_groups(
    row: Row, features: Floats, members: Indices, k: Indices, starts: Indices
) -> Row:
    if len(row.weights) == 1:
        return row
    used = row.features.tolist()
    weights = row.weights if ONE in used else np.pad(row.weights, ((0, 0), (1, 0), (0, 0)))
    summed = np.zeros((len(starts), *weights.shape[1:]))
    summed[:, 0] = _sums(row.weights, features[used], members, k, starts)
    every = row.features if ONE in used else np.concatenate([[ONE], row.features])
    return replace(row, features=every, weights=np.concatenate([weights, summed]))
