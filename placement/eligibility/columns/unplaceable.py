"""Datasets that no choice of sites could place, whatever the others do."""

from __future__ import annotations

import numpy as np

from models import SiteRegister
from models.columns import CatalogColumns, EligibilityColumns, Integers


def unplaceable_columns(
    columns: CatalogColumns, eligibility: EligibilityColumns, register: SiteRegister
) -> Integers:
    """Rows of datasets with fewer eligible operators than replicas, ascending.

    Two replicas never rest with one operator. A dataset of one replica needs one eligible site,
    which is one eligible operator.
    """
    operator_of = {site.id: site.operator for site in register.sites}
    operators = [operator_of[site] for site in eligibility.table.sites]
    reach = np.array(
        [
            len({o for o, verdict in zip(operators, row, strict=True) if verdict.eligible})
            for row in eligibility.table.verdicts
        ],
        dtype=np.int64,
    )
    replicas = np.array([kind.replicas for kind in columns.kinds], dtype=np.int64)
    return np.flatnonzero(reach[eligibility.profile_of] < replicas[columns.kind_of])
