"""Whether columns fit together: an index out of range would silently read another row."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from models.columns import CatalogColumns, EligibilityColumns, FactColumns, Groups
from placement.errors import CertificateError

Rows = NDArray[np.integer]


def check_shapes(
    columns: CatalogColumns, eligibility: EligibilityColumns, facts: FactColumns
) -> None:
    """Refuse columns of different lengths, and rows that point nowhere.

    Raises
    ------
    CertificateError
        Naming every column that is wrong.
    """
    wrong = [*_of_catalog(columns), *_of_facts(columns, facts), *_of_table(columns, eligibility)]
    if wrong:
        raise CertificateError(f"columns do not fit together: {'; '.join(wrong)}")


def _of_catalog(columns: CatalogColumns) -> Iterator[str]:
    count = len(columns)
    if len(columns.ids) != count:
        yield f"ids: {len(columns.ids)} for {count} datasets"
    yield from _rows("kind_of", columns.kind_of, count, len(columns.kinds))
    yield from _rows("current_of", columns.current_of, count, len(columns.current_sites))
    for name in ("volume_gb", "monthly_read_ugb", "monthly_egress_ugb"):
        yield from _amounts(name, getattr(columns, name), count)
    lineage = columns.derivations
    edges = len(lineage.source)
    yield from _rows("derivations.source", lineage.source, edges, count)
    yield from _rows("derivations.derived", lineage.derived, edges, count)
    yield from _amounts("monthly_transfer_ugb", lineage.monthly_transfer_ugb, edges)
    yield from _lengths("ends_inheritance", lineage.ends_inheritance, edges)
    for name, groups in (
        ("co_located", columns.co_located),
        ("separated", columns.separated.groups),
        ("cumulated", columns.cumulated),
    ):
        yield from _groups(name, groups, count)
    separated = columns.separated
    yield from _lengths("separated", separated.whole_operator, len(separated.groups))


def _of_facts(columns: CatalogColumns, facts: FactColumns) -> Iterator[str]:
    count = len(columns)
    for name in ("confidentiality", "gdpr_category", "access_rights"):
        yield from _lengths(name, getattr(facts, name), count)
    yield from _rows("grounds_of", facts.grounds_of, count, len(facts.grounds))
    yield from _groups("co_location", facts.co_location, count)
    pairs, flows = len(facts.pair_first), len(facts.flow_source)
    yield from _rows("pair_first", facts.pair_first, pairs, count)
    yield from _rows("pair_second", facts.pair_second, pairs, count)
    yield from _lengths("pair_whole_operator", facts.pair_whole_operator, pairs)
    yield from _rows("flow_source", facts.flow_source, flows, count)
    yield from _rows("flow_derived", facts.flow_derived, flows, count)
    yield from _amounts("flow_ugb", facts.flow_ugb, flows)


def _of_table(columns: CatalogColumns, eligibility: EligibilityColumns) -> Iterator[str]:
    table = eligibility.table
    yield from _rows("profile_of", eligibility.profile_of, len(columns), len(table.verdicts))
    if any(len(row) != len(table.sites) for row in table.verdicts):
        yield "verdicts: a row does not have one verdict for each site"


def _lengths(name: str, values: NDArray[np.generic], count: int) -> Iterator[str]:
    if values.shape != (count,):
        yield f"{name}: {values.shape} for {count}"


def _rows(name: str, values: Rows, count: int, below: int) -> Iterator[str]:
    yield from _lengths(name, values, count)
    if len(values) and not 0 <= values.min() <= values.max() < below:
        yield f"{name}: rows from {values.min()} to {values.max()} of {below}"


def _amounts(name: str, values: Rows, count: int) -> Iterator[str]:
    yield from _lengths(name, values, count)
    if len(values) and values.min() < 0:
        yield f"{name}: an amount is negative"


def _groups(name: str, groups: Groups, count: int) -> Iterator[str]:
    offsets = groups.offsets
    ends = len(offsets) and offsets[0] == 0 and offsets[-1] == len(groups.members)
    if not ends or (offsets[1:] < offsets[:-1]).any():
        yield f"{name}: offsets do not divide the members"
    yield from _rows(name, groups.members, len(groups.members), count)
