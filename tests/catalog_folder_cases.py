"""Catalogue folders varied in tests, and what columns of a catalogue should be, row by row."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from models import CoLocated, Cumulated, DerivedFrom, Separated
from models.columns import CatalogColumns
from placement.catalog.columns import write_catalog_folder

PRESENCE = ("owner_department", "steward", "lawful_basis")
PUBLISHED = {"uri", "licences", "distributions"}
VARYING = {
    "id", "title", "description", "volume_gb", "monthly_read_gb", "monthly_egress_gb",
    "current_site", "further_current_sites", "synthetic",
}  # fmt: skip


def plain(value):
    """Columns as plain data that can be compared."""
    if is_dataclass(value):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, np.ndarray):
        return (str(value.dtype), value.tolist())
    if isinstance(value, pa.Array):
        return (str(value.type), value.to_pylist())
    return value


def assert_same(one: CatalogColumns, other: CatalogColumns) -> None:
    assert plain(one) == plain(other)


def kind_key(dataset):
    """What makes a kind, as the models say it."""
    told = dataset.model_dump()
    shared = {n: value for n, value in told.items() if n not in VARYING and n not in PUBLISHED}
    return repr(shared | {name: told[name] is not None for name in PRESENCE})


def expected(catalog):
    """The meaning of columns, one dataset and one relation after the other."""
    datasets = sorted(catalog.datasets, key=lambda d: d.id.encode())
    row = {d.id: n for n, d in enumerate(datasets)}
    kinds = list(dict.fromkeys(kind_key(d) for d in datasets))
    first = {kind_key(d): d for d in reversed(datasets)}
    sites = sorted({d.current_sites for d in datasets})

    def groups(kind):
        found = [r for r in catalog.relations if isinstance(r, kind)]
        return sorted(
            (sorted(row[m] for m in r.members), getattr(r, "level", "") == "operator")
            for r in found
        )

    return {
        "ids": [d.id for d in datasets],
        "kind_of": [kinds.index(kind_key(d)) for d in datasets],
        "kinds": kinds,
        "texts": [[getattr(first[k], name) for name in PRESENCE] for k in kinds],
        "volume_gb": [d.volume_gb for d in datasets],
        "read": [int(d.monthly_read_gb * 10**6) for d in datasets],
        "egress": [int(d.monthly_egress_gb * 10**6) for d in datasets],
        "current": [d.current_sites for d in datasets],
        "sites": sites,
        "derivations": sorted(
            (
                row[r.source],
                row[r.derived],
                int(r.monthly_transfer_gb * 10**6),
                r.transformation is not None and r.transformation.ends_inheritance,
            )
            for r in catalog.relations
            if isinstance(r, DerivedFrom)
        ),
        "co_located": [members for members, _ in groups(CoLocated)],
        "cumulated": [members for members, _ in groups(Cumulated)],
        "separated": groups(Separated),
    }


def told(columns):
    """Columns in the form of `expected`."""
    found = columns.derivations
    apart = columns.separated
    return {
        "ids": columns.ids.to_pylist(),
        "kind_of": columns.kind_of.tolist(),
        "kinds": [kind_key(k) for k in columns.kinds],
        "texts": [[getattr(k, name) for name in PRESENCE] for k in columns.kinds],
        "volume_gb": columns.volume_gb.tolist(),
        "read": columns.monthly_read_ugb.tolist(),
        "egress": columns.monthly_egress_ugb.tolist(),
        "current": [columns.current_sites[n] for n in columns.current_of.tolist()],
        "sites": list(columns.current_sites),
        "derivations": list(
            zip(
                found.source.tolist(),
                found.derived.tolist(),
                found.monthly_transfer_ugb.tolist(),
                found.ends_inheritance.tolist(),
                strict=True,
            )
        ),
        "co_located": members_of(columns.co_located),
        "cumulated": members_of(columns.cumulated),
        "separated": list(
            zip(members_of(apart.groups), apart.whole_operator.tolist(), strict=True)
        ),
    }


def members_of(groups):
    return [
        groups.members[a:b].tolist()
        for a, b in zip(groups.offsets[:-1].tolist(), groups.offsets[1:].tolist(), strict=True)
    ]


def line(ident="a", **changes):
    """A dataset's record in JSON; None leaves a field out."""
    record = {
        "id": ident,
        "title": ident.title(),
        "volume_gb": 1,
        "monthly_read_gb": 0.5,
        "monthly_egress_gb": "0.25",
    }
    return {name: value for name, value in (record | changes).items() if value is not None}


class Folder:
    """A catalogue folder written file by file."""

    def __init__(self, root):
        self.root = root
        root.mkdir(exist_ok=True)
        self.header()

    def header(self, **changes):
        document = {"format": "placement-catalog-folder/1", "municipality": "Testburg"} | changes
        (self.root / "catalog.json").write_text(json.dumps(document))

    def lines(self, *records, name="datasets.jsonl"):
        texts = [r if isinstance(r, str) else json.dumps(r) for r in records]
        (self.root / name).write_bytes("".join(f"{t}\n" for t in texts).encode())

    def table(self, columns, name="datasets.parquet", **options):
        table = columns if isinstance(columns, pa.Table) else pa.table(columns)
        pq.write_table(table, self.root / name, **options)


def shuffled_folder(catalog, folder, kind, rng):
    """The catalogue's folder with all rows in another order, spread over several parts."""
    datasets = tuple(catalog.datasets[k] for k in rng.permutation(len(catalog.datasets)))
    relations = tuple(catalog.relations[k] for k in rng.permutation(len(catalog.relations)))
    mixed = catalog.model_copy(update={"datasets": datasets, "relations": relations})
    write_catalog_folder(mixed, folder, kind)
    cut = int(rng.integers(0, len(datasets) + 1))
    for name in ("datasets", "relations"):
        path = folder / f"{name}.{kind}"
        if kind == "jsonl":
            lines = path.read_bytes().splitlines(keepends=True)
            (folder / f"{name}-1.jsonl").write_bytes(b"".join(lines[:cut]))
            (folder / f"{name}-2.jsonl").write_bytes(b"".join(lines[cut:]))
        else:
            table = pq.read_table(path)
            pq.write_table(table.slice(0, cut), folder / f"{name}-1.parquet", row_group_size=2)
            pq.write_table(table.slice(cut), folder / f"{name}-2.parquet", use_dictionary=False)
        path.unlink()
