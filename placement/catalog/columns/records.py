"""Native models and records as rows of the folder's schemas, and whole catalogues as columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import TypeAdapter

from models import Catalog, Dataset, Relation
from models.columns import CatalogColumns
from placement.catalog.columns.assembling import assembled
from placement.catalog.columns.datasets import Gathering
from placement.catalog.columns.fields import DATASET, RELATION
from placement.catalog.columns.findings import Findings, Part
from placement.catalog.columns.header import header_of_catalog
from placement.catalog.columns.relations import Linking

_AT_ONCE = 50_000
_RELATION: TypeAdapter[Relation] = TypeAdapter(Relation)


def columns_of(catalog: Catalog) -> CatalogColumns:
    """A native catalogue as columns.

    Raises
    ------
    BadInput
        Where records contradict each other, such as a relation to a dataset that is not there.
    """
    findings = Findings()
    gathering = Gathering([contract.id for contract in catalog.contracts], findings)
    for part in _parts(map(dataset_row, catalog.datasets), DATASET):
        gathering.add(part)
    named = gathering.finish(Path("catalogue"))
    linking = Linking(findings)
    for part in _parts(map(relation_row, catalog.relations), RELATION):
        linking.add(part)
    return assembled(header_of_catalog(catalog), named, linking, Path("catalogue"))


def plain_dataset(record: dict[str, Any]) -> dict[str, Any]:
    """A record that the model accepts, with every value in its plain form."""
    return dataset_row(Dataset.model_validate(record))


def plain_relation(record: dict[str, Any]) -> dict[str, Any]:
    """A record that the model accepts, with every value in its plain form."""
    return relation_row(_RELATION.validate_python(record))


def dataset_row(dataset: Dataset) -> dict[str, Any]:
    """A dataset as a row."""
    return dataset.model_dump()


def relation_row(relation: Relation) -> dict[str, Any]:
    """A relation as a row."""
    row = relation.model_dump()
    told = row.get("transformation")
    if told and told["reviewed_on"] is not None:
        told["reviewed_on"] = told["reviewed_on"].isoformat()
    return row


def tables_of(rows: Iterable[dict[str, Any]], schema: Any) -> Iterator[Any]:
    """Rows as pyarrow record batches, some at once."""
    pending = iter(rows)
    while chunk := list(islice(pending, _AT_ONCE)):
        yield pa.RecordBatch.from_pylist(chunk, schema=schema)


def _parts(rows: Iterable[dict[str, Any]], schema: Any) -> Iterator[Part]:
    first = 1
    for batch in tables_of(rows, schema):
        columns = {name: batch.column(name) for name in schema.names}
        yield Part("catalogue", "record", first, len(batch), columns)
        first += len(batch)
