"""Reading a catalogue folder: its header, then datasets and relations from their part files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from models.columns import CatalogColumns
from placement.catalog.columns.assembling import assembled
from placement.catalog.columns.datasets import Gathering, judged
from placement.catalog.columns.fields import DATASET, HEADER, RELATION, SUFFIXES
from placement.catalog.columns.findings import (
    Findings,
    Part,
    dataset_defects,
    relation_defects,
    stop,
)
from placement.catalog.columns.header import header_of
from placement.catalog.columns.jsonl import jsonl_parts
from placement.catalog.columns.parquet import parquet_parts
from placement.catalog.columns.records import plain_dataset, plain_relation
from placement.catalog.columns.relations import Linking, judged_relations
from placement.catalog.strict_json import read_json

_PART = re.compile(r"(datasets|relations)(-[A-Za-z0-9._-]+)?\.(parquet|jsonl)")


def load_catalog_columns(folder: Path) -> CatalogColumns:
    """The catalogue in a folder, as columns.

    `catalog.json` has the native catalogue's fields without datasets and relations, in the
    format placement-catalog-folder/1. `datasets.parquet` or `datasets.jsonl`, or parts such as
    `datasets-001.parquet`, have one native record a row or line; `relations`, which may be
    missing, likewise. Neither the order of the rows nor their spread over files matters.

    Parameters
    ----------
    folder
        With the files.

    Raises
    ------
    BadInput
        With the defects: some dozens named, the others counted.
    """
    header = header_of(read_json(folder / HEADER), str(folder / HEADER))
    files = _part_files(folder)
    findings = Findings()
    gathering = Gathering([contract.id for contract in header.contracts], findings)
    for part in _parts(files["datasets"], DATASET, findings, gathering.contracts):
        gathering.add(part)
    named = gathering.finish(folder)
    linking = Linking(findings)
    for part in _parts(files["relations"], RELATION, findings, ()):
        linking.add(part)
    return assembled(header, named, linking, folder)


def _part_files(folder: Path) -> dict[str, list[Path]]:
    """Part files in the order of their names."""
    found: dict[str, list[Path]] = {"datasets": [], "relations": []}
    for path in sorted(folder.iterdir()):
        named = _PART.fullmatch(path.name)
        if named and path.is_file():
            found[named[1]].append(path)
        elif path.suffix in SUFFIXES:
            raise stop(path, "is no part of a catalogue: datasets*.* or relations*.* is expected")
    if not found["datasets"]:
        raise stop(folder, "has neither datasets.parquet nor datasets.jsonl")
    return found


def _parts(paths: list[Path], schema: Any, findings: Findings, contracts: Any) -> Iterator[Part]:
    for path in paths:
        if path.suffix == ".parquet":
            yield from parquet_parts(path, schema)
        elif schema is DATASET:
            yield from jsonl_parts(
                path,
                schema,
                findings,
                defects_of=lambda record, place: dataset_defects(record, place, contracts),
                plain=plain_dataset,
                judged=lambda part: not judged(part)[0].any(),
            )
        else:
            yield from jsonl_parts(
                path,
                schema,
                findings,
                defects_of=relation_defects,
                plain=plain_relation,
                judged=judged_relations,
            )
