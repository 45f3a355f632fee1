"""From copies of merged units back to sites of single ones."""

from __future__ import annotations

import numpy as np

from placement.optimizer.attributes import Indices


def spread_out(x: Indices, group_of: Indices) -> Indices:
    """(U,) site of each unit: the units of a group take its sites in order, both ascending.

    Parameters
    ----------
    x
        (G, S) copies of each group; each row sums to the units of its group.
    group_of
        (U,)
    """
    order = np.argsort(group_of, kind="stable")
    sites = np.empty(len(group_of), dtype=np.intp)
    sites[order] = np.repeat(np.tile(np.arange(x.shape[1]), len(x)), x.ravel())
    return sites


def counts_of(sites: Indices, shape: tuple[int, int], group_of: Indices | None = None) -> Indices:
    """(G, S) copies of a plan of (U, n) sites."""
    x = np.zeros(shape, dtype=np.intp)
    unit, column = np.nonzero(sites >= 0)
    np.add.at(x, (unit if group_of is None else group_of[unit], sites[unit, column]), 1)
    return x


def sites_of(x: Indices, replicas: Indices) -> Indices:
    """(U, n) ascending sites of (U, S) flags, -1 behind a unit's last."""
    width = max(1, int(replicas.max(initial=1)))
    order = np.argsort(x == 0, axis=1, kind="stable")[:, :width]
    short = width - order.shape[1]
    order = np.pad(order, ((0, 0), (0, short)))
    return np.where(np.arange(width) < replicas[:, None], order, -1)
