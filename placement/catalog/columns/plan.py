"""Plans of millions of placements: one Parquet file, whole or not at all.

Each row is a placement: `dataset`, `sites` (a list of site ids) and one column for each array
given besides. The prices of flows stand with the dataset that is their source, `messages`: as
flows are ordered by source, the lists of all rows one after another are the flows, one price a
site. Likewise the prices of separated pairs stand with the pair's first dataset, `pair_places` and
`pair_prices`, two lists of one entry a pair; the two columns are there where pairs have prices. So
no second file can get lost. Texts stand in the file's key-value metadata:

| key                                  | content                                |
|--------------------------------------|----------------------------------------|
| placement-plan-columns/1             | the header, bytes as given             |
| placement-plan-columns/1/sites       | JSON list of the site ids, in order    |
| placement-plan-columns/1/row-prices  | JSON object of the coupling rows' prices |

Equal content makes equal bytes, with one version of Arrow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from models.canonical import canonical_json
from models.columns import CatalogColumns, Integers, Numbers32, PlacedColumns
from placement.catalog.columns.codes import list_bounds
from placement.catalog.columns.fields import ROWS_MAX
from placement.catalog.columns.findings import stop
from placement.catalog.columns.footer import footer_of
from placement.catalog.columns.parquet import ROWS_AT_ONCE, batches_of, open_parquet, reading
from placement.catalog.strict_json import decode_json
from placement.catalog.writing import replacing

KEY = "placement-plan-columns/1"
_SITES_KEY, _PRICES_KEY = f"{KEY}/sites", f"{KEY}/row-prices"
HEADER_MAX = 1 << 26
"""Most bytes of the header."""
_FOOTER_MAX = 2 * HEADER_MAX
_REPLICAS_MAX = 5
_FLOWS_PER_ROW_MAX = 64
_PAIRS_PER_ROW_MAX = 4096
_OWN = ("dataset", "sites", "messages")
_PAIRS = ("pair_places", "pair_prices")
_RESERVED = (*_OWN, *_PAIRS)


@dataclass(frozen=True)
class PlanColumns:
    """A plan as it was read. Only its form was checked; whether it is true, others say."""

    header: bytes
    ids: Any
    """pyarrow.StringArray of N ids, ascending."""
    site_ids: tuple[str, ...]
    placed: PlacedColumns
    extra: dict[str, NDArray[Any]]
    """(N,) each."""


def write_plan_columns(
    path: Path,
    header: bytes,
    columns: CatalogColumns,
    site_ids: Sequence[str],
    placed: PlacedColumns,
    extra: Mapping[str, NDArray[Any]],
    *,
    flow_source: Integers | None = None,
    pair_first: Integers | None = None,
) -> None:
    """Write a plan.

    Parameters
    ----------
    path
        The file; it appears whole, or stays as it was.
    header
        At most 64 MiB.
    columns
        N datasets.
    site_ids
        S sites that `placed` counts.
    placed
        The placements and prices.
    extra
        (N,) arrays by name: whole numbers, floats or flags.
    flow_source
        (F,) rows of datasets, ascending: the facts' `flow_source`. Needed for flow prices.
    pair_first
        (Q,) rows of datasets, ascending: the facts' `pair_first`. Needed for prices of pairs.

    Raises
    ------
    ValueError
        When shapes do not fit, or a dataset has no site.
    BadInput
        When the file cannot be written.
    """
    flows = _flow_bounds(len(columns), placed, len(site_ids), flow_source)
    pairs = _pair_bounds(len(columns), placed, pair_first)
    _check_shapes(header, columns, site_ids, placed, extra)
    schema = _schema(extra, pairs=pairs is not None)
    options: dict[str, Any] = {"compression": "zstd", "write_page_checksum": True}
    words = pa.array(site_ids, pa.string())
    with (
        replacing(path) as stream,
        pq.ParquetWriter(stream, schema, use_dictionary=["sites.list.element"], **options) as file,
    ):
        for batch in _batches(columns, words, placed, extra, (flows, pairs), schema):
            file.write_batch(batch)
        prices = canonical_json(dict(placed.row_prices))
        file.add_key_value_metadata(
            {KEY: header, _SITES_KEY: canonical_json(list(site_ids)), _PRICES_KEY: prices}
        )


def read_plan_columns(path: Path) -> PlanColumns:
    """A plan from its file.

    Raises
    ------
    BadInput
        When it is no such file, is damaged or too large, or names sites it does not list.
    """
    with reading(path):
        footer_of(path, most=_FOOTER_MAX)
        header, site_ids, row_prices = _metadata(path)
        members = max(_REPLICAS_MAX, _PAIRS_PER_ROW_MAX, _FLOWS_PER_ROW_MAX * len(site_ids))
        file = open_parquet(path, ROWS_MAX, members, _FOOTER_MAX)
        extra_names = _checked_names(path, file.schema_arrow)
        pieces = [
            _piece(path, batch, pa.array(site_ids, pa.string()), extra_names)
            for batch in batches_of(file)
        ]
    if not pieces:
        raise stop(path, "has no placements")
    ids = pa.chunked_array([piece.ids for piece in pieces]).combine_chunks()
    if isinstance(ids, pa.ChunkedArray) or not _ascending(ids):
        raise stop(path, "its datasets do not stand in ascending order, each once")
    most = max(piece.sites.shape[1] for piece in pieces)
    sites = np.concatenate([_widened(piece.sites, most) for piece in pieces])
    messages = np.concatenate([piece.messages for piece in pieces])
    if len(messages) % len(site_ids):
        raise stop(path, "messages: a price for every site is expected")
    placed = PlacedColumns(
        sites,
        row_prices,
        messages.reshape(-1, len(site_ids)),
        np.concatenate([piece.pair_places for piece in pieces]),
        np.concatenate([piece.pair_prices for piece in pieces]),
    )
    if placed.pair_places.shape != placed.pair_prices.shape:
        raise stop(path, f"{' and '.join(_PAIRS)}: a price for every place is expected")
    extra = {name: np.concatenate([p.extra[name] for p in pieces]) for name in extra_names}
    return PlanColumns(header, ids, site_ids, placed, extra)


@dataclass(frozen=True)
class _Piece:
    ids: Any
    sites: Numbers32
    messages: Integers
    pair_places: Numbers32
    pair_prices: Integers
    extra: dict[str, NDArray[Any]]


def _flow_bounds(
    size: int, placed: PlacedColumns, sites: int, flow_source: Integers | None
) -> Integers:
    """(N + 1,) where the flows begin that each dataset is the source of."""
    if not len(placed.flow_prices):
        return np.zeros(size + 1, dtype=np.int64)
    if flow_source is None or placed.flow_prices.shape != (len(flow_source), sites):
        raise ValueError("flow prices need the source of each flow, and a price for every site")
    if (np.diff(flow_source) < 0).any():
        raise ValueError("flows stand in the order of their sources")
    return _bounds(np.bincount(flow_source, minlength=size))


def _pair_bounds(size: int, placed: PlacedColumns, pair_first: Integers | None) -> Integers | None:
    """(N + 1,) where the pairs begin that each dataset is the first of; none without prices."""
    shapes = placed.pair_places.shape, placed.pair_prices.shape
    if shapes == ((0,), (0,)):
        return None
    if pair_first is None or shapes != (pair_first.shape, pair_first.shape):
        raise ValueError("prices of pairs need the first of each pair, a place and a price")
    if (np.diff(pair_first) < 0).any():
        raise ValueError("pairs stand in the order of their first")
    return _bounds(np.bincount(pair_first, minlength=size))


def _bounds(lengths: Integers) -> Integers:
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths)])


def _check_shapes(
    header: bytes,
    columns: CatalogColumns,
    site_ids: Sequence[str],
    placed: PlacedColumns,
    extra: Mapping[str, NDArray[Any]],
) -> None:
    size = len(columns)
    if len(header) > HEADER_MAX:
        raise ValueError(f"the header has more than {HEADER_MAX} bytes")
    if placed.sites.shape[0] != size or any(array.shape != (size,) for array in extra.values()):
        raise ValueError("every column has a row for each dataset")
    if set(extra) & set(_RESERVED):
        raise ValueError(f"{', '.join(_RESERVED)} are the names of a plan's own columns")
    if (placed.sites[:, 0] < 0).any() or placed.sites.max(initial=0) >= len(site_ids):
        raise ValueError("every dataset has a site, and of those given")


def _schema(extra: Mapping[str, NDArray[Any]], *, pairs: bool) -> Any:
    own = [
        ("dataset", pa.string()),
        ("sites", pa.list_(pa.string())),
        ("messages", pa.list_(pa.int64())),
        *zip(_PAIRS, (pa.list_(pa.int32()), pa.list_(pa.int64())), strict=True),
    ][: len(_RESERVED) if pairs else len(_OWN)]
    return pa.schema([*own, *((name, pa.from_numpy_dtype(a.dtype)) for name, a in extra.items())])


def _batches(
    columns: CatalogColumns,
    words: Any,
    placed: PlacedColumns,
    extra: Mapping[str, NDArray[Any]],
    starts: tuple[Integers, Integers | None],
    schema: Any,
) -> Iterator[Any]:
    flows, pairs = starts
    for start in range(0, len(columns), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        sites = placed.sites[rows]
        held = sites >= 0
        chosen = words.take(pa.array(sites[held]))
        bounds = flows[start : start + ROWS_AT_ONCE + 1]
        messages = placed.flow_prices[bounds[0] : bounds[-1]]
        arrays = [
            columns.ids[rows],
            _lists(held.sum(axis=1), chosen),
            _lists(np.diff(bounds) * len(words), pa.array(messages.reshape(-1))),
            *([] if pairs is None else _pair_lists(placed, pairs[start : start + len(bounds)])),
            *(pa.array(array[rows]) for array in extra.values()),
        ]
        yield pa.record_batch(arrays, schema=schema)


def _pair_lists(placed: PlacedColumns, bounds: Integers) -> list[Any]:
    part, lengths = slice(bounds[0], bounds[-1]), np.diff(bounds)
    return [_lists(lengths, pa.array(c[part])) for c in (placed.pair_places, placed.pair_prices)]


def _lists(lengths: Integers, inside: Any) -> Any:
    bounds = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(bounds), inside)


def _metadata(path: Path) -> tuple[bytes, tuple[str, ...], dict[str, int]]:
    told = pq.read_metadata(path).metadata or {}
    for key in (KEY, _SITES_KEY, _PRICES_KEY):
        if key.encode() not in told:
            raise stop(path, f"is no plan: its metadata has no {key}")
    sites = decode_json(told[_SITES_KEY.encode()], str(path))
    prices = decode_json(told[_PRICES_KEY.encode()], str(path))
    texts = isinstance(sites, list) and all(isinstance(site, str) for site in sites)
    if not texts or not sites or len(set(sites)) != len(sites):
        raise stop(path, f"{_SITES_KEY}: a list of different site ids is expected")
    if not isinstance(prices, dict) or not all(type(price) is int for price in prices.values()):
        raise stop(path, f"{_PRICES_KEY}: whole numbers by name are expected")
    return told[KEY.encode()], tuple(sites), prices


def _checked_names(path: Path, schema: Any) -> list[str]:
    """Names of the further columns, all of types that are known."""
    names = schema.names
    if len(set(names)) != len(names) or not set(_OWN) <= set(names):
        raise stop(path, f"the columns {', '.join(_OWN)} are expected, each once")
    if len(set(_PAIRS) & set(names)) == 1:
        raise stop(path, f"the columns {' and '.join(_PAIRS)} are expected, or neither")
    kinds = {name: schema.field(name).type for name in names}
    numbers = [kinds[name] for name in ("messages", *_PAIRS) if name in kinds]
    plain = all(pa.types.is_list(kind) for kind in (kinds["sites"], *numbers))
    if not plain or not all(pa.types.is_integer(kind.value_type) for kind in numbers):
        raise stop(path, "sites and messages: lists of texts and of whole numbers are expected")
    further = [name for name in names if name not in _RESERVED]
    for name in further:
        kind = kinds[name]
        if not (
            pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
        ):
            raise stop(path, "a further column holds neither numbers nor flags")
    return further


def _piece(path: Path, batch: Any, words: Any, extra_names: list[str]) -> _Piece:
    batch.validate(full=True)
    found = {name: batch.column(name) for name in batch.schema.names}
    lists = found["messages"].flatten()
    none = pa.array([], pa.int64())
    places, prices = (found[name].flatten() if name in found else none for name in _PAIRS)
    whole = [found[name] for name in (*extra_names, "dataset", "sites")]
    nulls = [*whole, lists, places, prices]
    if any(array.null_count for array in nulls):
        raise stop(path, "a value is missing")
    return _Piece(
        found["dataset"].cast(pa.string()),
        _site_rows(path, found["sites"], words),
        lists.cast(pa.int64()).to_numpy(),
        places.cast(pa.int32()).to_numpy(),
        prices.cast(pa.int64()).to_numpy(),
        {name: found[name].to_numpy(zero_copy_only=False) for name in extra_names},
    )


def _site_rows(path: Path, lists: Any, words: Any) -> Numbers32:
    """(n, R) rows of sites, -1 behind the last."""
    bounds = list_bounds(lists)
    lengths = np.diff(bounds)
    inside = lists.flatten().cast(pa.string())
    rows = pc.fill_null(pc.index_in(inside, value_set=words), -1).to_numpy()
    most = int(lengths.max(initial=0))
    if (rows < 0).any() or lengths.min(initial=1) < 1 or most > _REPLICAS_MAX:
        raise stop(path, f"sites: 1 to {_REPLICAS_MAX} of the plan's sites are expected")
    result = np.full((len(lengths), most), -1, dtype=np.int32)
    result[np.arange(most) < lengths[:, None]] = rows
    later = result[:, 1:]
    if ((later >= 0) & (later <= result[:, :-1])).any():
        raise stop(path, "sites: each once, in the order of the plan's sites, is expected")
    return result


def _widened(sites: Numbers32, width: int) -> Numbers32:
    return np.pad(sites, ((0, 0), (0, width - sites.shape[1])), constant_values=-1)


def _ascending(ids: Any) -> bool:
    return len(ids) < 2 or bool(pc.all(pc.less(ids[:-1], ids[1:])).as_py())
