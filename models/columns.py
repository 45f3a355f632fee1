"""A catalogue as columns: what a million datasets are kept in, instead of a million objects.

Everything but ids, volumes and today's sites repeats: a city's datasets share few *kinds*, which
stand here once each, as one `Dataset` that represents them. Numbers are whole: gigabytes, and
millionths of a gigabyte a month, so that sums are exact and no order of the input matters.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.base import Frozen, Identifier
from models.dataset import CollectionContract, Dataset
from models.role import Role
from models.verdict import Obligation, SegregatedDuties, Verdict

Integers = NDArray[np.int64]
Numbers32 = NDArray[np.int32]
Bytes8 = NDArray[np.int8]
Flags = NDArray[np.bool_]

MICRO = 1_000_000
"""Millionths of a gigabyte in one: monthly volumes have at most six decimals."""


@dataclass(frozen=True)
class Groups:
    """Groups of datasets: group g has members[offsets[g]:offsets[g + 1]]."""

    offsets: Integers
    """(G + 1,) from 0 to the number of memberships."""
    members: Integers
    """(M,) rows of datasets."""

    def __len__(self) -> int:
        return len(self.offsets) - 1


@dataclass(frozen=True)
class Derivations:
    """DerivedFrom relations, one row each, E in all."""

    source: Integers
    """(E,) rows of datasets."""
    derived: Integers
    monthly_transfer_ugb: Integers
    """(E,) millionths of a gigabyte a month."""
    ends_inheritance: Flags
    """(E,) its reviewed transformation is an aggregation or anonymisation."""


@dataclass(frozen=True)
class Separations:
    """Groups whose members rest apart, by site or by operator."""

    groups: Groups
    whole_operator: Flags
    """(G,)"""


@dataclass(frozen=True)
class CatalogColumns:
    """A catalogue of N datasets of K kinds. Rows stand in the order of ascending id."""

    municipality: str
    source: str
    ids: Any
    """pyarrow.StringArray of N distinct ids, ascending by code point."""
    kind_of: Numbers32
    """(N,) kind of each dataset."""
    kinds: tuple[Dataset, ...]
    """K representatives: attributes that policies, prices and limits read, but for the columns
    below; id and title are made up, volumes are 0, and of texts that policies only ask the
    presence of (owner_department, steward, lawful_basis) the first seen stands."""
    volume_gb: Integers
    """(N,) of one replica."""
    monthly_read_ugb: Integers
    """(N,) millionths of a gigabyte a month."""
    monthly_egress_ugb: Integers
    current_of: Numbers32
    """(N,) row of current_sites."""
    current_sites: tuple[tuple[str, ...], ...]
    """Distinct tuples of site ids that hold a dataset's replicas today, the first one first; ()
    where nothing rests anywhere yet."""
    derivations: Derivations
    co_located: Groups
    separated: Separations
    cumulated: Groups
    roles: tuple[Role, ...] = ()
    contracts: tuple[CollectionContract, ...] = ()

    def __len__(self) -> int:
        return len(self.kind_of)


@dataclass(frozen=True)
class FactColumns:
    """What the relations of a catalogue say, N datasets: `GraphFacts` as columns.

    Ranks are 0 for the least protected; 9 for unknown, which is above all.
    """

    confidentiality: Bytes8
    """(N,) effective, 0..4 or 9."""
    gdpr_category: Bytes8
    """(N,) effective, 0..4 or 9."""
    access_rights: Bytes8
    """(N,) effective, 0..2 or 9."""
    grounds_of: Numbers32
    """(N,) row of grounds."""
    grounds: tuple[tuple[str, ...], ...]
    """Distinct sets of non-publication grounds, each sorted."""
    co_location: Groups
    """Disjoint groups, members ascending, groups by first member."""
    pair_first: Integers
    """(Q,) distinct pairs that rest apart, first < second, sorted."""
    pair_second: Integers
    pair_whole_operator: Flags
    flow_source: Integers
    """(F,) distinct flows above zero, summed, sorted by (source, derived)."""
    flow_derived: Integers
    flow_ugb: Integers
    """(F,) millionths of a gigabyte a month."""
    contradictions: tuple[str, ...]
    """Sentences on relations that cannot hold together, whatever the sites."""


class ProfileTable(Frozen):
    """Verdicts of P profiles at S sites: an eligibility table without its datasets."""

    sites: tuple[Identifier, ...]
    verdicts: tuple[tuple[Verdict, ...], ...]
    obligations: tuple[Obligation, ...]
    segregated_duties: tuple[SegregatedDuties, ...] = ()
    policy_revision: str
    opa_version: str
    as_of: str


@dataclass(frozen=True)
class EligibilityColumns:
    """Which profile each of N datasets has, and what the policies say of the profiles."""

    profile_of: Numbers32
    table: ProfileTable


@dataclass(frozen=True)
class PlacedColumns:
    """Where N datasets rest: the answer, and the prices that prove how good it is."""

    sites: Numbers32
    """(N, R) rows of sites, ascending, R the most replicas; -1 behind a dataset's last."""
    row_prices: dict[str, int]
    """Price of each coupling row in units of 1e-12 EUR a year per unit of its right-hand side:
    rows as in models.RowPrice."""
    flow_prices: NDArray[np.int64]
    """(F, S) message m of each flow of the facts, in units of 1e-6 EUR a year; (0, S) for none:
    added to the source's cost at site s; the derived dataset is granted the largest of an
    operator's sites at all of them."""
    pair_places: Numbers32 = field(default_factory=lambda: np.empty(0, dtype=np.int32))
    """(Q,) the priced place of each separated pair of the facts, -1 for none; (0,) where no pair
    has a price. A row of a site; where the pair shares no operator, it stands for the whole
    operator of that site: the first of its sites in the register's order, by custom."""
    pair_prices: Integers = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    """(Q,) price of either dataset resting there, in units of 1e-6 EUR a year; the bound is lower
    by it once."""
