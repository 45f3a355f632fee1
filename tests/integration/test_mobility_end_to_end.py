"""An operator's data end to end: the script that `make micromobility` runs, and its decision."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from models import Decided
from placement import service
from placement.catalog import load_catalog, load_parameters, load_register
from placement.eligibility import open_engine
from placement.example import SITES
from placement.example.mobility import FOLDER, PARAMETERS
from placement.reading import join
from placement.service import Request
from placement.service.deciding import check_on
from placement.settings import shipped_policies
from tests.decision_cases import local_settings

ROOT = Path(__file__).resolve().parents[2]
UNDER_FOREIGN_LAW = {"stratus-amsterdam", "stratus-frankfurt"}
"""Public clouds in the EU whose parent a third country can oblige to hand data over."""


@pytest.fixture(scope="module")
def eligible():
    """Dataset -> sites that may hold it."""
    read = join(load_catalog(FOLDER, "mobility"), load_register(SITES), load_parameters(PARAMETERS))
    with open_engine(shipped_policies(), local_settings()) as engine:
        table = check_on(read, engine).table
    return {
        name.removeprefix("zwaluw-rivierstad-"): {
            site for s, site in enumerate(table.sites) if table.verdict(n, s).eligible
        }
        for n, name in enumerate(table.datasets)
    }


def test_trips_stay_where_the_policies_say_and_their_counts_may_go_further(eligible):
    assert eligible["events"] == eligible["trips"]
    assert not eligible["trips"] & UNDER_FOREIGN_LAW
    assert {"spui-dc", "zichtenburg-dc"} <= eligible["trips"]
    for name in ("trip-counts", "parking", "status"):
        assert eligible[name] >= UNDER_FOREIGN_LAW
        assert eligible[name] > eligible["trips"]


def test_the_folder_is_decided_as_it_is():
    request = Request(catalog=FOLDER, sites=SITES, catalog_format="mobility", parameters=PARAMETERS)
    answer = service.decide(request, local_settings())
    assert isinstance(answer, Decided)
    assert answer.plan.certificate.holds
    assert len(answer.plan.placements) == 6


@pytest.fixture
def command(tmp_path):
    """A folder with the `placement` command of this very tree."""
    script = tmp_path / "placement"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m placement.cli "$@"\n')
    script.chmod(0o755)
    return tmp_path


def test_the_script_behind_make_micromobility_runs_to_its_end(command):
    python = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(command), str(python), os.environ["PATH"]]),
        "PYTHONPATH": str(ROOT),
    }
    ran = subprocess.run(
        ["sh", str(ROOT / ".ci" / "micromobility"), str(ROOT / "placement" / "example")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    _, imported, counted, decided, trips, counts, parking, contracts = ran.stdout.split("\n--- ")
    assert "10 assumptions" in imported
    assert "hour,area,trips" in counted
    assert "6 datasets placed" in decided
    assert "stratus-amsterdam: not allowed" in trips
    assert "transfer.exposed_operator_excluded" in trips
    for open_data in (counts, parking):
        assert "stratus-amsterdam: EUR" in open_data
    assert "ends inheritance: reviewed by" in counts
    assert "1 collection contract" in contracts
