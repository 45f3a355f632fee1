"""One row for each dataset at each of its sites: for spreadsheets, notebooks and warehouses.

The columns never depend on what is in them. In CSV, lists of ids are separated by blanks, which no
id has; of obligations it holds the codes. Parquet keeps lists, and the plan's digests in its
metadata as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from placement.provision.exports.export import Export, Origin, Replica

COLUMNS = (
    "dataset",
    "title",
    "department",
    "site",
    "operator",
    "country",
    "site_kind",
    "other_sites",
    "from_sites",
    "storage",
    "volume_gb",
    "confidentiality",
    "gdpr_category",
    "access_rights",
    "host_obligations",
    "readers",
    "writers",
    "administrators",
    "decision",
    "plan_digest",
    "certificate_digest",
)


def rows(export: Export) -> Iterator[tuple[object, ...]]:
    """Rows of the CSV: texts, numbers and None, in order of COLUMNS."""
    origin = export.origin.model_dump(mode="json")
    for replica in export.replicas:
        facts = replica.model_dump(mode="json") | origin
        facts["host_obligations"] = [o.code for o in replica.host_obligations]
        yield tuple(_cell(facts[name]) for name in COLUMNS)


def parquet(export: Export) -> bytes:
    """A Parquet file; the same bytes for equal exports by one version of the library."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = _schema()
    origin = export.origin.model_dump(mode="json")
    plain = [replica.model_dump(mode="json") | origin for replica in export.replicas]
    table = pa.Table.from_pylist([{n: row[n] for n in schema.names} for row in plain], schema)
    told = {f"placement.{name}": str(value) for name, value in origin.items() if value is not None}
    table = table.replace_schema_metadata({"format": "placement-export/1"} | told)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _cell(value: Any) -> object:
    if not isinstance(value, list):
        return value
    return " ".join(dict.fromkeys(value))  # one code may have several requirements


def _schema() -> Any:
    """The columns as Parquet has them."""
    import pyarrow as pa

    ids = pa.list_(pa.field("element", pa.string(), nullable=False))
    obligation = pa.struct(
        [pa.field(n, pa.string(), nullable=False) for n in ("code", "requirement")]
    )
    special = {
        **dict.fromkeys(("other_sites", "from_sites", "readers", "writers", "administrators"), ids),
        "host_obligations": pa.list_(pa.field("element", obligation, nullable=False)),
        "volume_gb": pa.int64(),
        "confidentiality": pa.int8(),
        "decision": pa.int64(),
    }
    optional = {
        name
        for model in (Replica, Origin)
        for name, field in model.model_fields.items()
        if type(None) in getattr(field.annotation, "__args__", ())
    }
    return pa.schema(
        [pa.field(n, special.get(n, pa.string()), nullable=n in optional) for n in COLUMNS]
    )
