"""Writing a catalogue folder, whole or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from models import Catalog
from models.canonical import canonical_json
from models.columns import CatalogColumns
from placement.catalog.columns.fields import DATASET, HEADER, RELATION
from placement.catalog.columns.header import Header, header_of_catalog
from placement.catalog.columns.records import dataset_row, relation_row, tables_of
from placement.catalog.columns.rows import (
    dataset_batches,
    dataset_lines,
    parquet_schema,
    relation_batches,
    relation_lines,
)
from placement.catalog.writing import write_json
from placement.errors import BadInput, Defect

Kind = Literal["parquet", "jsonl"]


def write_catalog_folder(
    source: CatalogColumns | Catalog, folder: Path, kind: Kind = "parquet"
) -> None:
    """Write a catalogue as a folder that is not there yet.

    Parameters
    ----------
    source
        A native catalogue is written with all that decisions read; columns with what they have.
    folder
        A place where nothing is.
    kind
        Of the two part files.

    Raises
    ------
    BadInput
        When something is there, or it cannot be written.
    """
    if folder.exists():
        raise BadInput([Defect(str(folder), "", "", "is there already")])
    try:
        with tempfile.TemporaryDirectory(dir=folder.resolve().parent, prefix=".placement-") as name:
            draft = Path(name) / folder.name
            draft.mkdir()
            write_json(_header(source), draft / HEADER)
            _write_parts(source, draft, kind)
            draft.replace(folder.resolve())
    except OSError as error:
        reason = f"cannot be written: {error.strerror}"
        raise BadInput([Defect(str(folder), "", "", reason)]) from error


def _header(source: CatalogColumns | Catalog) -> Header:
    if isinstance(source, Catalog):
        return header_of_catalog(source)
    return Header(
        municipality=source.municipality,
        source=source.source,
        roles=source.roles,
        contracts=source.contracts,
    )


def _write_parts(source: CatalogColumns | Catalog, folder: Path, kind: Kind) -> None:
    if kind == "parquet":
        tables = _tables(source)
        _write_parquet(folder / "datasets.parquet", tables[0], parquet_schema(DATASET))
        _write_parquet(folder / "relations.parquet", tables[1], parquet_schema(RELATION))
        return
    lines = _lines(source)
    for name, buffers in zip(("datasets", "relations"), lines, strict=True):
        with (folder / f"{name}.jsonl").open("wb") as stream:
            for buffer in buffers:
                stream.write(buffer)


def _tables(source: CatalogColumns | Catalog) -> tuple[Iterator[Any], Iterator[Any]]:
    if isinstance(source, CatalogColumns):
        return dataset_batches(source), relation_batches(source)
    return (
        tables_of(map(dataset_row, source.datasets), parquet_schema(DATASET)),
        tables_of(map(relation_row, source.relations), parquet_schema(RELATION)),
    )


def _lines(source: CatalogColumns | Catalog) -> tuple[Iterator[Any], Iterator[Any]]:
    if isinstance(source, CatalogColumns):
        return dataset_lines(source), relation_lines(source)
    return (
        (_line(dataset_row(dataset)) for dataset in source.datasets),
        (_line(relation_row(relation)) for relation in source.relations),
    )


def _line(row: dict[str, Any]) -> bytes:
    told = {name: value for name, value in row.items() if value is not None}
    return canonical_json(told) + b"\n"


def _write_parquet(path: Path, batches: Iterator[Any], schema: Any) -> None:
    plain = [name for name in ("id", "title", "description") if name in schema.names]
    repeated = [name for name in schema.names if name not in plain]
    leaves = [
        f"{n}.list.element" if pa.types.is_list(schema.field(n).type) else n for n in repeated
    ]
    with pq.ParquetWriter(
        path, schema, compression="zstd", use_dictionary=leaves, write_page_checksum=True
    ) as writer:
        for batch in batches:
            writer.write_batch(batch)
