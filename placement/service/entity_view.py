"""What somebody may see of the city, as NGSI-LD entities.

An entity is seen by whoever may list the records behind it, with the same rows; and it says only
what those records say. A dataset tells where it is placed to those who may see the placement, and
what it is derived from to those who may see the relation.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from models import (
    ApprovedPlacement,
    Dataset,
    DecisionRecord,
    DerivedFrom,
    RecordKind,
    RowFilter,
)
from models.ngsi_ld import EntityType, JsonEntity
from placement.provision.ngsi_ld.entities import (
    dataset_entity,
    operator_entity,
    placement_entity,
    site_entity,
    uri_of,
)
from placement.service.city import City
from placement.service.rows import sees, sees_all_of
from placement.store import Transaction
from placement.store.catalog import CatalogRecords
from placement.store.catalog_pages import RecordQuery, list_records
from placement.store.decisions import Decisions
from placement.store.placed import Placed

EVERYTHING = RowFilter(all=True)
NOTHING = RowFilter()
_AT_ONCE = 500
"""Placements read at once."""
_KEPT = 2

Only = frozenset[str] | None
"""Names of attributes that are needed; none: all."""
Candidate = tuple[str, Callable[[Only], JsonEntity]]
"""The URI of an entity, and how it is made."""


@dataclass(frozen=True)
class Sight:
    """Which records somebody may list; none: they may not list any of that kind."""

    datasets: RowFilter | None = None
    placements: RowFilter | None = None
    relations: RowFilter | None = None
    sites: RowFilter | None = None
    operators: RowFilter | None = None

    def of(self, kind: EntityType) -> RowFilter | None:
        """The rows behind a type of entities."""
        return {
            EntityType.DATASET: self.datasets,
            EntityType.OPERATOR: self.operators,
            EntityType.PLACEMENT: self.placements,
            EntityType.SITE: self.sites,
        }[kind]


OPERATIONS = {
    "datasets": "datasets.list",
    "placements": "placements.list",
    "relations": "relations.list",
    "sites": "sites.list",
    "operators": "operators.list",
}
"""What decides each part of a sight."""


class View:
    """The entities that a sight admits, as one transaction sees them.

    Parameters
    ----------
    stamped
        Entities say when they were modified: that takes further reads.
    """

    def __init__(self, tx: Transaction, city: City, sight: Sight, *, stamped: bool) -> None:
        self._tx = tx
        self._sight = sight
        self._stamped = stamped
        self._snapshot = city.snapshots.at_head(tx)
        self._times: dict[int, datetime] = {}
        self._versions: dict[RecordKind, Mapping[str, int]] = {}

    def of(self, kind: EntityType) -> Iterator[Candidate]:
        """Every entity of a type that is seen, by id."""
        if self._sight.of(kind) is None:
            return iter(())
        return {
            EntityType.DATASET: self._datasets,
            EntityType.OPERATOR: self._operators,
            EntityType.PLACEMENT: self._placements,
            EntityType.SITE: self._sites,
        }[kind]()

    def one(self, kind: EntityType, ident: str) -> Candidate | None:
        """The entity of a record; none where there is none that is seen."""
        rows, records = self._sight.of(kind), self._snapshot.records
        if rows is None:
            return None
        if kind is EntityType.DATASET:
            dataset = records.datasets.get(ident)
            if dataset is None or not sees(rows, dataset):
                return None
            return self._of_dataset(dataset)
        if kind is EntityType.PLACEMENT:
            body = Placed(self._tx).read(ident, rows)
            return None if body is None else self._of_placement(ident, body)
        if kind is EntityType.SITE and ident in records.sites:
            return self._of_site(ident)
        return self._of_operator(ident) if self._is_operator(kind, ident) else None

    def count(self, kind: EntityType) -> int:
        """How many entities of a type are seen."""
        rows = self._sight.of(kind)
        if kind is EntityType.PLACEMENT and rows is not None:
            record = self._standing
            return 0 if record is None else len(Placed(self._tx).admitted(record.number, rows))
        return sum(1 for _ in self.of(kind))

    def _datasets(self) -> Iterator[Candidate]:
        rows = self._sight.datasets or NOTHING
        for dataset in self._snapshot.catalog.datasets:
            if sees(rows, dataset):
                yield self._of_dataset(dataset)

    def _sites(self) -> Iterator[Candidate]:
        return (self._of_site(site.id) for site in self._snapshot.register.sites)

    def _operators(self) -> Iterator[Candidate]:
        return (self._of_operator(one.id) for one in self._snapshot.register.operators)

    def _placements(self) -> Iterator[Candidate]:
        rows, placed, after = self._sight.placements or NOTHING, Placed(self._tx), ""
        while found := placed.list(rows, _AT_ONCE, after=after):
            for name, body in found:
                yield self._of_placement(name, body)
            after = found[-1][0]

    def _of_dataset(self, dataset: Dataset) -> Candidate:
        def make(only: Only) -> JsonEntity:
            standing = self._standing
            return dataset_entity(
                dataset,
                placed_at=self._placed.get(dataset.id, ()),
                placed_on=None if standing is None else standing.changed_at,
                sources=self._sources.get(dataset.id, ()),
                modified_at=self._modified(RecordKind.DATASET, dataset.id),
                only=only,
            )

        return uri_of(EntityType.DATASET, dataset.id), make

    def _of_site(self, ident: str) -> Candidate:
        site = self._snapshot.records.sites[ident]
        return uri_of(EntityType.SITE, ident), lambda only: site_entity(
            site, modified_at=self._modified(RecordKind.SITE, ident), only=only
        )

    def _of_operator(self, ident: str) -> Candidate:
        found = self._snapshot.records.operators[ident]
        return uri_of(EntityType.OPERATOR, ident), lambda only: operator_entity(
            found, modified_at=self._modified(RecordKind.OPERATOR, ident), only=only
        )

    def _of_placement(self, ident: str, body: str) -> Candidate:
        def make(_: Only) -> JsonEntity:
            placed, standing = ApprovedPlacement.model_validate_json(body), self._standing
            if standing is None:
                return placement_entity(placed, None, None)
            return placement_entity(placed, standing.state, standing.changed_at)

        return uri_of(EntityType.PLACEMENT, ident), make

    def _is_operator(self, kind: EntityType, ident: str) -> bool:
        return kind is EntityType.OPERATOR and ident in self._snapshot.records.operators

    @cached_property
    def _standing(self) -> DecisionRecord | None:
        return Decisions(self._tx).standing()

    @cached_property
    def _placed(self) -> Mapping[str, tuple[str, ...]]:
        """Sites of each dataset whose placement is seen."""
        record, rows = self._standing, self._sight.placements
        if record is None or rows is None:
            return {}
        sites = _placed_sites.get(self._tx, record)
        if rows.all:
            return sites
        admitted = Placed(self._tx).admitted(record.number, rows)
        return {name: sites[name] for name in admitted if name in sites}

    @cached_property
    def _sources(self) -> Mapping[str, list[str]]:
        """Sources of each dataset by the relations that are seen."""
        found: dict[str, list[str]] = {}
        records, rows = self._snapshot.records, self._sight.relations
        for relation in records.relations.values() if rows is not None else ():
            if isinstance(relation, DerivedFrom) and sees_all_of(
                rows or NOTHING, relation, records
            ):
                found.setdefault(relation.derived, []).append(relation.source)
        return found

    def _modified(self, kind: RecordKind, ident: str) -> datetime | None:
        if not self._stamped:
            return None
        if kind not in self._versions:
            query = RecordQuery(kinds=(kind,), rows=EVERYTHING, limit=10**9)
            self._versions[kind] = {
                each.record.id: each.record.version for each in list_records(self._tx, query)
            }
        version = self._versions[kind][ident]
        if version not in self._times:
            self._times[version] = CatalogRecords(self._tx).version(version).at
        return self._times[version]


class _PlacedSites:
    """The sites of every dataset of a plan, kept under the digest of its answer."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Mapping[str, tuple[str, ...]]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, tx: Transaction, record: DecisionRecord) -> Mapping[str, tuple[str, ...]]:
        """By the plan that stands, which `record` is of."""
        with self._lock:
            found = self._kept.get(record.answer)
            if found is None:
                found = {
                    name: tuple(host["site"] for host in json.loads(body)["sites"])
                    for name, body in Placed(tx).list(EVERYTHING, 10**9)
                }
                self._kept[record.answer] = found
                while len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
            return found


_placed_sites = _PlacedSites()
