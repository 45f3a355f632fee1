"""What a row filter admits, of records in memory; the store says the same in SQL."""

from __future__ import annotations

from models import AccessRights, Dataset, Relation, RowFilter, related_datasets
from placement.store.records import Records


def sees(rows: RowFilter, dataset: Dataset) -> bool:
    """Whether somebody with these rows may know of a dataset."""
    return (
        keeps(rows, dataset)
        or (rows.public and dataset.access_rights is AccessRights.PUBLIC)
        or not set(rows.reader_roles).isdisjoint(dataset.readers)
    )


def keeps(rows: RowFilter, dataset: Dataset) -> bool:
    """Whether somebody with these rows may change a dataset: to read it is not enough."""
    return rows.all or dataset.owner_department in rows.departments


def sees_all_of(rows: RowFilter, relation: Relation, records: Records) -> bool:
    """Whether somebody may know of a relation: of every dataset that it names."""
    return rows.all or all(
        (dataset := records.datasets.get(name)) is not None and sees(rows, dataset)
        for name in related_datasets(relation)
    )
