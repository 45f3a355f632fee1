"""Operators' feeds as a catalogue: what is taken, what is assumed, and what is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from models import AccessRights, CollectorKind, GdprCategory, Level, Parameters, TransformationKind
from placement.catalog import check_references, load_catalog, load_parameters, load_register
from placement.catalog.mobility import importer
from placement.catalog.mobility.aggregate import Statement
from placement.errors import BadInput
from placement.example import SITES
from placement.example.mobility import FOLDER, PARAMETERS, generate
from placement.graph import derive_facts
from placement.service.importing import read_foreign

SYSTEM = "zwaluw-rivierstad"


@pytest.fixture
def folder(tmp_path):
    copy = tmp_path / "feeds"
    shutil.copytree(FOLDER, copy, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    return copy


def changed(folder, file, change):
    path = folder / file
    document = json.loads(path.read_text(encoding="utf-8"))
    change(document)
    path.write_text(json.dumps(document), encoding="utf-8")


def load(folder):
    return load_catalog(folder, "mobility")


def defects(folder):
    with pytest.raises(BadInput) as error:
        load(folder)
    return [
        (Path(d.file).relative_to(folder).as_posix(), d.record, d.field, d.message)
        for d in error.value.defects
    ]


@pytest.fixture(scope="module")
def catalog():
    return load(FOLDER)


@pytest.fixture(scope="module")
def datasets(catalog):
    return {dataset.id.removeprefix(f"{SYSTEM}-"): dataset for dataset in catalog.datasets}


def effective(catalog):
    facts = derive_facts(catalog, Parameters())
    return {found.dataset.removeprefix(f"{SYSTEM}-"): found for found in facts.effective}


def test_the_example_is_what_its_seed_makes_of_it():
    for name, document in generate.files().items():
        assert (FOLDER / name).read_text(encoding="utf-8") == generate.text_of(document), name


def test_six_datasets_under_one_contract(catalog, datasets):
    assert list(datasets) == ["events", "trips", "vehicles", "trip-counts", "status", "parking"]
    (contract,) = catalog.contracts
    assert contract.contractor == "Zwaluw Mobility B.V. (fictional)"
    collected = {name for name, dataset in datasets.items() if dataset.contract == contract.id}
    assert collected == set(datasets) - {"trip-counts"}
    assert datasets["trip-counts"].collected_by is CollectorKind.MUNICIPALITY
    check_references(catalog, load_register(SITES), catalog_file="", register_file="")
    assert load_parameters(PARAMETERS).as_of is not None


def test_trips_inherit_personal_data_whatever_they_are_called(catalog, datasets):
    assert datasets["trips"].gdpr_category is GdprCategory.PSEUDONYMISED
    found = effective(catalog)["trips"]
    assert (found.gdpr_category, found.confidentiality) == (GdprCategory.PERSONAL, Level.HIGH)
    assert found.chain == (f"{SYSTEM}-trips", f"{SYSTEM}-events")
    assert "pseudonymised data is personal data" in found.reasons[-1]


def test_the_reviewed_counts_are_released(catalog):
    found = effective(catalog)["trip-counts"]
    assert (found.gdpr_category, found.confidentiality) == (GdprCategory.NONE, Level.OPEN)
    assert found.access_rights is AccessRights.PUBLIC
    (reason,) = found.reasons
    assert "k-anonymity, k=10" in reason
    assert "counted again) ends inheritance: reviewed by Privacy officer" in reason


def test_open_feeds_are_open(catalog):
    for name in ("status", "parking"):
        found = effective(catalog)[name]
        assert (found.gdpr_category, found.access_rights) == ("none", "public")


def test_volumes_follow_from_the_files(datasets):
    size = (FOLDER / "gbfs" / "vehicle_status.json").stat().st_size
    month = size * 30 * 24 * 60  # a status a minute
    assert datasets["status"].volume_gb == -(-month * 24 // 10**9)
    assert datasets["trips"].volume_gb == 1
    assert datasets["trips"].monthly_egress_gb == 0


def test_assumptions_are_listed_with_the_statement(catalog):
    said = " ".join(catalog.assumptions)
    for word in ("volume_gb", "monthly_read_gb", "5.1.2e", "GBFS 3 gives a vehicle another id"):
        assert word in said
    assert "4 cells published" in catalog.assumptions[-1]


# --- what ends inheritance -----------------------------------------------------------------------


def released(catalog):
    (relation,) = [r for r in catalog.relations if r.derived.endswith("trip-counts")]
    assert relation.transformation.kind is TransformationKind.AGGREGATION
    return relation.transformation.ends_inheritance


def test_without_a_review_the_counts_are_as_personal_as_the_trips(folder):
    changed(folder, "agreement.json", lambda document: document.pop("release"))
    catalog = load(folder)
    assert not released(catalog)
    found = effective(catalog)["trip-counts"]
    assert (found.gdpr_category, found.confidentiality) == (GdprCategory.PERSONAL, Level.HIGH)


def test_a_review_does_not_hold_where_the_second_count_disagrees(monkeypatch):
    doubtful = Statement(10, 500, 4, 63, checked=False)
    monkeypatch.setattr(importer, "aggregate", lambda *_: ((), doubtful))
    catalog = load(FOLDER)
    assert not released(catalog)
    assert "NOT CONFIRMED" in " ".join(catalog.assumptions)


@pytest.mark.parametrize("key", ["reviewed_by", "reviewed_on"])
def test_half_a_review_is_refused(folder, key):
    changed(folder, "agreement.json", lambda document: document["release"].pop(key))
    ((file, _, field, message),) = defects(folder)
    assert (file, field) == ("agreement.json", "release")
    assert "both" in message


def test_k_has_a_least_value(folder):
    changed(folder, "agreement.json", lambda document: document["release"].update(k=2))
    ((file, _, field, _),) = defects(folder)
    assert (file, field) == ("agreement.json", "release.k")


# --- files that are not as they should be --------------------------------------------------------


def test_gbfs_2_is_read_too(folder):
    old = folder / "gbfs" / "vehicle_status.json"
    document = json.loads(old.read_text(encoding="utf-8"))
    document |= {"version": "2.3", "data": {"bikes": document["data"]["vehicles"]}}
    (folder / "gbfs" / "free_bike_status.json").write_text(json.dumps(document), encoding="utf-8")
    old.unlink()
    changed(
        folder,
        "gbfs/system_information.json",
        lambda document: document["data"].update(name="Zwaluw"),
    )
    assert load(folder).source == "mobility: MDS and GBFS of Zwaluw"


TRIPS, START, INFO = "mds/trips.json", "trips.1.start_location", "GBFS system_information"
ZONE = "data.geofencing_zones.features.1.geometry"
# File, place of the wrong value, the value; then the record and what its defect says.
WRONG: list[tuple[str, str, Any, str, str]] = [
    (TRIPS, "version", "1.2.0", "MDS trips", "2.x"),
    (TRIPS, "trips", [], "MDS trips", "no trip"),
    (TRIPS, "trips.1.trip_id", None, "trip 1", "an id"),
    (TRIPS, "trips.1.start_time", 1_777_852_800, "trip 1", "milliseconds"),
    (TRIPS, "trips.1.start_time", "noon", "trip 1", "a number"),
    (TRIPS, "trips.1.end_time", 1_600_000_000_000, "trip 1", "before"),
    (TRIPS, START, [], "trip 1", "an object"),
    (TRIPS, f"{START}.lat", 91, "trip 1", "-90 to 90"),
    (TRIPS, f"{START}.lng", True, "trip 1", "-180 to 180"),
    ("mds/events.json", "events", {}, "MDS events", "a list"),
    ("mds/vehicles.json", "vehicles.1.device_id", "", "vehicle 1", "an id"),
    ("gbfs/vehicle_status.json", "version", "1.1", "GBFS vehicle_status", "3.x or 2.x"),
    ("gbfs/vehicle_status.json", "data.vehicles", {}, "GBFS vehicle_status", "a list"),
    ("gbfs/system_information.json", "data.system_id", "a b", INFO, "an id"),
    ("gbfs/geofencing_zones.json", f"{ZONE}.type", "Point", "zone 1", "Polygon"),
    ("gbfs/station_information.json", "data", None, "GBFS station_information", "missing"),
    ("agreement.json", "retention_months", 0, "", "1"),
]


@pytest.mark.parametrize(("file", "place", "value", "record", "said"), WRONG)
def test_each_defect_names_its_place(folder, file, place, value, record, said):
    def change(document):
        *way, last = [int(part) - 1 if part.isdigit() else part for part in place.split(".")]
        at = document
        for part in way:
            at = at[part]
        at[last] = value

    changed(folder, file, change)
    found = [d for d in defects(folder) if d[2] == place]
    assert [(d[0], d[1]) for d in found] == [(file, record)], defects(folder)
    assert said in found[0][3]


@pytest.mark.parametrize("key", ["trip_id", "device_id", "start_time", "start_location"])
def test_what_a_trip_lacks_is_named(folder, key):
    changed(folder, TRIPS, lambda document: document["trips"][0].pop(key))
    assert [(d[0], d[1], d[2]) for d in defects(folder)] == [(TRIPS, "trip 1", f"trips.1.{key}")]


def test_defects_of_all_files_come_at_once(folder):
    (folder / "mds" / "events.json").unlink()
    (folder / "gbfs" / "geofencing_zones.json").write_text("[", encoding="utf-8")
    (folder / "agreement.json").write_text("{}", encoding="utf-8")
    files = {file for file, *_ in defects(folder)}
    assert files == {"mds/events.json", "gbfs/geofencing_zones.json", "agreement.json"}


def test_no_folder_is_one_defect(tmp_path):
    with pytest.raises(BadInput, match="is not a folder"):
        load(tmp_path / "nowhere")


# --- the counts as a file ------------------------------------------------------------------------


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "placement.catalog.mobility", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_counts_are_printed_as_csv_with_the_statement_aside():
    ran = run(FOLDER)
    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout.splitlines()
    assert lines[0] == "hour,area,trips"
    assert len(lines) == 5
    assert all(int(line.rsplit(",", 1)[1]) >= 10 for line in lines[1:])
    assert "k-anonymity, k=10" in ran.stderr


def test_without_a_folder_or_with_a_wrong_one_it_ends_with_2(tmp_path):
    assert run().returncode == 2
    ran = run(tmp_path)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "agreement.json" in ran.stderr


def test_the_api_takes_the_same_files(catalog):
    files = {
        path.relative_to(FOLDER).as_posix(): path.read_text(encoding="utf-8")
        for path in FOLDER.rglob("*.json")
    }
    brought = read_foreign("mobility", json.dumps({"files": files}).encode())
    assert brought.catalog == catalog
    assert brought.register is None
