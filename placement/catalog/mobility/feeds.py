"""Reads an operator's MDS and GBFS files: what is in them, and how much there is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from placement.catalog.mobility.aggregate import Trip
from placement.catalog.nodes import Folder, Node
from placement.catalog.places import shown

FILE_MAX_BYTES = 256 * 2**20
_MS_MAX = 4_102_444_800_000
"""Milliseconds up to the year 2100; seconds by mistake would lie in January 1970."""
_MS_MIN = 946_684_800_000
_MS_PER_DAY = 86_400_000


@dataclass(frozen=True)
class Feed:
    """One file: how many records it has, and how many bytes."""

    records: int
    size_bytes: int


@dataclass(frozen=True)
class Feeds:
    """What an operator delivers."""

    system: str
    """Its id, `system_id` of GBFS."""
    name: str
    trips: tuple[Trip, ...]
    trips_feed: Feed
    events: Feed
    vehicles: Feed
    status: Feed
    status_every_s: int
    """Seconds for which a status stands (`ttl`), at least one minute."""
    zones: Feed
    """Geofencing zones and stations together."""
    days: int
    """Days that the trips span, at least one."""


def read_feeds(root: Path) -> tuple[Feeds | None, Folder]:
    """The feeds in a folder, none where something is wrong; the folder holds all defects.

    Raises
    ------
    BadInput
        When there is no such folder.
    """
    folder = Folder(root, file_max_bytes=FILE_MAX_BYTES)
    system, name = _system(folder)
    trips, trips_feed, days = _trips(folder)
    events = _mds(folder, "events", "events")
    vehicles = _mds(folder, "vehicles", "vehicles")
    status, every = _status(folder)
    zones = _zones(folder)
    if folder.defects or system is None:
        return None, folder
    return Feeds(
        system, name, trips, trips_feed, events, vehicles, status, every, zones, days
    ), folder


def _system(folder: Folder) -> tuple[str | None, str]:
    data = _gbfs(folder, "system_information")
    if data is None:
        return None, ""
    names = data.value.get("name")
    if isinstance(names, list):  # GBFS 3: one in each language
        found = [text for node in data.nodes("name") if (text := node.text("text"))]
        name = found[0] if found else ""
    else:
        name = data.text("name")
    return data.identifier("system_id"), name


def _trips(folder: Folder) -> tuple[tuple[Trip, ...], Feed, int]:
    node = _page(folder, "trips")
    if node is None:
        return (), Feed(0, 0), 1
    found: list[Trip] = []
    ends: list[int] = []
    for number, record in enumerate(node.nodes("trips"), start=1):
        named = record.named(f"trip {number}")
        trip, vehicle = named.identifier("trip_id"), named.identifier("device_id")
        start, end = _moment(named, "start_time"), _moment(named, "end_time")
        where = _place(named, "start_location")
        if trip and vehicle and start is not None and end is not None and where:
            if end < start:
                named.defect("end_time", "is before start_time")
            found.append(Trip(trip, vehicle, start, *where))
            ends.append(end)
    if not found and not folder.defects:
        node.defect("trips", "there is no trip")
    span = max(ends, default=0) - min((trip.start_ms for trip in found), default=0)
    return (
        tuple(found),
        _feed(folder, "mds/trips.json", len(found)),
        max(1, -(-span // _MS_PER_DAY)),
    )


def _mds(folder: Folder, file: str, key: str) -> Feed:
    node = _page(folder, file)
    if node is None:
        return Feed(0, 0)
    number = 0
    for number, record in enumerate(node.nodes(key), start=1):
        record.named(f"{key.removesuffix('s')} {number}").identifier("device_id")
    return _feed(folder, f"mds/{file}.json", number)


def _page(folder: Folder, name: str) -> Node | None:
    node = folder.read(f"mds/{name}.json", f"MDS {name}")
    if node is not None:
        _require_version(node, "2.")
        if name not in node.value:
            node.defect(name, "is missing")
    return node


def _status(folder: Folder) -> tuple[Feed, int]:
    old = not folder.holds("gbfs/vehicle_status.json") and folder.holds(
        "gbfs/free_bike_status.json"
    )
    name, key = ("free_bike_status", "bikes") if old else ("vehicle_status", "vehicles")
    node = folder.read(f"gbfs/{name}.json", f"GBFS {name}")
    if node is None:
        return Feed(0, 0), 60
    _require_version(node, "3.", "2.")
    ttl = node.number("ttl", maximum=86_400)
    data = node.node("data")
    records = sum(1 for _ in data.nodes(key)) if data else 0
    if data is None or key not in data.value:
        node.defect(f"data.{key}", "is missing")
    return _feed(folder, f"gbfs/{name}.json", records), max(60, int(ttl or 0))


def _zones(folder: Folder) -> Feed:
    """Geofencing zones and stations: together they say where vehicles may stand."""
    fences = _gbfs(folder, "geofencing_zones")
    stations = _gbfs(folder, "station_information")
    collection = fences.node("geofencing_zones") if fences else None
    features = list(_features(collection)) if collection else []
    named = (
        [node.identifier("station_id") for node in stations.nodes("stations")] if stations else []
    )
    first = _feed(folder, "gbfs/geofencing_zones.json", len(features))
    second = _feed(folder, "gbfs/station_information.json", len(named))
    return Feed(first.records + second.records, first.size_bytes + second.size_bytes)


def _features(collection: Node) -> Iterator[Node]:
    for number, feature in enumerate(collection.nodes("features"), start=1):
        zone = feature.named(f"zone {number}")
        geometry = zone.node("geometry")
        if geometry is None or geometry.text("type") not in ("Polygon", "MultiPolygon"):
            zone.defect("geometry.type", "Polygon or MultiPolygon is expected")
        yield zone


def _gbfs(folder: Folder, name: str) -> Node | None:
    node = folder.read(f"gbfs/{name}.json", f"GBFS {name}")
    if node is None:
        return None
    _require_version(node, "3.", "2.")
    data = node.node("data")
    if data is None:
        node.defect("data", "is missing")
    return data


def _require_version(node: Node, *beginnings: str) -> None:
    version = node.text("version")
    if not version.startswith(beginnings):
        known = " or ".join(f"{beginning}x" for beginning in beginnings)
        node.defect("version", f"{known} is expected, not {shown(version or None)}")


def _moment(node: Node, key: str) -> int | None:
    found = node.number(key, maximum=_MS_MAX)
    if found is None:
        if key not in node.value:
            node.defect(key, "is missing")
        return None
    if found != int(found) or found < _MS_MIN:
        node.defect(key, f"milliseconds since 1970 are expected, not {shown(found)}")
        return None
    return int(found)


def _place(node: Node, key: str) -> tuple[float, float] | None:
    location = node.node(key)
    if location is None:
        if key not in node.value:
            node.defect(key, "is missing")
        return None
    latitude, longitude = _degrees(location, "lat", 90), _degrees(location, "lng", 180)
    return None if latitude is None or longitude is None else (latitude, longitude)


def _degrees(node: Node, key: str, most: int) -> float | None:
    value = node.value.get(key)
    if isinstance(value, int | Decimal) and not isinstance(value, bool) and -most <= value <= most:
        return float(value)
    node.defect(key, f"degrees from -{most} to {most} are expected, not {shown(value)}")
    return None


def _feed(folder: Folder, relative: str, records: int) -> Feed:
    path = folder.path(relative)
    return Feed(records, path.stat().st_size if folder.holds(relative) else 0)
