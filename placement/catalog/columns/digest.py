"""One digest for equal catalogues, however their files were written."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from models.canonical import canonical_json
from models.columns import CatalogColumns, Groups, PlacedColumns
from placement.catalog.columns.fields import PRESENCE
from placement.catalog.columns.ordering import canonical_groups

_FORMAT = b"placement-catalog-columns/1"


def columns_digest(columns: CatalogColumns) -> str:
    """Hexadecimal SHA-256 of everything that a decision reads of a catalogue.

    Kinds and today's sites enter in an order of their own, relations in the order of their
    members, of texts that only count by their presence just that. Each array enters as its
    length and its little-endian bytes.

    Parameters
    ----------
    columns
        Rows in the order of ascending id.
    """
    digest = hashlib.sha256(_FORMAT)
    for content in _contents(columns):
        digest.update(len(content).to_bytes(8, "little"))
        digest.update(content)
    return digest.hexdigest()


def placements_digest(ids: Any, profile_of: Any, placed: PlacedColumns) -> str:
    """SHA-256 over dataset ids, their profiles, sites and prices of flows and separated pairs.

    As lower-case hex. Pairs enter where they have prices: digests of plans of before hold.
    """
    told = hashlib.sha256()
    for shape in (placed.sites.shape, placed.flow_prices.shape):
        told.update(repr(shape).encode())
    for content in (
        *_ids(ids),
        _bytes(profile_of),
        _bytes(placed.sites),
        _bytes(placed.flow_prices),
    ):
        told.update(content)
    if len(placed.pair_places) or len(placed.pair_prices):
        for column in (placed.pair_places, placed.pair_prices):
            told.update(repr(column.shape).encode())
            told.update(_bytes(column))
    return told.hexdigest()


def _contents(columns: CatalogColumns) -> Iterator[Any]:
    yield canonical_json([columns.municipality, columns.source])
    yield canonical_json(sorted((r.model_dump() for r in columns.roles), key=lambda r: r["id"]))
    yield canonical_json(sorted((c.model_dump() for c in columns.contracts), key=lambda c: c["id"]))
    yield from _ids(columns.ids)
    kinds = [_kind(kind.model_dump()) for kind in columns.kinds]
    yield from _numbered(kinds, columns.kind_of)
    sites = [canonical_json(list(sites)) for sites in columns.current_sites]
    yield from _numbered(sites, columns.current_of)
    yield _bytes(columns.volume_gb)
    yield _bytes(columns.monthly_read_ugb)
    yield _bytes(columns.monthly_egress_ugb)
    yield from _relations(columns)


def _relations(columns: CatalogColumns) -> Iterator[Any]:
    found = columns.derivations
    order = np.lexsort((found.derived, found.source))
    yield _bytes(found.source[order])
    yield _bytes(found.derived[order])
    yield _bytes(found.monthly_transfer_ugb[order])
    yield _bytes(found.ends_inheritance[order])
    apart = columns.separated
    for groups, extra in (
        (columns.co_located, np.zeros(len(columns.co_located), dtype=np.int64)),
        (columns.cumulated, np.zeros(len(columns.cumulated), dtype=np.int64)),
        (apart.groups, apart.whole_operator.astype(np.int64)),
    ):
        yield from _groups(*canonical_groups(groups, extra))


def _groups(groups: Groups, extra: Any) -> Iterator[Any]:
    yield _bytes(groups.offsets)
    yield _bytes(groups.members)
    yield _bytes(extra)


def _ids(ids: Any) -> Iterator[Any]:
    plain = pa.array(ids) if not isinstance(ids, pa.Array) else ids
    offsets = np.frombuffer(plain.buffers()[1], dtype=np.int32)
    offsets = offsets[plain.offset : plain.offset + len(plain) + 1]
    yield _bytes(np.diff(offsets))
    yield plain.buffers()[2][int(offsets[0]) : int(offsets[-1])]


def _numbered(texts: list[bytes], numbers: Any) -> Iterator[Any]:
    """Texts in ascending order, each once, and which of them the rows have."""
    used = sorted({texts[number] for number in np.unique(numbers).tolist()})
    rank = {text: row for row, text in enumerate(used)}
    renumber = np.array([rank.get(text, -1) for text in texts], dtype=np.int64)
    yield canonical_json([text.decode() for text in used])
    yield _bytes(renumber[numbers])


def _kind(fields: dict[str, Any]) -> bytes:
    known = {name: fields[name] is not None for name in PRESENCE}
    return canonical_json(fields | known | {"id": "", "title": ""})


def _bytes(array: Any) -> Any:
    plain: Any = np.ascontiguousarray(array.astype("<i8", copy=False))
    return memoryview(plain).cast("B") if plain.size else b""
