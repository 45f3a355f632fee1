"""Writes the example's MDS and GBFS files. Everything in them is made up, from one seed.

Run as `python -m placement.example.mobility.generate FOLDER`. The agreement is written by hand.

One day of Zwaluw, a fictional operator of scooters in the fictional Rivierstad: two places where
many people leave within an hour of the morning and of the evening, and trips all over the city.
"""

from __future__ import annotations

import json
import random
import sys
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

SEED = 20260504
DAY_MS = 1_777_852_800_000
"""2026-05-04, midnight UTC."""
HOUR_MS = 3_600_000
HUBS = ((52.0116, 4.3571), (52.0067, 4.3698))
"""A station and a square, each in the middle of a 500 m area."""
CENTRE = (52.0100, 4.3600)
VEHICLES = 48
BUSY_TRIPS = 22
"""Of each hub in each of its two hours."""
QUIET_TRIPS = 60
Record = dict[str, Any]


def files() -> dict[str, Record]:
    """Relative path -> content."""
    draw = random.Random(SEED)  # noqa: S311  nobody's secret depends on it
    provider = _uuid(draw)
    devices = [_uuid(draw) for _ in range(VEHICLES)]
    trips = _trips(draw, provider, devices)
    return {
        "mds/trips.json": {"version": "2.0.0", "trips": trips},
        "mds/events.json": {"version": "2.0.0", "events": list(_events(draw, trips))},
        "mds/vehicles.json": {
            "version": "2.0.0",
            "last_updated": DAY_MS,
            "ttl": 60_000,
            "vehicles": [_vehicle(provider, device, n) for n, device in enumerate(devices)],
        },
        "gbfs/system_information.json": _gbfs(86_400, _system()),
        "gbfs/vehicle_status.json": _gbfs(60, {"vehicles": _status(draw)}),
        "gbfs/geofencing_zones.json": _gbfs(3600, {"geofencing_zones": _zones()}),
        "gbfs/station_information.json": _gbfs(3600, {"stations": _stations()}),
    }


def write(folder: Path) -> None:
    """Write all files into a folder, one record a line."""
    for name, document in files().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text_of(document), encoding="utf-8")


def text_of(document: Record) -> str:
    """JSON with every member of a list on a line of its own."""
    parts = []
    for key, value in document.items():
        if isinstance(value, list):
            lines = ",\n".join(f"  {json.dumps(member)}" for member in value)
            parts.append(f'"{key}": [\n{lines}\n]')
        else:
            parts.append(f'"{key}": {json.dumps(value)}')
    return "{" + ",\n".join(parts) + "}\n"


def _trips(draw: random.Random, provider: str, devices: Sequence[str]) -> list[Record]:
    trips: list[Record] = []
    for hub in HUBS:
        for hour in (8, 17):
            trips += [
                _trip(draw, provider, device, _near(draw, hub, 0.0008), hour)
                for device in draw.sample(devices, BUSY_TRIPS)
            ]
    for _ in range(QUIET_TRIPS):
        start = _near(draw, CENTRE, 0.02)
        trips.append(_trip(draw, provider, draw.choice(devices), start, draw.randrange(6, 23)))
    return sorted(trips, key=lambda trip: (trip["start_time"], trip["trip_id"]))


def _trip(draw: random.Random, provider: str, device: str, start: Record, hour: int) -> Record:
    begins = DAY_MS + hour * HOUR_MS + draw.randrange(3300) * 1000
    seconds = draw.randrange(180, 1500)
    return {
        "provider_id": provider,
        "device_id": device,
        "trip_id": _uuid(draw),
        "start_time": begins,
        "end_time": begins + seconds * 1000,
        "start_location": start,
        "end_location": _near(draw, CENTRE, 0.02),
        "duration": seconds,
        "distance": seconds * 4,
    }


def _events(draw: random.Random, trips: Iterable[Record]) -> Iterable[Record]:
    for trip in trips:
        for kind, state, when, where in (
            ("trip_start", "on_trip", "start_time", "start_location"),
            ("trip_end", "available", "end_time", "end_location"),
        ):
            yield {
                "provider_id": trip["provider_id"],
                "device_id": trip["device_id"],
                "event_id": _uuid(draw),
                "event_types": [kind],
                "vehicle_state": state,
                "timestamp": trip[when],
                "location": trip[where],
                "trip_ids": [trip["trip_id"]],
            }


def _vehicle(provider: str, device: str, number: int) -> Record:
    return {
        "provider_id": provider,
        "device_id": device,
        "vehicle_id": f"ZW-{number + 1:03}",
        "vehicle_type": "scooter_standing",
        "propulsion_types": ["electric"],
    }


def _gbfs(ttl: int, data: Record) -> Record:
    updated = "2026-05-04T00:00:00+00:00"
    return {"last_updated": updated, "ttl": ttl, "version": "3.0", "data": data}


def _system() -> Record:
    return {
        "system_id": "zwaluw-rivierstad",
        "languages": ["nl"],
        "name": [{"text": "Zwaluw Rivierstad (fictional)", "language": "nl"}],
        "operator": [{"text": "Zwaluw Mobility B.V. (fictional)", "language": "nl"}],
        "timezone": "Europe/Amsterdam",
        "feed_contact_email": "feeds@zwaluw.example",
        "opening_hours": "24/7",
        "license_id": "CC0-1.0",
    }


def _status(draw: random.Random) -> list[Record]:
    return [
        {
            "vehicle_id": _uuid(draw),  # another one after every trip, as GBFS asks
            "lat": where["lat"],
            "lon": where["lng"],
            "is_reserved": False,
            "is_disabled": False,
            "vehicle_type_id": "standing",
            "last_reported": "2026-05-04T00:00:00+00:00",
        }
        for where in (_near(draw, CENTRE, 0.02) for _ in range(VEHICLES))
    ]


def _zones() -> Record:
    features = [
        _zone("Historic centre: no riding", CENTRE, ride=False, park=False),
        _zone("Station: park in the bays", HUBS[0], ride=True, park=False),
    ]
    return {"type": "FeatureCollection", "features": features}


def _zone(name: str, middle: tuple[float, float], *, ride: bool, park: bool) -> Record:
    south, north = round(middle[0] - 0.001, 4), round(middle[0] + 0.001, 4)
    west, east = round(middle[1] - 0.0015, 4), round(middle[1] + 0.0015, 4)
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    rule = {
        "ride_start_allowed": park,
        "ride_end_allowed": park,
        "ride_through_allowed": ride,
    }
    return {
        "type": "Feature",
        "geometry": {"type": "MultiPolygon", "coordinates": [[ring]]},
        "properties": {"name": [{"text": name, "language": "en"}], "rules": [rule]},
    }


def _stations() -> list[Record]:
    return [
        {
            "station_id": f"bay-{number}",
            "name": [{"text": f"Parking bay {number}", "language": "en"}],
            "lat": hub[0],
            "lon": hub[1],
            "is_virtual_station": True,
            "capacity": 20,
        }
        for number, hub in enumerate(HUBS, start=1)
    ]


def _near(draw: random.Random, middle: tuple[float, float], degrees: float) -> Record:
    """A point in a square of twice so many degrees, to some ten metres."""
    return {
        "lat": round(middle[0] + draw.uniform(-degrees, degrees), 4),
        "lng": round(middle[1] + draw.uniform(-degrees, degrees), 4),
    }


def _uuid(draw: random.Random) -> str:
    return str(uuid.UUID(int=draw.getrandbits(128), version=4))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
