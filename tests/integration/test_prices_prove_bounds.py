"""Relations at scale: what prices, messages and pairs prove is what the solver says it proved."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models import (
    CoLocated,
    DerivedFrom,
    Level,
    Parameters,
    Problem,
    Relation,
    Separated,
    Solution,
    Termination,
)
from models.column_plan import ColumnPlan
from placement.catalog import write_json
from placement.catalog.columns import (
    placements_digest,
    read_plan_columns,
    write_catalog_folder,
    write_plan_columns,
)
from placement.certificate import claims_of
from placement.graph import derive_facts
from placement.optimizer import solve
from placement.optimizer.by_columns import ColumnSolution, solve_columns
from placement.reading import Request
from placement.service.in_columns import decide, verify
from placement.settings import read_settings
from tests import builders
from tests.certificate_cases import Case, certified, closed_at
from tests.certificate_column_cases import ColumnCase, case_in_columns
from tests.property.test_arrays_build import city_of

DATASETS = 3_000
SINGLE = 2_950
"""The first ones, of one replica: flows of others are left out of every bound."""
SITES = ("s0", "s1", "s2", "s3", "s4", "s5", "s6")
OPERATORS = ("city", "nord", "nord", "sued", "sued", "west", "oost")
SAME = Fraction(1, 10**6)
"""Of the bound: what prices rounded down to decimals may lose."""


@pytest.fixture(scope="module")
def city() -> Case:
    """Sites that are short of room, flows that want to stay together, and pairs that must part."""
    rng = np.random.default_rng(7)
    names = [f"d{i:04}" for i in range(DATASETS)]
    volume = rng.integers(5, 80, DATASETS)
    replicas = np.where(np.arange(DATASETS) >= SINGLE, 2, 1)
    data = [
        builders.dataset(
            name,
            volume_gb=int(gb),
            monthly_egress_gb=_cents(rng, 4000),
            replicas=int(wanted),
            availability=Level.NORMAL,
        )
        for name, gb, wanted in zip(names, volume, replicas, strict=True)
    ]
    total = int((volume * replicas).sum())
    sites = [
        builders.site(
            name,
            operator=operator,
            capacity_gb=int(total * rng.uniform(0.15, 0.3)),
            object_price_eur_per_gb_month=Decimal("0.01") + _cents(rng, 30, 3),
            egress_price_eur_per_gb=Decimal("0.01") + _cents(rng, 9),
            handling_price_eur_per_dataset_month=_cents(rng, 50),
        )
        for name, operator in zip(SITES, OPERATORS, strict=True)
    ]
    return Case(
        catalog=builders.catalog(*data, relations=tuple(_relations(rng, names))),
        register=builders.register(*sites),
        parameters=Parameters(
            as_of=builders.AS_OF, alternatives_min=0, gap=Decimal("0.05"), time_limit_s=100
        ),
        placements={},
        ask=closed_at("s6"),
    )


@dataclass(frozen=True)
class Decided:
    """The city as files, decided by the service with the shipped policies."""

    request: Request
    plan: Path

    def failures(self, plan: Path, **changes: Any) -> dict[str, tuple[str, ...]]:
        certificate = verify(plan, replace(self.request, **changes), read_settings())
        return {check.name: check.failures for check in certificate.checks if not check.holds}


@pytest.fixture(scope="module")
def decided(city: Case, tmp_path_factory: pytest.TempPathFactory) -> Decided:
    folder = tmp_path_factory.mktemp("city")
    write_catalog_folder(city.catalog, folder / "columns")
    write_json(city.register, folder / "sites.json")
    write_json(city.parameters, folder / "parameters.json")
    request = Request(
        catalog=folder / "columns",
        sites=folder / "sites.json",
        catalog_format="columns",
        parameters=folder / "parameters.json",
    )
    answer = decide(request, read_settings(), out=folder / "plan.parquet").answer
    assert isinstance(answer, ColumnPlan)
    gap = (answer.dual_bound_eur - answer.certificate.price_bound_eur) / answer.dual_bound_eur
    assert gap <= Decimal("1e-6")
    return Decided(request, folder / "plan.parquet")


def _relations(rng: np.random.Generator, names: list[str]) -> list[Relation]:
    found: list[Relation] = [CoLocated(members=tuple(names[i : i + 2])) for i in range(0, 40, 2)]
    for _ in range(1_200):
        a, b = sorted(rng.choice(SINGLE, 2, replace=False).tolist())
        gb = _cents(rng, 3000, 1)
        found.append(DerivedFrom(derived=names[b], source=names[a], monthly_transfer_gb=gb))
    for turn in range(500):
        a, b = sorted(rng.choice(np.arange(turn % 2, DATASETS, 2), 2, replace=False).tolist())
        level: Literal["site", "operator"] = "operator" if turn % 3 == 0 else "site"
        found.append(Separated(members=(names[a], names[b]), level=level))
    return found


def _cents(rng: np.random.Generator, below: int, places: int = 2) -> Decimal:
    return Decimal(int(rng.integers(0, below))).scaleb(-places)


@pytest.fixture(scope="module")
def by_objects(city: Case) -> Solution:
    roles = {role.id: role for role in (*city.catalog.roles, *city.register.roles)}
    return solve(
        Problem(
            datasets=city.catalog.datasets,
            sites=city.register.sites,
            operators=city.register.operators,
            roles=tuple(roles.values()),
            eligibility=city.table(),
            facts=derive_facts(city.catalog, city.parameters),
            parameters=city.parameters,
        )
    )


@pytest.fixture(scope="module")
def planned(city: Case, by_objects: Solution) -> Case:
    """The city with the solver's plan."""
    names = [dataset.id for dataset in city.catalog.datasets]
    return city.but(placements=dict(zip(names, by_objects.placements, strict=True)))


@pytest.fixture(scope="module")
def columns(city: Case) -> ColumnCase:
    return case_in_columns(city)


@pytest.fixture(scope="module")
def by_columns(columns: ColumnCase) -> ColumnSolution:
    return solve_columns(city_of(columns))


def test_prices_of_objects_prove_the_bound_of_the_solver(planned, by_objects):
    assert by_objects.termination is Termination.WITHIN_GAP
    level = planned.city().separations
    levels = {level[price.first, price.second] for price in by_objects.separation_prices}
    assert levels == {"site", "operator"}
    dual = Fraction(by_objects.dual_bound_eur)
    claims = claims_of(by_objects, planned.table(), planned.effective())
    answer = certified(planned, claims)
    assert [check for check in answer.certificate.checks if not check.holds] == []
    assert dual * (1 - SAME) <= answer.price_bound <= dual * (1 + SAME)
    without = certified(planned, replace(claims, separation_prices=()))
    assert without.price_bound < dual * (1 - 10 * SAME)


def test_prices_of_columns_prove_the_bound_of_the_solver(columns, by_columns):
    assert by_columns.termination is Termination.WITHIN_GAP
    case = columns.but(placed=by_columns.placed)
    dual = Fraction(by_columns.dual_bound_eur)
    claims = {"objective_eur": by_columns.objective_eur, "dual_bound_eur": dual}
    proof = case.judged(**claims)
    assert {c.name: c.failures for c in proof.checks if not c.holds} == {}
    assert dual * (1 - SAME) <= proof.price_bound <= dual * (1 + SAME)
    none = np.zeros(0, dtype=np.int64)
    bare = replace(by_columns.placed, pair_places=none.astype(np.int32), pair_prices=none)
    assert case.but(placed=bare).judged(**claims).price_bound < dual * (1 - 10 * SAME)


def test_prices_of_pairs_stand_in_the_file_of_a_plan(columns, by_columns, tmp_path):
    placed, facts = by_columns.placed, columns.facts
    assert (placed.pair_prices > 0).any()
    assert ((placed.pair_prices > 0) == (placed.pair_places >= 0)).all()
    write_plan_columns(
        tmp_path / "plan.parquet",
        b"{}",
        columns.columns,
        SITES,
        placed,
        {},
        flow_source=facts.flow_source,
        pair_first=facts.pair_first,
    )
    read = read_plan_columns(tmp_path / "plan.parquet")
    assert read.placed.pair_places.tolist() == placed.pair_places.tolist()
    assert read.placed.pair_prices.tolist() == placed.pair_prices.tolist()
    profiles = columns.eligibility.profile_of
    own = placements_digest(read.ids, profiles, placed)
    assert placements_digest(read.ids, profiles, read.placed) == own
    for name in ("pair_places", "pair_prices"):
        other = replace(placed, **{name: getattr(placed, name)[::-1].copy()})
        assert placements_digest(read.ids, profiles, other) != own


def test_a_plan_file_with_prices_of_pairs_holds_in_any_order_of_sites(decided, city, tmp_path):
    assert (read_plan_columns(decided.plan).placed.pair_prices > 0).any()
    assert decided.failures(decided.plan) == {}
    turned = city.register.model_copy(update={"sites": city.register.sites[::-1]})
    write_json(turned, tmp_path / "sites.json")
    told = decided.failures(decided.plan, sites=tmp_path / "sites.json")
    assert told == {"file": ("digest of sites: the plan was made on others",)}


@pytest.mark.parametrize(
    ("column", "value", "named"),
    [
        ("pair_prices", -1, {"file", "prices"}),
        ("pair_places", 7, {"file", "prices"}),
        ("pair_prices", 0, {"file"}),
    ],
)
def test_a_price_of_a_pair_changed_by_hand_is_noticed(decided, tmp_path, column, value, named):
    found = read_plan_columns(decided.plan)
    placed, header = found.placed, found.header
    numbers = getattr(placed, column).copy()
    numbers[placed.pair_prices.argmax()] = value
    table, forged = pq.read_table(decided.plan), tmp_path / "forged.parquet"
    at = table.schema.get_field_index(column)
    lists = pa.ListArray.from_arrays(
        table[column].combine_chunks().offsets, pa.array(numbers, table[column].type.value_type)
    )
    with pq.ParquetWriter(forged, table.schema.remove_metadata()) as writer:
        writer.write_table(table.set_column(at, column, lists).replace_schema_metadata(None))
        writer.add_key_value_metadata(pq.read_metadata(decided.plan).metadata)
    assert read_plan_columns(forged).header == header
    told = decided.failures(forged)
    assert named <= told.keys()
    assert "placements: not those that the header was written for" in told["file"]
