"""Small catalogues as columns, written row by row: what the vectorised code is held against."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import numpy as np
import pyarrow as pa

from models import (
    Catalog,
    CoLocated,
    Cumulated,
    Dataset,
    DerivedFrom,
    EffectiveClass,
    Flow,
    GraphFacts,
    Separated,
    SeparatedPair,
)
from models.columns import MICRO, CatalogColumns, Derivations, Groups, Separations
from placement.graph import derive_facts
from placement.graph.ranks import category_of, level_of, rights_of


def as_columns(catalog: Catalog) -> CatalogColumns:
    """A catalogue as columns."""
    datasets = sorted(catalog.datasets, key=lambda dataset: dataset.id)
    row = {dataset.id: number for number, dataset in enumerate(datasets)}
    kinds: dict[Dataset, int] = {}
    homes: dict[tuple[str, ...], int] = {}
    kind_of, current_of = [], []
    for dataset in datasets:
        kind = dataset.model_copy(
            update={
                "id": "kind",
                "title": "Kind",
                "description": "",
                "volume_gb": 0,
                "monthly_read_gb": Decimal(0),
                "monthly_egress_gb": Decimal(0),
                "current_site": None,
                "further_current_sites": (),
            }
        )
        kind_of.append(kinds.setdefault(kind, len(kinds)))
        current_of.append(homes.setdefault(dataset.current_sites, len(homes)))
    lineage = [r for r in catalog.relations if isinstance(r, DerivedFrom)]
    apart = [r for r in catalog.relations if isinstance(r, Separated)]
    return CatalogColumns(
        municipality=catalog.municipality,
        source=catalog.source,
        ids=pa.array([dataset.id for dataset in datasets], pa.string()),
        kind_of=np.array(kind_of, dtype=np.int32),
        kinds=tuple(kinds),
        volume_gb=integers(dataset.volume_gb for dataset in datasets),
        monthly_read_ugb=integers(micro(dataset.monthly_read_gb) for dataset in datasets),
        monthly_egress_ugb=integers(micro(dataset.monthly_egress_gb) for dataset in datasets),
        current_of=np.array(current_of, dtype=np.int32),
        current_sites=tuple(homes),
        derivations=Derivations(
            source=integers(row[r.source] for r in lineage),
            derived=integers(row[r.derived] for r in lineage),
            monthly_transfer_ugb=integers(micro(r.monthly_transfer_gb) for r in lineage),
            ends_inheritance=np.array(
                [
                    r.transformation is not None and r.transformation.ends_inheritance
                    for r in lineage
                ],
                dtype=bool,
            ),
        ),
        co_located=groups_of(row, [r for r in catalog.relations if isinstance(r, CoLocated)]),
        separated=Separations(
            groups_of(row, apart), np.array([r.level == "operator" for r in apart], dtype=bool)
        ),
        cumulated=groups_of(row, [r for r in catalog.relations if isinstance(r, Cumulated)]),
        roles=catalog.roles,
        contracts=catalog.contracts,
    )


def as_facts(columns, facts) -> GraphFacts:
    """Fact columns as the objects they stand for, but for chains and reasons."""
    names = columns.ids.to_pylist()
    grounds = [facts.grounds[number] for number in facts.grounds_of]
    ends = facts.co_location.offsets.tolist()
    return GraphFacts(
        effective=tuple(
            EffectiveClass(
                dataset=name,
                confidentiality=level_of(int(facts.confidentiality[row])),
                gdpr_category=category_of(int(facts.gdpr_category[row])),
                access_rights=rights_of(int(facts.access_rights[row])),
                non_publication_grounds=grounds[row],
            )
            for row, name in enumerate(names)
        ),
        co_location=tuple(
            tuple(names[m] for m in facts.co_location.members[start:end])
            for start, end in pairwise(ends)
        ),
        separations=tuple(
            SeparatedPair(
                first=names[first], second=names[second], level="operator" if whole else "site"
            )
            for first, second, whole in zip(
                facts.pair_first, facts.pair_second, facts.pair_whole_operator, strict=True
            )
        ),
        flows=tuple(
            Flow(
                source=names[source],
                derived=names[derived],
                monthly_transfer_gb=Decimal(int(ugb)) / MICRO,
            )
            for source, derived, ugb in zip(
                facts.flow_source, facts.flow_derived, facts.flow_ugb, strict=True
            )
        ),
        contradictions=facts.contradictions,
    )


def facts_of(catalog, parameters) -> GraphFacts:
    """What `derive_facts` says, by id and without chains and reasons."""
    facts = derive_facts(catalog, parameters)
    plain = (e.model_copy(update={"chain": (), "reasons": ()}) for e in facts.effective)
    ordered = tuple(sorted(plain, key=lambda effective: effective.dataset))
    return facts.model_copy(update={"effective": ordered})


def groups_of(row, relations) -> Groups:
    sizes = [0, *(len(relation.members) for relation in relations)]
    members = (row[member] for relation in relations for member in relation.members)
    return Groups(np.cumsum(sizes, dtype=np.int64), integers(members))


def integers(values) -> np.ndarray:
    return np.array(list(values), dtype=np.int64)


def micro(volume: Decimal) -> int:
    return int(volume * MICRO)
