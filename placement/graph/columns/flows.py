"""What flows between datasets in a month, summed exactly."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from models import decimal_text
from models.columns import MICRO, CatalogColumns, Integers
from placement.errors import BadInput, Defect
from placement.graph.columns.lineage import Pairs, name_of
from placement.graph.lineage import FLOW_GB_MAX

_SPLIT = 10**9
"""Volumes are summed as high * 10^9 + low, so that no sum of 64 bits runs over."""


@dataclass(frozen=True)
class Flows:
    """Flows above zero, by (source, derived)."""

    source: Integers
    derived: Integers
    ugb: Integers
    """Millionths of a gigabyte a month."""


def summed_flows(columns: CatalogColumns, pairs: Pairs) -> Flows:
    """One flow a pair: the sum over its relations.

    Raises
    ------
    BadInput
        A sum is larger than a volume can be.
    """
    volumes = columns.derivations.monthly_transfer_ugb[pairs.order]
    low = np.add.reduceat(volumes % _SPLIT, pairs.starts)
    high = np.add.reduceat(volumes // _SPLIT, pairs.starts) + low // _SPLIT
    low %= _SPLIT
    limit = int(FLOW_GB_MAX) * MICRO // _SPLIT
    too_large = np.flatnonzero((high > limit) | ((high == limit) & (low > 0)))
    if len(too_large):
        raise BadInput(
            [
                _too_large(columns, pairs, row, int(high[row]) * _SPLIT + int(low[row]))
                for row in too_large.tolist()
            ]
        )
    total = high * _SPLIT + low
    kept = total > 0
    return Flows(pairs.source[kept], pairs.derived[kept], total[kept])


def _too_large(columns: CatalogColumns, pairs: Pairs, row: int, total_ugb: int) -> Defect:
    total = decimal_text(Decimal(total_ugb) / MICRO)
    return Defect(
        "",
        f"dataset {name_of(columns, pairs.derived[row])}",
        "monthly_transfer_gb",
        f"the flows from {name_of(columns, pairs.source[row])} add up to {total} GB, "
        f"more than {FLOW_GB_MAX}",
    )
