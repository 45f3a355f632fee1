"""The problem as arrays, in canonical order: datasets and sites sorted by id.

Sorting here, once, is what makes the answer independent of the order of the input. Everything
that policies decide is kept per profile (P x S), never per dataset, so that it stays small.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from models import Dataset, Problem, Site, StorageKind, Verdict
from placement.errors import SolverError

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Indices = NDArray[np.intp]

_T = TypeVar("_T")


@dataclass(frozen=True)
class Attributes:
    """What the constraints and costs are made of. N datasets, S sites, O operators, P profiles.

    Volumes are whole GB and so exact in float64 up to 2**53; prices carry the rounding of one
    conversion from decimal (relative 1.1e-16).
    """

    datasets: tuple[Dataset, ...]
    """N datasets, sorted by id."""
    sites: tuple[Site, ...]
    """S sites, sorted by id."""
    operators: tuple[str, ...]
    """O ids of operators that run a site, sorted."""
    operator_of: Indices
    """(S,) operator of each site."""
    capped: Flags
    """(O,) concentration caps and the exit budget apply: not the municipality itself."""
    volume_gb: Floats
    """(N,) GB of one replica."""
    replicas: Indices
    """(N,) replicas wanted."""
    critical: Flags
    """(N,) availability is at least parameters.critical_level."""
    current: Indices
    """(N,) current site, -1 for none."""
    egress_eur_per_gb: Floats
    """(S,)"""
    storage_eur_per_gb_month: Floats
    """(N, S) price for the dataset's kind of storage; NaN where it is not offered."""
    profile: Indices
    """(N,) profile of each dataset."""
    eligible: Flags
    """(P, S) no obligation is violated."""
    closed: Flags
    """(P, S) the dataset would rest on a closed stack."""
    penalty_eur_per_year: Floats
    """(P, S) preferences that are not met."""

    @property
    def total_volume_gb(self) -> int:
        """V: GB of all replicas of all datasets, exactly."""
        return sum(d.volume_gb * d.replicas for d in self.datasets)

    @property
    def total_critical(self) -> int:
        """C: replicas of critical datasets."""
        return int(self.replicas[self.critical].sum())


def read_attributes(problem: Problem) -> Attributes:
    """The arrays of a problem.

    Raises
    ------
    SolverError
        Where a dataset rests at a site, or a site is run by an operator, that is not given.
    """
    rows = sorted(range(len(problem.datasets)), key=lambda i: problem.datasets[i].id)
    columns = sorted(range(len(problem.sites)), key=lambda j: problem.sites[j].id)
    datasets = tuple(problem.datasets[i] for i in rows)
    sites = tuple(problem.sites[j] for j in columns)
    operators = tuple(sorted({site.operator for site in sites}))
    table = problem.eligibility
    critical = problem.parameters.critical_level
    return Attributes(
        datasets=datasets,
        sites=sites,
        operators=operators,
        operator_of=np.array([operators.index(site.operator) for site in sites], dtype=np.intp),
        capped=_capped(problem, operators),
        volume_gb=np.array([d.volume_gb for d in datasets], dtype=np.float64),
        replicas=np.array([d.replicas for d in datasets], dtype=np.intp),
        critical=np.array(
            [d.availability is not None and d.availability >= critical for d in datasets],
            dtype=np.bool_,
        ),
        current=_current(datasets, sites),
        egress_eur_per_gb=_prices([site.egress_price_eur_per_gb for site in sites]),
        storage_eur_per_gb_month=_storage_prices(datasets, sites),
        profile=np.array([table.profile_of[i] for i in rows], dtype=np.intp),
        eligible=_per_profile(table.verdicts, columns, lambda v: v.eligible).astype(np.bool_),
        closed=_per_profile(table.verdicts, columns, lambda v: v.closed_stack).astype(np.bool_),
        penalty_eur_per_year=_per_profile(
            table.verdicts, columns, lambda v: v.penalty_eur_per_year
        ),
    )


def _capped(problem: Problem, operators: tuple[str, ...]) -> Flags:
    municipal = {operator.id: operator.municipal for operator in problem.operators}
    unknown = [name for name in operators if name not in municipal]
    if unknown:
        raise SolverError(f"sites name operators that are not given: {', '.join(unknown)}")
    return np.array([not municipal[name] for name in operators], dtype=np.bool_)


def _current(datasets: tuple[Dataset, ...], sites: tuple[Site, ...]) -> Indices:
    index = {site.id: j for j, site in enumerate(sites)}
    lost = [d.id for d in datasets if d.current_site is not None and d.current_site not in index]
    if lost:
        raise SolverError(f"datasets rest at sites that are not given: {', '.join(lost[:5])}")
    return np.array(
        [-1 if d.current_site is None else index[d.current_site] for d in datasets],
        dtype=np.intp,
    )


def _prices(prices: Sequence[Decimal | None]) -> Floats:
    return np.array([np.nan if p is None else float(p) for p in prices], dtype=np.float64)


def _storage_prices(datasets: tuple[Dataset, ...], sites: tuple[Site, ...]) -> Floats:
    by_kind = np.array(
        [
            _prices([site.object_price_eur_per_gb_month for site in sites]),
            _prices([site.block_price_eur_per_gb_month for site in sites]),
        ]
    )
    kind = [0 if d.storage is StorageKind.OBJECT else 1 for d in datasets]
    return by_kind[np.array(kind, dtype=np.intp)]


def _per_profile(
    verdicts: Sequence[Sequence[Verdict]],
    columns: list[int],
    read: Callable[[Verdict], float],
) -> Floats:
    values = np.array([[read(row[j]) for j in columns] for row in verdicts], dtype=np.float64)
    return values.reshape(len(verdicts), len(columns))
