"""Classes of a columnar catalogue: what a pair costs and weighs, by profile and today's sites.

A class is a profile, a number of replicas and the sites of today. Within one, cost is linear in
a dataset's features: 1, gigabytes, gigabytes a month delivered outside, gigabytes a month read.
The formulas are those of placement.optimizer.costs and placement.optimizer.coupling.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from models import Dataset, Operator, Parameters, Role, Site, StorageKind
from models.columns import CatalogColumns, EligibilityColumns
from placement.errors import SolverError
from placement.optimizer.attributes import Flags, Floats, Indices

ONE, VOLUME, EGRESS, READ = range(4)
MONTHS = 12.0


@dataclass(frozen=True)
class SiteArrays:
    """S sites in the order of their ids, run by O operators."""

    order: Indices
    """(S,) row in the register."""
    ids: tuple[str, ...]
    operators: tuple[str, ...]
    operator_of: Indices
    capped: Flags
    """(O,) not the city itself."""
    capacity_gb: Floats
    object_price: Floats
    """(S,) EUR per GB and month, NaN where not offered."""
    block_price: Floats
    handling_price: Floats
    egress_price: Floats
    exit_days: Floats


@dataclass(frozen=True)
class Classes:
    """K classes of N datasets."""

    class_of: Indices
    """(N,)"""
    profile: Indices
    """(K,)"""
    replicas: Indices
    current: Indices
    """(K,) row of the catalogue's current_sites."""
    datasets: tuple[Dataset, ...]
    """A dataset of each class's kind."""


def read_sites(sites: Sequence[Site], operators: Sequence[Operator]) -> SiteArrays:
    """Arrays of the sites, sorted by id.

    Raises
    ------
    SolverError
        Where a site is run by an operator that is not given.
    """
    order = sorted(range(len(sites)), key=lambda s: sites[s].id)
    placed = [sites[s] for s in order]
    municipal = {operator.id: operator.municipal for operator in operators}
    names = tuple(sorted({site.operator for site in placed}))
    unknown = [name for name in names if name not in municipal]
    if unknown:
        raise SolverError(f"sites name operators that are not given: {', '.join(unknown)}")
    days = [(s.exit_notice_days or 0) + (s.transfer_window_days or 0) for s in placed]
    return SiteArrays(
        order=np.array(order, dtype=np.intp),
        ids=tuple(site.id for site in placed),
        operators=names,
        operator_of=np.array([names.index(site.operator) for site in placed], dtype=np.intp),
        capped=np.array([not municipal[name] for name in names], dtype=np.bool_),
        capacity_gb=np.array([float(site.capacity_gb) for site in placed]),
        object_price=_prices([site.object_price_eur_per_gb_month for site in placed]),
        block_price=_prices([site.block_price_eur_per_gb_month for site in placed]),
        handling_price=_prices([site.handling_price_eur_per_dataset_month for site in placed]),
        egress_price=_prices([site.egress_price_eur_per_gb for site in placed]),
        exit_days=np.array(days, dtype=np.float64),
    )


def _prices(prices: Sequence[Decimal | None]) -> Floats:
    return np.array([np.nan if p is None else float(p) for p in prices], dtype=np.float64)


def read_classes(columns: CatalogColumns, eligibility: EligibilityColumns) -> Classes:
    """The distinct (profile, replicas, sites of today), in that order."""
    replicas = np.array([kind.replicas for kind in columns.kinds], dtype=np.int64)[columns.kind_of]
    most, currents = int(replicas.max(initial=1)) + 1, len(columns.current_sites)
    code = (eligibility.profile_of.astype(np.int64) * most + replicas) * currents
    code += columns.current_of
    distinct, first, class_of = np.unique(code, return_index=True, return_inverse=True)
    return Classes(
        class_of=class_of.astype(np.intp),
        profile=(distinct // (most * currents)).astype(np.intp),
        replicas=(distinct // currents % most).astype(np.intp),
        current=(distinct % currents).astype(np.intp),
        datasets=tuple(columns.kinds[k] for k in columns.kind_of[first].tolist()),
    )


def storage_price(classes: Classes, sites: SiteArrays) -> Floats:
    """(K, S) EUR per GB and month for the class's kind of storage; NaN where not offered."""
    is_object = np.array([d.storage is StorageKind.OBJECT for d in classes.datasets])
    return np.where(is_object[:, None], sites.object_price, sites.block_price)


def verdicts(eligibility: EligibilityColumns, sites: SiteArrays) -> tuple[Flags, Flags, Floats]:
    """(P, S) eligible, closed stack, and penalty in EUR a year."""
    table = [[row[s] for s in sites.order.tolist()] for row in eligibility.table.verdicts]
    shape = len(table), len(sites.ids)
    eligible = np.array([[v.eligible for v in row] for row in table], dtype=np.bool_)
    closed = np.array([[v.closed_stack for v in row] for row in table], dtype=np.bool_)
    penalty = np.array([[v.penalty_eur_per_year for v in row] for row in table], dtype=np.float64)
    return eligible.reshape(shape), closed.reshape(shape), penalty.reshape(shape)


def class_costs(
    classes: Classes,
    sites: SiteArrays,
    columns: CatalogColumns,
    roles: Sequence[Role],
    parameters: Parameters,
    penalty: Floats,
) -> Floats:
    """(K, F, S) EUR a year per unit of feature; NaN where storage is not offered."""
    cost = np.zeros((len(classes.profile), 4, len(sites.ids)))
    cost[:, ONE] = MONTHS * sites.handling_price + penalty[classes.profile]
    cost[:, VOLUME] = MONTHS * storage_price(classes, sites)
    n = classes.replicas[:, None]
    cost[:, EGRESS] = MONTHS * sites.egress_price / n
    cost[:, READ] = MONTHS * sites.egress_price / n * _remote_share(classes, sites, roles)
    moves, per_gb = _moves(classes, sites, columns, parameters)
    years = parameters.amortisation_years
    cost[:, ONE] += moves * float(parameters.migration_eur_per_dataset) / years
    cost[:, VOLUME] += moves * per_gb / years
    return cost


def _moves(
    classes: Classes, sites: SiteArrays, columns: CatalogColumns, parameters: Parameters
) -> tuple[Floats, Floats]:
    """(K, S) 1 where a replica would move, and EUR once per GB of doing so."""
    column = {site: s for s, site in enumerate(sites.ids)}
    shape = len(columns.current_sites), len(sites.ids)
    moves, per_gb = np.zeros(shape), np.zeros(shape)
    for row, held in enumerate(columns.current_sites):
        if held:
            at = column[held[0]]
            away = sites.operator_of != sites.operator_of[at]
            moves[row] = 1.0
            moves[row, [column[site] for site in held]] = 0.0
            per_gb[row] = float(parameters.migration_eur_per_gb) + away * sites.egress_price[at]
    return moves[classes.current], per_gb[classes.current]


def _remote_share(classes: Classes, sites: SiteArrays, roles: Sequence[Role]) -> Floats:
    """(K, S) r of placement.optimizer.costs.reading."""
    operator_of = dict(zip(sites.ids, sites.operator_of.tolist(), strict=True))
    near = {r.id: {operator_of[w] for w in r.workplace_sites if w in operator_of} for r in roles}
    shares: dict[frozenset[str], Floats] = {}
    rows = []
    for dataset in classes.datasets:
        readers = frozenset(dataset.readers)
        if readers not in shares:
            remote = [
                sum(o not in near.get(r, ()) for r in readers) / len(readers) if readers else 1.0
                for o in range(len(sites.operators))
            ]
            shares[readers] = np.array(remote)
        rows.append(shares[readers])
    return np.array(rows).reshape(len(rows), -1)[:, sites.operator_of]


def open_pairs(
    classes: Classes, sites: SiteArrays, eligible: Flags, critical: Flags, alternatives_min: int
) -> Flags:
    """(K, S) eligible, storage offered and, where critical, enough other operators to go to."""
    opened = eligible[classes.profile] & ~np.isnan(storage_price(classes, sites))
    by_operator = np.stack(
        [opened[:, sites.operator_of == o].any(axis=1) for o in range(len(sites.operators))], axis=1
    )
    others = by_operator.sum(axis=1)[:, None] - by_operator[:, sites.operator_of]
    kept: Flags = opened & ~(critical[:, None] & (others < alternatives_min))
    return kept


def critical_classes(classes: Classes, parameters: Parameters) -> Flags:
    """(K,) availability is at least the critical level."""
    level = parameters.critical_level
    return np.array(
        [d.availability is not None and d.availability >= level for d in classes.datasets],
        dtype=np.bool_,
    )
