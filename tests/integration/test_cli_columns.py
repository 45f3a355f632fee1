"""Catalogues of columns through the real command, the real policies and the real OPA."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from models import DerivedFrom, Plan, Termination, canonical_json
from models.column_plan import ColumnPlan
from placement.catalog import write_json
from placement.catalog.columns import read_plan_columns, write_catalog_folder
from placement.reading import Request
from placement.service import in_columns
from placement.service.in_columns.header import plan_digest
from placement.settings import read_settings
from tests import builders

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 240


@dataclass(frozen=True)
class City:
    """The same city twice: as a file, and as a folder of columns."""

    folder: Path

    def run(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "placement.cli", *arguments]
        done = subprocess.run(
            command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=PATIENCE_S
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done

    @property
    def sites(self) -> list[str]:
        return ["--sites", str(self.folder / "sites.json")]

    @property
    def native(self) -> list[str]:
        return ["--catalog", str(self.folder / "catalog.json"), *self.sites]

    @property
    def columns(self) -> list[str]:
        given = ["--catalog", str(self.folder / "city"), "--format-catalog", "columns"]
        return [*given, *self.sites]


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> City:
    folder = tmp_path_factory.mktemp("columns")
    operators = (
        builders.operator("city"),
        builders.operator(
            "acme", country="US", parent_jurisdiction="US", extraterritorial_exposure=True
        ),
    )
    sites = (
        builders.site("townhall"),
        builders.site("depot", object_price_eur_per_gb_month=Decimal("0.05")),
        builders.site("uscloud", operator="acme", country="US"),
    )
    datasets = (
        builders.dataset("trips", volume_gb=40),
        builders.dataset("permits"),
        builders.dataset("counts", volume_gb=3),
    )
    flow = DerivedFrom(derived="counts", source="trips", monthly_transfer_gb=Decimal(2))
    catalog = builders.catalog(*datasets, relations=(flow,))
    write_json(catalog, folder / "catalog.json")
    write_json(builders.register(*sites, operators=operators), folder / "sites.json")
    write_catalog_folder(catalog, folder / "city", "parquet")
    write_catalog_folder(catalog, folder / "lines", "jsonl")
    return City(folder)


def test_both_ways_come_to_the_same_plan(city: City) -> None:
    native, plan = city.folder / "plan.json", city.folder / "plan.parquet"
    city.run("decide", *city.native, "--out", str(native))
    said = json.loads(
        city.run("decide", *city.columns, "--out", str(plan), "--format", "json").stdout
    )
    whole = Plan.model_validate_json(native.read_bytes())
    found = read_plan_columns(plan)
    assert Decimal(said["plan"]["objective_eur"]) == whole.objective_eur
    assert said["plan"]["costs_eur_per_year"] == {
        name: str(amount) for name, amount in whole.costs_eur_per_year.model_dump().items()
    }
    placed = {
        name: tuple(sorted(found.site_ids[s] for s in row if s >= 0))
        for name, row in zip(found.ids.to_pylist(), found.placed.sites.tolist(), strict=True)
    }
    assert placed == {p.dataset: p.sites for p in whole.placements}
    assert {"read", "facts", "profiles and OPA", "certificate", "write"} <= said["phases"].keys()
    lines = ["--catalog", str(city.folder / "lines"), "--format-catalog", "columns"]
    proof = city.run("verify", str(plan), *lines, *city.sites).stdout
    assert "The plan holds." in proof


def test_a_table_says_what_was_decided(city: City) -> None:
    page = city.run("decide", *city.columns).stdout
    assert "3 datasets placed" in page
    assert "Certificate: all" in page
    assert "EUR/year" in page


def test_a_plan_changed_by_hand_does_not_hold(city: City) -> None:
    plan, forged = city.folder / "fair.parquet", city.folder / "forged.parquet"
    city.run("decide", *city.columns, "--out", str(plan))
    table = pq.read_table(plan)
    sites = [["depot"] if name == "trips" else at for name, at in _rows(table)]
    column = table.schema.get_field_index("sites")
    changed = table.set_column(column, table.schema.field("sites"), [sites])
    pq.write_table(changed.replace_schema_metadata(table.schema.metadata), forged)
    _copy_metadata(plan, forged)
    said = city.run("verify", str(forged), *city.columns, code=1).stdout
    assert "The plan does NOT hold." in said
    assert "placements: not those that the header was written for" in said
    assert "costs: not those of the placements" in said


def _rows(table: object) -> list[tuple[str, list[str]]]:
    columns = table.to_pydict()  # type: ignore[attr-defined]
    return list(zip(columns["dataset"], columns["sites"], strict=True))


def _copy_metadata(source: Path, target: Path) -> None:
    """Parquet keeps the plan's texts beside the schema's own."""
    kept = {
        key: value
        for key, value in pq.read_metadata(source).metadata.items()
        if key.startswith(b"placement-plan-columns")
    }
    table = pq.read_table(target)
    with pq.ParquetWriter(target, table.schema.remove_metadata()) as writer:
        writer.write_table(table.replace_schema_metadata(None))
        writer.add_key_value_metadata(kept)


FORGED: dict[str, tuple[Callable[[ColumnPlan], dict[str, object]], str]] = {
    "verdicts": (
        lambda plan: {
            "eligibility": plan.eligibility.model_copy(
                update={"verdicts": tuple(row[::-1] for row in plan.eligibility.verdicts)}
            )
        },
        "verdicts: not those of the policies",
    ),
    "sites": (lambda plan: {"sites": plan.sites[:1]}, "sites: the sums are not those"),
    "datasets": (lambda plan: {"datasets": 4}, "datasets: not those of the catalogue"),
    "city": (lambda plan: {"municipality": "Elsewhere"}, "datasets: not those of the catalogue"),
    "ending": (
        lambda plan: {"termination": Termination.TIME_LIMIT},
        "termination: only a plan within",
    ),
    "bound": (
        lambda plan: {"dual_bound_eur": plan.objective_eur + 1},
        "dual bound: not between price bound and objective",
    ),
    "gap": (lambda plan: {"gap": Decimal("0.5")}, "gap: not that of objective and dual bound"),
    "certificate": (
        lambda plan: {
            "certificate": plan.certificate.model_copy(
                update={"checks": plan.certificate.checks[1:]}
            )
        },
        "certificate: it is another",
    ),
    "register": (
        lambda plan: {"site_register": plan.site_register.model_copy(update={"source": "me"})},
        "register: not the one of its digest",
    ),
}


@pytest.fixture(scope="module")
def decided(city: City) -> Path:
    plan = city.folder / "decided.parquet"
    city.run("decide", *city.columns, "--out", str(plan))
    return plan


@pytest.mark.parametrize("name", FORGED)
def test_a_header_that_lies_does_not_hold_though_its_digest_is_right(
    city: City, decided: Path, tmp_path: Path, name: str
) -> None:
    change, said = FORGED[name]
    header = ColumnPlan.model_validate_json(read_plan_columns(decided).header)
    lying = ColumnPlan.model_validate(header.model_copy(update=change(header)).model_dump())
    signed = lying.model_copy(update={"digest": plan_digest(lying)})
    forged = _with_header(decided, tmp_path / "forged.parquet", canonical_json(signed))
    request = Request(
        catalog=city.folder / "city", sites=city.folder / "sites.json", catalog_format="columns"
    )
    proof = in_columns.verify(forged, request, read_settings())
    wrong = [failure for check in proof.checks for failure in check.failures]
    assert any(failure.startswith(said) for failure in wrong), wrong


def test_a_plan_without_profiles_is_refused(city: City, decided: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.parquet"
    header = read_plan_columns(decided).header
    _with_header(decided, bare, header, without="profile")
    done = city.run("verify", str(bare), *city.columns, code=2)
    assert "profile: the column is missing" in done.stderr


def _with_header(source: Path, target: Path, header: bytes, without: str | None = None) -> Path:
    kept = {
        key: value
        for key, value in pq.read_metadata(source).metadata.items()
        if key.startswith(b"placement-plan-columns")
    }
    table = pq.read_table(source).replace_schema_metadata(None)
    table = table if without is None else table.drop_columns([without])
    with pq.ParquetWriter(target, table.schema) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata(kept | {b"placement-plan-columns/1": header})
    return target


def test_a_plan_of_other_inputs_does_not_hold(city: City) -> None:
    plan = city.folder / "old.parquet"
    city.run("decide", *city.columns, "--out", str(plan))
    other = city.folder / "dearer.json"
    dearer = json.loads((city.folder / "sites.json").read_text())
    for site in dearer["sites"]:
        site["handling_price_eur_per_dataset_month"] = "7"
    other.write_text(json.dumps(dearer))
    given = ["--catalog", str(city.folder / "city"), "--format-catalog", "columns"]
    said = city.run("verify", str(plan), *given, "--sites", str(other), code=1).stdout
    assert "digest of sites: the plan was made on others" in said


def test_no_plan_is_an_answer_with_its_conflict(city: City) -> None:
    small = city.folder / "small.json"
    register = json.loads((city.folder / "sites.json").read_text())
    for site in register["sites"]:
        site["capacity_gb"] = 30 if site["id"] == "depot" else 12
    small.write_text(json.dumps(register))
    given = ["--catalog", str(city.folder / "city"), "--format-catalog", "columns"]
    out = city.folder / "none.parquet"
    done = city.run("decide", *given, "--sites", str(small), "--out", str(out), code=1)
    assert "No plan" in done.stdout
    assert not out.exists()


def test_no_eligible_site_names_datasets_and_violations(city: City) -> None:
    abroad = city.folder / "abroad.json"
    register = json.loads((city.folder / "sites.json").read_text())
    register["sites"] = [site for site in register["sites"] if site["id"] == "uscloud"]
    abroad.write_text(json.dumps(register))
    given = ["--catalog", str(city.folder / "city"), "--format-catalog", "columns"]
    done = city.run("decide", *given, "--sites", str(abroad), "--format", "json", code=1)
    answer = json.loads(done.stdout)
    assert {found["dataset"] for found in answer["datasets"]} == {"counts", "permits", "trips"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["decide", "--format", "csv"], "a table already"),
        (["check"], "judged by decide"),
    ],
)
def test_what_columns_do_not_do_is_said(city: City, arguments: list[str], said: str) -> None:
    done = city.run(arguments[0], *city.columns, *arguments[1:], code=2)
    assert said in " ".join(done.stderr.replace("│", " ").split())
