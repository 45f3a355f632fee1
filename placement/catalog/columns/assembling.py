"""The last step of reading: header, datasets and relations in one piece."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.columns import CatalogColumns
from placement.catalog.columns.datasets import Named
from placement.catalog.columns.header import Header
from placement.catalog.columns.relations import Linking


def assembled(header: Header, named: Named, linking: Linking, folder: Path) -> CatalogColumns:
    """Everything read, in one piece.

    Raises
    ------
    BadInput
        For relations that lead nowhere.
    """
    replicas = np.array([kind.replicas for kind in named.kinds], dtype=np.int64)[named.kind_of]
    linked = linking.finish(named.ids, replicas, folder)
    return CatalogColumns(
        municipality=header.municipality,
        source=header.source,
        ids=named.ids,
        kind_of=named.kind_of,
        kinds=named.kinds,
        volume_gb=named.numbers.volume_gb,
        monthly_read_ugb=named.numbers.monthly_read_ugb,
        monthly_egress_ugb=named.numbers.monthly_egress_ugb,
        current_of=named.current_of,
        current_sites=named.current_sites,
        derivations=linked.derivations,
        co_located=linked.co_located,
        separated=linked.separated,
        cumulated=linked.cumulated,
        roles=header.roles,
        contracts=header.contracts,
    )
