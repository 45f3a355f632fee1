"""Problems made from a seed, as arrays: any number of datasets, limits that bind.

Sizes are lognormal, as file and table sizes are; 48 profiles; two capacities a site (volume and
reads), operators' shares, an exit budget and a limit on closed stacks: 2 S + O + 2 rows. Cheap
sites hold `tightness` of what would like to rest there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from placement.optimizer.arrays.heavy import close_heavy
from placement.optimizer.arrays.problem import (
    Apart,
    ArrayProblem,
    Lineage,
    Row,
    load_of,
    row_totals,
)


@dataclass(frozen=True)
class Recipe:
    """What a made problem is like."""

    units: int
    sites: int
    seed: int = 1
    profiles: int = 48
    sigma: float = 2.0
    """Of the logarithm of volumes."""
    tightness: float = 0.85
    distinct: int | None = None
    """So many different datasets, the rest repeats them."""
    edges: float = 0.0
    """Lineage edges a dataset."""
    apart: float = 0.0
    """Pairs to be separated, a share of the number of datasets."""
    migration: bool = False
    """A third of the datasets rests somewhere already, and moving costs."""
    replicated: float = 0.0
    """Share of profiles that want two replicas."""


def make_instance(recipe: Recipe) -> ArrayProblem:
    """A problem with a plan (checked only by solving it: limits leave 15 % and more)."""
    rng = np.random.default_rng(recipe.seed)
    sites, profiles = recipe.sites, recipe.profiles
    operators = min(10, max(4, sites // 3))
    operator_of = np.sort(np.arange(sites) % operators)
    own = sites - 1  # the city's own site: dear, roomy, open to all
    price, opened, closed = _profiles(rng, profiles, sites, own)
    class_of, features = _datasets(rng, recipe)
    cost = _costs(rng, price, profiles, sites, own)
    if recipe.migration:
        class_of, cost, opened, closed = _with_current(rng, class_of, cost, opened, closed)
    order = np.argsort(class_of, kind="stable")
    replicas = np.ones(len(cost), dtype=np.intp)
    if recipe.replicated:
        twice = rng.random(profiles) < recipe.replicated
        twice[0] = True
        replicas[np.resize(twice, len(cost))] = 2
    bare = ArrayProblem(
        class_of=class_of[order],
        features=np.ascontiguousarray(features[:, order]),
        counts=np.ones(recipe.units),
        cost=np.where(opened[:, None, :], cost, 0.0),
        open=opened,
        replicas=replicas,
        operator_of=operator_of,
        rows=(),
        lineage=_between_single(
            _lineage(rng, recipe, features[1, order], price, sites), replicas[class_of[order]]
        ),
        apart=_apart(rng, recipe),
    )
    full = replace(bare, rows=_rows(bare, recipe, price, closed, own))
    return close_heavy(full)


def _profiles(rng, profiles, sites, own):
    price = rng.uniform(0.006, 0.03, sites)
    price[own] = 0.045
    opened = rng.random((profiles, sites)) < 0.6
    opened[:, own] = True
    for k in range(profiles):
        opened[k, rng.choice(sites - 1, 3, replace=False)] = True
    closed = rng.random((profiles, sites)) < 0.25
    closed[:, own] = False
    return price, opened, closed


def _datasets(rng, recipe):
    units = recipe.units
    distinct = recipe.distinct or units
    class_of = rng.integers(recipe.profiles, size=distinct)
    volume = np.ceil(rng.lognormal(4.0, recipe.sigma, distinct))
    reads = np.ceil(volume * rng.uniform(0.05, 0.5, distinct))
    features = np.stack([np.ones(distinct), volume, reads])
    again = np.arange(units) % distinct
    return class_of[again].astype(np.intp), features[:, again]


def _costs(rng, price, profiles, sites, own):
    egress = rng.uniform(0.0, 0.09, sites)
    egress[own] = 0.0
    remote = rng.uniform(0.0, 1.0, (profiles, sites))
    cost = np.zeros((profiles, 3, sites))
    cost[:, 0] = 12 * rng.uniform(0.5, 5.0, sites) + 25 * (rng.random((profiles, sites)) < 0.2)
    cost[:, 1] = 12 * price
    cost[:, 2] = 12 * egress * remote
    return cost


def _with_current(rng, class_of, cost, opened, closed):
    """Class = profile x site of today (or none): moving costs 50 EUR and 0.004 EUR a GB a year."""
    profiles, _, sites = cost.shape
    at = np.where(rng.random(len(class_of)) < 1 / 3, rng.integers(sites, size=len(class_of)), sites)
    every = np.repeat(cost, sites + 1, axis=0).reshape(profiles, sites + 1, *cost.shape[1:])
    stay = np.eye(sites + 1, sites, dtype=bool)
    moves = ~stay
    moves[sites] = False
    every = every.copy()
    every[:, :, 0, :] += 50.0 * moves[None]
    every[:, :, 1, :] += 0.004 * moves[None]
    flat = every.reshape(-1, *cost.shape[1:])
    return (
        class_of * (sites + 1) + at,
        flat,
        np.repeat(opened, sites + 1, axis=0),
        np.repeat(closed, sites + 1, axis=0),
    )


def _lineage(rng, recipe, volume, price, sites):
    count = int(recipe.edges * recipe.units)
    source = rng.integers(recipe.units, size=count)
    derived = (source + 1 + rng.integers(max(1, recipe.units - 1), size=count)) % recipe.units
    keep = np.unique(np.stack([source, derived], axis=1), axis=0)
    flow = 12 * volume[keep[:, 0]] * rng.uniform(0.01, 0.3, len(keep))
    egress = rng.uniform(0.02, 0.09, sites)
    egress[-1] = 0.0
    return Lineage(keep[:, 0], keep[:, 1], flow, egress)


def _between_single(flows, replicas):
    """Only flows between units with one replica."""
    single = (replicas[flows.source] == 1) & (replicas[flows.derived] == 1)
    return replace(
        flows,
        source=flows.source[single],
        derived=flows.derived[single],
        yearly_gb=flows.yearly_gb[single],
    )


def _apart(rng, recipe):
    count = int(recipe.apart * recipe.units)
    first = rng.integers(recipe.units, size=count)
    second = (first + 1 + rng.integers(max(1, recipe.units - 1), size=count)) % recipe.units
    pairs = np.unique(np.sort(np.stack([first, second], axis=1), axis=1), axis=0)
    return Apart(pairs[:, 0], pairs[:, 1], rng.random(len(pairs)) < 0.5)


def _rows(bare, recipe, price, closed, own):
    sites, operators = bare.sites, int(bare.operator_of.max()) + 1
    volume, reads = 1, 2
    every = np.arange(sites)
    exit_price = 0.05 + price
    exit_price[own] = 0.0

    def row(name, at, feature, weights):
        at = np.asarray(at, dtype=np.intp)
        return Row(name, at, np.array([feature]), np.asarray(weights, dtype=float), 0.0)

    rows = [row(f"capacity[{s}]", [s], volume, np.ones((1, 1, 1))) for s in every]
    rows += [row(f"reads[{s}]", [s], reads, np.ones((1, 1, 1))) for s in every]
    for o in range(operators):
        at = np.flatnonzero(bare.operator_of == o)
        rows.append(row(f"concentration_volume[{o}]", at, volume, np.ones((1, 1, len(at)))))
    rows.append(row("exit_budget", every, volume, exit_price[None, None, :]))
    rows.append(row("closed_stack", every, volume, closed[:, None, :].astype(float)))
    return _with_limits(bare, rows, recipe, own)


def _with_limits(bare, rows, recipe, own):
    """Rows that would be overfull when everybody took the cheapest get `tightness` of that."""
    mean = np.einsum("fu,u->f", bare.features, bare.counts) / bare.sites
    wish = _wishes(bare, rows)
    limits = []
    for r, row in enumerate(rows):
        kind = row.name.split("[")[0]
        feature = mean[row.features[0]]
        roomy = own in row.sites
        most = recipe.tightness * wish[r]
        if kind in ("capacity", "reads"):
            most = max(most, 1.3 * feature) if wish[r] < feature else most
            most = 1e3 * feature * bare.sites if roomy else most
        if kind == "concentration_volume":
            most = max(0.95 * wish[r], 2.5 * feature * len(row.sites))
            most = 1e3 * feature * bare.sites if roomy else most
        if kind in ("exit_budget", "closed_stack"):
            most = 0.95 * wish[r]
        limits.append(replace(row, rhs=float(np.floor(most))))
    return tuple(limits)


def _wishes(bare, rows):
    """(R,) totals when every unit takes its cheapest site."""
    free = replace(bare, rows=tuple(rows))
    chosen = np.empty(bare.units, dtype=np.intp)
    starts = bare.starts()
    for k in range(bare.classes):
        phi = bare.features[:, starts[k] : starts[k + 1]]
        cost = bare.cost[k].T @ phi
        cost[~bare.open[k]] = np.inf
        chosen[starts[k] : starts[k + 1]] = cost.argmin(axis=0)
    return row_totals(free, load_of(free, chosen))
