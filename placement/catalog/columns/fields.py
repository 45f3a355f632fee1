"""The records of a catalogue folder as Arrow types: field names are those of the native files."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from models import Dataset

FORMAT = "placement-catalog-folder/1"
HEADER = "catalog.json"
SUFFIXES = (".parquet", ".jsonl")

ROWS_MAX = 50_000_000
"""Most rows of one file, checked before anything is read."""
MEMBERS_MAX = 1_000
"""Longest list in a dataset's record."""

TEXT = pa.string()
TEXTS = pa.list_(TEXT)
FLAG = pa.bool_()
WHOLE = pa.int64()
EXACT = pa.decimal128(38, 18)
"""Numbers of JSON lines: more than the six decimals allowed, so that more are seen."""
COMPONENT = pa.struct(
    [("name", TEXT), ("licence", TEXT), ("open_standard", FLAG), ("interfaces", TEXTS)]
)
TRANSFORMATION = pa.struct(
    [("kind", TEXT), ("method", TEXT), ("reviewed_by", TEXT), ("reviewed_on", TEXT)]
)

LEVELS = ("confidentiality", "integrity", "availability")
"""Ordinals, or names as texts."""
PRESENCE = ("owner_department", "steward", "lawful_basis")
"""Texts of which only the presence makes a kind."""
VARYING = (
    "id",
    "title",
    "description",
    "volume_gb",
    "monthly_read_gb",
    "monthly_egress_gb",
    "current_site",
    "further_current_sites",
    "synthetic",
)
"""Fields that make no kind."""
PUBLISHED = ("uri", "licences", "distributions")
"""Fields about how a dataset is published: no decision reads them, columns do not keep them."""
SHARED = tuple(
    name for name in Dataset.model_fields if name not in (*VARYING, *PRESENCE, *PUBLISHED)
)
"""Fields that datasets of one kind agree in."""

_TYPES: dict[str, Any] = {
    **dict.fromkeys(LEVELS, WHOLE),
    **dict.fromkeys(("volume_gb", "replicas"), WHOLE),
    **dict.fromkeys(("monthly_read_gb", "monthly_egress_gb"), EXACT),
    **dict.fromkeys(
        (
            "non_publication_grounds",
            "readers",
            "writers",
            "administrators",
            "duties",
            "interfaces",
            "further_current_sites",
            "synthetic",
        ),
        TEXTS,
    ),
    "high_value": FLAG,
    "technologies": pa.list_(COMPONENT),
}
DATASET = pa.schema(
    [(name, _TYPES.get(name, TEXT)) for name in Dataset.model_fields if name not in PUBLISHED]
)
RELATION = pa.schema(
    [
        ("kind", TEXT),
        ("derived", TEXT),
        ("source", TEXT),
        ("transformation", TRANSFORMATION),
        ("monthly_transfer_gb", EXACT),
        ("members", TEXTS),
        ("level", TEXT),
        ("reason", TEXT),
    ]
)
DERIVATION_ONLY = ("derived", "source", "transformation", "monthly_transfer_gb")
GROUP_ONLY = ("members", "reason")
OPTIONAL = frozenset(
    {name for name, info in Dataset.model_fields.items() if info.default is None}
    | {"transformation", "reviewed_by", "reviewed_on", "licence", "open_standard"}
)
"""Fields that may be null in a JSON record; the others may only be left out."""
