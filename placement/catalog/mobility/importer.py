"""From an operator's feeds and the city's agreement to a catalogue.

| dataset            | from                 | class                                              |
|--------------------|----------------------|----------------------------------------------------|
| SYSTEM-events      | MDS events           | personal, high: where somebody was, and when       |
| SYSTEM-trips       | MDS trips            | derived from the events, pseudonymised: personal   |
| SYSTEM-trip-counts | counted here         | derived from the trips, aggregated: open, reviewed |
| SYSTEM-vehicles    | MDS vehicles         | not personal, told in confidence                   |
| SYSTEM-status      | GBFS vehicle status  | open                                               |
| SYSTEM-parking     | GBFS zones, stations | open                                               |

Location data is high: the EDPB asks for particular care with it, as it reveals habits of life
(Guidelines 01/2020 on connected vehicles, section 2.1.1), and a few places and times tell one
person from all others.
"""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path
from typing import Any

from models import (
    AccessRights,
    Catalog,
    CollectorKind,
    Dataset,
    DerivedFrom,
    Dpia,
    GdprCategory,
    Interface,
    Level,
    StorageKind,
    Transformation,
    TransformationKind,
)
from placement.catalog.assumptions import Assumptions
from placement.catalog.mobility.aggregate import Cell, Statement, aggregate
from placement.catalog.mobility.agreement import FILE, Agreement, read_agreement
from placement.catalog.mobility.feeds import Feed, Feeds, read_feeds
from placement.errors import BadInput, Defect

_BYTES_PER_GB = 10**9
_DAYS_PER_MONTH = 30
_SECONDS_PER_MONTH = _DAYS_PER_MONTH * 86_400
_CELL_BYTES = 60
"""Of a published count as CSV."""
_READ_SHARE = Decimal("0.2")
_DELIVERIES = 10

_PERSONAL = {
    "access_rights": AccessRights.RESTRICTED,
    "non_publication_grounds": ("5.1.2e",),
    "interfaces": (Interface.S3,),
}
_CONFIDENCE = {
    "confidentiality": Level.BASIC,
    "gdpr_category": GdprCategory.NONE,
    "access_rights": AccessRights.RESTRICTED,
    "non_publication_grounds": ("5.1.1c",),
    "interfaces": (Interface.S3,),
}
_OPEN = {
    "confidentiality": Level.OPEN,
    "gdpr_category": GdprCategory.NONE,
    "access_rights": AccessRights.PUBLIC,
    "interfaces": (Interface.HTTPS_FILES,),
}


def load_mobility(path: Path) -> Catalog:
    """The catalogue of a folder with an operator's MDS and GBFS files and the agreement.

    Raises
    ------
    BadInput
        With every defect of every file.
    """
    return _Import(*_read(path)).catalog()


def published_counts(path: Path) -> tuple[tuple[Cell, ...], Statement]:
    """What may be published of the trips in such a folder, and what a reviewer is told of it.

    Raises
    ------
    BadInput
        With every defect of every file.
    """
    feeds, agreement = _read(path)
    return aggregate(feeds.trips, agreement.release.k, agreement.release.area_m)


def _read(path: Path) -> tuple[Feeds, Agreement]:
    feeds, folder = read_feeds(path)
    defects = list(folder.defects)
    agreement = None
    try:
        agreement = read_agreement(path)
    except BadInput as error:
        defects += error.defects
    if feeds is None or agreement is None:
        raise BadInput(defects)
    if (agreement.release.reviewed_by is None) != (agreement.release.reviewed_on is None):
        message = "a review needs both, who and when: reviewed_by and reviewed_on"
        raise BadInput([Defect(str(path / FILE), "", "release", message)])
    return feeds, agreement


class _Import:
    """One import: what was delivered, what was agreed, and what had to be assumed."""

    def __init__(self, feeds: Feeds, agreement: Agreement) -> None:
        self.feeds, self.agreement = feeds, agreement
        self.assumed = Assumptions()
        self.cells, self.statement = aggregate(
            feeds.trips, agreement.release.k, agreement.release.area_m
        )

    def catalog(self) -> Catalog:
        datasets = (*self._raw(), *self._published())
        self._note(datasets)
        return Catalog(
            municipality=self.agreement.municipality,
            source=f"mobility: MDS and GBFS of {self.feeds.name or self.feeds.system}",
            assumptions=self.assumed.sentences(),
            datasets=datasets,
            roles=(self.agreement.team,),
            contracts=(self.agreement.contract,),
            relations=self._relations(),
        )

    # --- datasets ------------------------------------------------------------------------------

    def _raw(self) -> tuple[Dataset, ...]:
        personal = _PERSONAL | {
            "lawful_basis": self.agreement.lawful_basis,
            "dpia": self.agreement.dpia,
            "readers": (self.agreement.team.id,),
        }
        return (
            self._dataset(
                "events",
                "where vehicles were picked up and left",
                self._monthly_bytes(self.feeds.events),
                confidentiality=Level.HIGH,
                gdpr_category=GdprCategory.PERSONAL,
                **personal,
            ),
            self._dataset(
                "trips",
                "trips, under random ids",
                self._monthly_bytes(self.feeds.trips_feed),
                confidentiality=Level.NORMAL,
                gdpr_category=GdprCategory.PSEUDONYMISED,
                **personal,
            ),
            self._dataset(
                "vehicles",
                "register of vehicles",
                self.feeds.vehicles.size_bytes,
                readers=(self.agreement.team.id,),
                **_CONFIDENCE,
            ),
        )

    def _published(self) -> tuple[Dataset, ...]:
        snapshots = Decimal(_SECONDS_PER_MONTH) / self.feeds.status_every_s
        counts = Decimal(len(self.cells) * _CELL_BYTES * _DAYS_PER_MONTH) / self.feeds.days
        return (
            self._dataset("trip-counts", "trips counted by area and hour", counts, **_OPEN),
            self._dataset(
                "status", "vehicles to hire", self.feeds.status.size_bytes * snapshots, **_OPEN
            ),
            self._dataset(
                "parking", "parking zones and stations", self.feeds.zones.size_bytes, **_OPEN
            ),
        )

    def _dataset(
        self, name: str, what: str, monthly_bytes: Decimal | int, **fields: Any
    ) -> Dataset:
        agreement = self.agreement
        kept = Decimal(monthly_bytes) * agreement.retention_months / _BYTES_PER_GB
        public = fields["access_rights"] is AccessRights.PUBLIC
        defaults: dict[str, Any] = {
            "id": self._name(name),
            "title": f"{self.feeds.name or self.feeds.system}: {what}",
            "owner_department": agreement.department,
            "steward": agreement.steward,
            "integrity": Level.NORMAL,
            "availability": Level.BASIC,
            "dpia": Dpia.NONE,
            "writers": (agreement.team.id,),
            "administrators": (agreement.team.id,),
            "collected_by": CollectorKind.CONTRACTOR,
            "contract": agreement.contract.id,
            "volume_gb": max(1, math.ceil(kept)),
            "monthly_read_gb": _gb(kept * _READ_SHARE),
            "monthly_egress_gb": _gb(kept * _DELIVERIES if public else Decimal(0)),
            "storage": StorageKind.OBJECT,
        }
        if name == "trip-counts":  # the city counts them itself
            defaults |= {"collected_by": CollectorKind.MUNICIPALITY, "contract": None}
        return Dataset(**(defaults | fields))

    def _monthly_bytes(self, feed: Feed) -> Decimal:
        return Decimal(feed.size_bytes) * _DAYS_PER_MONTH / self.feeds.days

    # --- relations -----------------------------------------------------------------------------

    def _relations(self) -> tuple[DerivedFrom, ...]:
        release = self.agreement.release
        # A review of counts that a second count does not confirm is a review of something else.
        reviewed = self.statement.checked
        return (
            DerivedFrom(
                derived=self._name("trips"),
                source=self._name("events"),
                transformation=Transformation(
                    kind=TransformationKind.PSEUDONYMISATION,
                    method="the operator puts random trip and device ids in place of riders (MDS)",
                ),
                monthly_transfer_gb=_gb(self._monthly_bytes(self.feeds.events) / _BYTES_PER_GB),
            ),
            DerivedFrom(
                derived=self._name("trip-counts"),
                source=self._name("trips"),
                transformation=Transformation(
                    kind=TransformationKind.AGGREGATION,
                    method=self.statement.in_words(),
                    reviewed_by=release.reviewed_by if reviewed else None,
                    reviewed_on=release.reviewed_on if reviewed else None,
                ),
                monthly_transfer_gb=_gb(self._monthly_bytes(self.feeds.trips_feed) / _BYTES_PER_GB),
            ),
        )

    def _name(self, what: str) -> str:
        return f"{self.feeds.system}-{what}"

    # --- what had to be assumed ----------------------------------------------------------------

    def _note(self, datasets: tuple[Dataset, ...]) -> None:
        note = self.assumed.note
        days, months = self.feeds.days, self.agreement.retention_months
        counted = [self._name(name) for name in ("events", "trips", "trip-counts")]
        note(
            f"volume_gb: as many bytes a day as in the files, which span {days} "
            f"day{'s' if days > 1 else ''}, kept {months} months, rounded up to whole GB",
            *counted,
        )
        note(
            f"volume_gb: a status every {self.feeds.status_every_s} s, kept {months} months",
            self._name("status"),
        )
        note(
            f"volume_gb: one file a month, kept {months} months",
            self._name("vehicles"),
            self._name("parking"),
        )
        note(
            f"monthly_read_gb: a fifth of the volume; monthly_egress_gb: {_DELIVERIES} times the "
            "volume of public data, nothing of other data",
            *(dataset.id for dataset in datasets),
        )
        note("integrity: normal; availability: basic; storage: object; replicas: 1")
        note(
            "confidentiality: high, personal: locations and times tell people apart",
            self._name("events"),
        )
        note("non_publication_grounds: private life (5.1.2e)", *counted[:2])
        note(
            "non_publication_grounds: business data told in confidence (5.1.1c)",
            self._name("vehicles"),
        )
        note(
            "gdpr_category: none, as GBFS 3 gives a vehicle another id after every trip",
            self._name("status"),
        )
        note(f"release of trip counts: {self.statement.in_words()}")


def _gb(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.000001"))
