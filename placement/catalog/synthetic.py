"""Made-up volumes for catalogues that state none: from a seed, the same on every machine.

Each value depends on the seed, the dataset's id and the field alone, so that neither the order
of datasets nor adding one changes another. The distribution is lognormal, as file and table
sizes are (Mitzenmacher, "Dynamic Models for File Sizes and Double Pareto Distributions", 2004).
"""

from __future__ import annotations

import hashlib
import math
from decimal import Decimal
from statistics import NormalDist
from typing import NamedTuple

SEED = "placement-1"
"""The seed all importers use; it is named in every catalogue they write."""

VOLUME_MEDIAN_GB = 25
VOLUME_SIGMA = 1.6
"""Standard deviation of the logarithm: the largest of 100 datasets is some 40 times the median."""
BULK_VOLUME_MEDIAN_GB = 1_500
"""Point clouds, aerial images and other bulk files."""
BULK_VOLUME_SIGMA = 1.0
READ_SHARE_MEDIAN = 0.2
"""Of the volume, read by the city's own roles in a month."""
EGRESS_SHARE_MEDIAN = 0.05
"""Of the volume, delivered to the public in a month, where the data is public."""
PARTNER_SHARE_MEDIAN = 0.005
"""Of the volume, delivered to partners in a month, where access is restricted."""
TRANSFER_SHARE_MEDIAN = 0.1
"""Of a source's volume, that goes to what is derived from it in a month."""
SHARE_SIGMA = 1.0

FIELDS = ("volume_gb", "monthly_read_gb", "monthly_egress_gb")


class Volumes(NamedTuple):
    """Volumes of one dataset: GB, and GB a month."""

    volume_gb: int
    monthly_read_gb: Decimal
    monthly_egress_gb: Decimal


def volumes(dataset: str, *, bulk: bool, public: bool, stated_gb: int | None = None) -> Volumes:
    """Volume, reads and deliveries of a dataset; the volume only where none is stated."""
    median = BULK_VOLUME_MEDIAN_GB if bulk else VOLUME_MEDIAN_GB
    sigma = BULK_VOLUME_SIGMA if bulk else VOLUME_SIGMA
    drawn = math.ceil(lognormal(dataset, "volume_gb", median, sigma))
    volume = stated_gb if stated_gb is not None else drawn
    read = lognormal(dataset, "monthly_read_gb", READ_SHARE_MEDIAN, SHARE_SIGMA)
    share = EGRESS_SHARE_MEDIAN if public else PARTNER_SHARE_MEDIAN
    egress = lognormal(dataset, "monthly_egress_gb", share, SHARE_SIGMA)
    return Volumes(volume, _gb(volume * read), _gb(volume * egress))


def transfer_gb(derived: str, source: str, source_volume_gb: int) -> Decimal:
    """GB a month from a source to what is derived from it."""
    share = lognormal(f"{derived} < {source}", "transfer", TRANSFER_SHARE_MEDIAN, SHARE_SIGMA)
    return _gb(source_volume_gb * min(share, 1.0))


def lognormal(name: str, field: str, median: float, sigma: float) -> float:
    """One draw, decided by the seed, the name and the field; within 2.5 sigma of the median."""
    digest = hashlib.sha256(f"{SEED}\0{name}\0{field}".encode()).digest()
    uniform = (int.from_bytes(digest[:8], "big") + 0.5) / 2**64
    normal = max(-2.5, min(2.5, NormalDist().inv_cdf(uniform)))
    return median * math.exp(sigma * normal)


def _gb(value: float) -> Decimal:
    """Two decimals: far coarser than what separates one machine's exp() from another's."""
    return Decimal(repr(round(value, 2)))
