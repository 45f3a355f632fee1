"""References between columns and a sites file: the native rules, once for each kind."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from models import Catalog, Dataset, SiteRegister
from models.columns import CatalogColumns, Numbers32
from placement.catalog.columns.codes import Codes, first_rows
from placement.catalog.references import check_references
from placement.errors import BadInput, Defect

_CURRENT = ("current_site", "further_current_sites")


def check_columns_references(
    columns: CatalogColumns, register: SiteRegister, *, catalog_file: str, register_file: str
) -> None:
    """What `check_references` says of a native catalogue, for columns.

    Datasets that share a kind, or today's sites, share their references: a defect names the
    first of them and counts the others.

    Raises
    ------
    BadInput
        With every defect of both files.
    """
    counts: dict[tuple[str, bool], int] = {}
    stand_ins: list[Dataset] = []
    for dataset, count in (*_kinds(columns), *_resting(columns)):
        counts[f"dataset {dataset.id}", dataset.current_site is not None] = count
        stand_ins.append(dataset)
    catalog = Catalog(
        municipality=columns.municipality, datasets=tuple(stand_ins), roles=columns.roles
    )
    try:
        check_references(catalog, register, catalog_file=catalog_file, register_file=register_file)
    except BadInput as error:
        raise BadInput([_counted(defect, counts) for defect in error.defects]) from None


def _kinds(columns: CatalogColumns) -> Iterator[tuple[Dataset, int]]:
    for number, row, count in _used(columns.kind_of, len(columns.kinds)):
        name = columns.ids[row].as_py()
        yield columns.kinds[number].model_copy(update={"id": name}), count


def _resting(columns: CatalogColumns) -> Iterator[tuple[Dataset, int]]:
    for number, row, count in _used(columns.current_of, len(columns.current_sites)):
        sites = columns.current_sites[number]
        if sites:
            resting = {"current_site": sites[0], "further_current_sites": sites[1:]}
            yield _bare(columns.ids[row].as_py()).model_copy(update=resting), count


def _used(numbers: Numbers32, count: int) -> Iterator[tuple[int, int, int]]:
    """(number, first row, rows) of every number that rows have."""
    wide = numbers.astype(np.int64)
    first = first_rows(Codes(wide, count)).tolist()
    sizes = np.bincount(wide, minlength=count).tolist()
    return ((n, first[n], sizes[n]) for n in range(count) if sizes[n])


def _bare(name: str) -> Dataset:
    amounts = {"volume_gb": 0, "monthly_read_gb": 0, "monthly_egress_gb": 0}
    return Dataset.model_validate({"id": name, "title": name, **amounts})


def _counted(defect: Defect, counts: dict[tuple[str, bool], int]) -> Defect:
    others = counts.get((defect.record, defect.field in _CURRENT), 1) - 1
    alike = f" ({others} more dataset{'s' if others > 1 else ''} alike)" if others else ""
    return Defect(defect.file, defect.record, defect.field, defect.message + alike)
