"""Verdicts for columns: those of objects, at as many OPA evaluations as profiles times sites."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models import (
    AccessRights,
    Catalog,
    CollectorKind,
    DerivedFrom,
    Dpia,
    GdprCategory,
    Interface,
    Level,
    Parameters,
    Role,
    SiteKind,
    SiteRegister,
    Verdict,
    Violation,
    policy_dataset,
    policy_site,
)
from models.columns import EligibilityColumns, ProfileTable
from placement.catalog import load_catalog, load_parameters, load_register
from placement.catalog.columns import columns_of
from placement.eligibility import PolicyEngine, open_engine
from placement.eligibility.columns import (
    KnownVerdicts,
    evaluate_columns,
    evaluating,
    find_profiles,
    unplaceable_columns,
)
from placement.eligibility.questions import BATCH
from placement.errors import PolicyEngineError
from placement.example import CATALOG, PARAMETERS, SITES
from placement.graph import derive_facts
from placement.graph.columns import derive_fact_columns
from tests import builders
from tests.column_cases import as_columns
from tests.opa_fakes import GOOD, opa_settings, write_policies

POLICIES = Path(__file__).resolve().parents[2] / "policies"
JUDGED = Parameters(as_of=builders.AS_OF)


class Counting:
    """A host that counts the pairs it is asked about."""

    def __init__(self, host: Any) -> None:
        self.host = host
        self.pairs = 0
        self.batches: list[int] = []

    def query(self, rule: str, document: Any, seconds: float) -> tuple[Any, str]:
        if rule == BATCH:
            self.batches.append(len(document["datasets"]) * len(document["sites"]))
            self.pairs += self.batches[-1]
        return self.host.query(rule, document, seconds)

    def close(self) -> None:
        self.host.close()

    def since(self) -> int:
        """Pairs since the last call."""
        pairs, self.pairs = self.pairs, 0
        return pairs


@pytest.fixture(scope="module")
def engine() -> Iterator[PolicyEngine]:
    with open_engine(POLICIES, opa_settings()) as opened:
        opened._host = Counting(opened._host)
        yield opened


@pytest.fixture
def asked(engine: PolicyEngine) -> Counting:
    assert isinstance(engine._host, Counting)
    engine._host.since()
    return engine._host


def example() -> tuple[Catalog, SiteRegister, Parameters]:
    return load_catalog(CATALOG), load_register(SITES), load_parameters(PARAMETERS)


def random_city(seed: int, count: int = 60) -> tuple[Catalog, SiteRegister, Parameters]:
    """Datasets of every colour that derive from each other, at three sites."""
    rng = np.random.default_rng(seed)

    def one_of(*values: Any) -> Any:
        return values[int(rng.integers(len(values)))]

    datasets = [
        builders.dataset(
            f"d{number:03}",
            confidentiality=one_of(*Level, None),
            gdpr_category=one_of(*GdprCategory, None),
            access_rights=one_of(*AccessRights, None),
            non_publication_grounds=one_of((), ("5.1.2e",), ("5.1.1c", "5.2")),
            owner_department=one_of("Green", "Civil affairs", None),
            dpia=one_of(*Dpia, None),
            duties=one_of((), ("registration",), ("supervision",)),
            collected_by=one_of(*CollectorKind, None),
            interfaces=one_of((), (Interface.S3,)),
            replicas=one_of(1, 1, 2, 3),
            volume_gb=int(rng.integers(1000)),
        )
        for number in range(count)
    ]
    edges = np.sort(rng.integers(count, size=(count // 2, 2)), axis=1)
    relations = tuple(
        DerivedFrom(source=f"d{a:03}", derived=f"d{b:03}") for a, b in edges.tolist() if a < b
    )
    register = builders.register(
        builders.site("archive"),
        builders.site("cloud", operator="hoster", kind=SiteKind.PUBLIC_CLOUD),
        builders.site("far", operator="hoster", kind=SiteKind.PUBLIC_CLOUD, country="US"),
    )
    return builders.catalog(*datasets, relations=relations), register, JUDGED


def by_objects(engine, catalog, register, parameters):
    roles = {role.id: role for role in (*catalog.roles, *register.roles)}
    operators = {operator.id: operator for operator in register.operators}
    contracts = {contract.id: contract for contract in catalog.contracts}
    effective = derive_facts(catalog, parameters).effective
    return engine.evaluate(
        [
            (dataset.id, policy_dataset(dataset, found, roles, contracts))
            for dataset, found in zip(catalog.datasets, effective, strict=True)
        ],
        [policy_site(site, operators, roles) for site in register.sites],
        parameters.as_of,
    )


def by_columns(engine, catalog, register, parameters, known=None):
    columns = as_columns(catalog)
    facts = derive_fact_columns(columns, parameters)
    return columns, evaluate_columns(engine, columns, facts, register, parameters, known)


def assert_same(columns, eligibility, table) -> None:
    """The same verdict objects' values for every dataset at every site, and the same words."""
    place = {name: number for number, name in enumerate(table.datasets)}
    for row, name in enumerate(columns.ids.to_pylist()):
        ours = eligibility.table.verdicts[eligibility.profile_of[row]]
        assert ours == table.verdicts[table.profile_of[place[name]]]
    assert len(eligibility.table.verdicts) == len(table.verdicts)
    for name in ("sites", "obligations", "segregated_duties", "policy_revision", "opa_version"):
        assert getattr(eligibility.table, name) == getattr(table, name)
    assert eligibility.table.as_of == table.as_of.isoformat()


@pytest.mark.parametrize("city", [example, lambda: random_city(1), lambda: random_city(2)])
def test_columns_get_the_verdicts_of_objects(engine, asked, city):
    catalog, register, parameters = given = city()
    table = by_objects(engine, *given)
    pairs = asked.since()
    columns = columns_of(catalog)
    facts = derive_fact_columns(columns, parameters)
    eligibility = evaluate_columns(engine, columns, facts, register, parameters)
    assert asked.since() == pairs == len(table.verdicts) * len(table.sites)
    assert_same(columns, eligibility, table)


def test_duties_kept_apart_are_those_of_objects(tmp_path):
    with open_engine(write_policies(tmp_path / "p", GOOD), opa_settings()) as small:
        given = random_city(3)
        table = by_objects(small, *given)
        assert table.segregated_duties
        columns, eligibility = by_columns(small, *given)
        assert_same(columns, eligibility, table)


def test_many_datasets_cost_their_profiles_and_no_more(engine, asked):
    catalog, register, parameters = random_city(4, count=40)
    columns = as_columns(catalog)
    rows = np.arange(200_000) % len(columns)
    many = replace(
        columns,
        kind_of=columns.kind_of[rows],
        derivations=as_columns(catalog.model_copy(update={"relations": ()})).derivations,
    )
    facts = derive_fact_columns(many, parameters)
    found = evaluate_columns(engine, many, facts, register, parameters)
    profiles = len(found.table.verdicts)
    assert profiles <= 40
    assert asked.since() == profiles * len(register.sites)
    assert len(found.profile_of) == 200_000
    assert np.array_equal(found.profile_of[:40], found.profile_of[40:80])


def test_known_verdicts_are_not_asked_again(engine, asked):
    catalog, register, parameters = random_city(5)
    known = KnownVerdicts()
    _, first = by_columns(engine, catalog, register, parameters, known)
    profiles, sites = len(first.table.verdicts), len(register.sites)
    assert asked.since() == profiles * sites == len(known)
    _, again = by_columns(engine, catalog, register, parameters, known)
    assert asked.since() == 0
    assert again.table == first.table
    assert again.table.verdicts[0][0] is first.table.verdicts[0][0]


def test_a_new_dataset_costs_one_profile_and_a_changed_site_one_column(engine, asked):
    catalog, register, parameters = random_city(6)
    known = KnownVerdicts()
    _, first = by_columns(engine, catalog, register, parameters, known)
    asked.since()
    new = builders.dataset("new", readers=("clerk",))
    catalog = catalog.model_copy(
        update={"datasets": (*catalog.datasets, new), "roles": (*catalog.roles, clerk())}
    )
    columns, eligibility = by_columns(engine, catalog, register, parameters, known)
    assert asked.since() == len(register.sites)
    assert_same(columns, eligibility, by_objects(engine, catalog, register, parameters))
    asked.since()
    sites = tuple(
        site.model_copy(update={"country": "DE"}) if site.id == "cloud" else site
        for site in register.sites
    )
    register = register.model_copy(update={"sites": sites})
    columns, eligibility = by_columns(engine, catalog, register, parameters, known)
    assert asked.since() == len(first.table.verdicts) + 1
    assert_same(columns, eligibility, by_objects(engine, catalog, register, parameters))


def clerk() -> Role:
    return builders.role("clerk")


def test_another_day_and_other_policies_ask_all_again(engine, asked, tmp_path):
    catalog, register, parameters = random_city(7)
    known = KnownVerdicts()
    _, first = by_columns(engine, catalog, register, parameters, known)
    pairs = asked.since()
    later = parameters.model_copy(update={"as_of": builders.AS_OF + timedelta(days=1)})
    by_columns(engine, catalog, register, later, known)
    assert asked.since() == pairs
    with open_engine(write_policies(tmp_path / "p", GOOD), opa_settings()) as other:
        counting = other._host = Counting(other._host)
        columns, found = by_columns(other, catalog, register, later, known)
        assert counting.since() == pairs
        assert_same(columns, found, by_objects(other, catalog, register, later))
    assert found.table.policy_revision != first.table.policy_revision


def test_many_profiles_are_asked_in_calls_of_bounded_size(engine, asked, monkeypatch):
    monkeypatch.setattr(evaluating, "PAIRS_A_CALL", 7)
    given = random_city(8)
    asked.batches.clear()
    columns, eligibility = by_columns(engine, *given)
    assert max(asked.batches) == 6
    assert sum(asked.batches) == len(eligibility.table.verdicts) * 3
    assert_same(columns, eligibility, by_objects(engine, *given))


def test_a_small_memory_forgets_and_asks_again(engine, asked):
    given = random_city(9)
    known = KnownVerdicts(verdicts_max=30)
    _, first = by_columns(engine, *given, known)
    asked.since()
    assert len(known) == 30
    _, again = by_columns(engine, *given, known)
    assert asked.since() == len(first.table.verdicts) * 3 - 30
    assert len(known) == 30
    assert again.table == first.table


def test_a_failing_engine_is_an_error_and_leaves_nothing_behind(tmp_path):
    twice = GOOD.replace('"text": "For tests."', '"text": message')
    policies = write_policies(tmp_path / "p", twice)
    high = builders.dataset("a", high_value=True)
    catalog = builders.catalog(high)
    register = builders.register(builders.site("x", country="US"), builders.site("y", country="US"))
    known = KnownVerdicts()
    with open_engine(policies, opa_settings()) as broken:
        with pytest.raises(PolicyEngineError, match="in two ways"):
            by_columns(broken, catalog, register, JUDGED, known)
        for site in register.sites:
            alone = register.model_copy(update={"sites": (site,)})
            if site.id == "x":
                by_columns(broken, catalog, alone, JUDGED, known)
            else:
                with pytest.raises(PolicyEngineError, match="in two ways"):
                    by_columns(broken, catalog, alone, JUDGED, known)
    assert len(known) == 1


@pytest.mark.parametrize("seed", range(10, 16))
def test_unplaceable_rows_lack_operators_for_their_replicas(engine, seed):
    catalog, register, parameters = random_city(seed)
    columns, eligibility = by_columns(engine, catalog, register, parameters)
    table = by_objects(engine, catalog, register, parameters)
    operator = {site.id: site.operator for site in register.sites}
    expected = [
        number
        for number, dataset in enumerate(catalog.datasets)
        if len(
            {
                operator[site]
                for place, site in enumerate(table.sites)
                if table.verdict(number, place).eligible
            }
        )
        < dataset.replicas
    ]
    assert 0 < len(expected) < len(catalog.datasets)
    assert unplaceable_columns(columns, eligibility, register).tolist() == expected


def test_two_replicas_need_two_operators_and_one_needs_one_site():
    datasets = (builders.dataset("one"), builders.dataset("two", replicas=2))
    columns = as_columns(builders.catalog(*datasets))
    clean = Verdict(violations=(), host_obligations=(), preferences=(), closed_stack=False)
    failed = clean.model_copy(update={"violations": (Violation(obligation="a.b", message="c"),)})
    register = builders.register(
        builders.site("own"),
        builders.site("near", operator="hoster"),
        builders.site("far", operator="hoster"),
    )

    def unplaceable(*row: Verdict) -> list[int]:
        table = ProfileTable(
            sites=("own", "near", "far"),
            verdicts=(row,),
            obligations=(),
            policy_revision="r",
            opa_version="v",
            as_of="2026-10-01",
        )
        eligibility = EligibilityColumns(np.zeros(2, dtype=np.int32), table)
        return unplaceable_columns(columns, eligibility, register).tolist()

    assert unplaceable(failed, failed, failed) == [0, 1]
    assert unplaceable(failed, clean, clean) == [1]
    assert unplaceable(clean, failed, clean) == []


def test_profiles_do_not_depend_on_the_order_of_kinds():
    catalog, register, parameters = random_city(20)
    columns = as_columns(catalog)
    facts = derive_fact_columns(columns, parameters)
    turned = replace(
        columns,
        kinds=columns.kinds[::-1],
        kind_of=(len(columns.kinds) - 1 - columns.kind_of).astype(np.int32),
    )
    roles = {role.id: role for role in (*catalog.roles, *register.roles)}
    ours = find_profiles(columns, facts, roles, {})
    theirs = find_profiles(turned, derive_fact_columns(turned, parameters), roles, {})
    assert ours.views == theirs.views
    assert np.array_equal(ours.profile_of, theirs.profile_of)
    effective = derive_facts(catalog, parameters).effective
    for row, (dataset, found) in enumerate(zip(catalog.datasets, effective, strict=True)):
        assert ours.views[ours.profile_of[row]] == policy_dataset(dataset, found, roles, {})
    assert len(set(ours.views)) == len(ours.views)


def test_kinds_that_policies_cannot_tell_apart_share_profiles():
    two = builders.dataset("a", replicas=2, owner_department="Green")
    three = builders.dataset("b", replicas=3, owner_department="Police")
    columns = as_columns(builders.catalog(two, three))
    facts = derive_fact_columns(columns, JUDGED)
    roles = {"registrar": builders.role()}
    found = find_profiles(columns, facts, roles, {})
    assert len(columns.kinds) == 2
    assert found.profile_of.tolist() == [0, 0]
    assert found.views[0].replicated


def test_many_profiles_are_sorted_instead_of_tabled(monkeypatch):
    from placement.eligibility.columns import profiles

    catalog, register, parameters = random_city(21)
    columns = as_columns(catalog)
    facts = derive_fact_columns(columns, parameters)
    roles = {role.id: role for role in (*catalog.roles, *register.roles)}
    tabled = find_profiles(columns, facts, roles, {})
    monkeypatch.setattr(profiles, "_TABLE_MAX", 1)
    by_sorting = find_profiles(columns, facts, roles, {})
    assert by_sorting.views == tabled.views
    assert np.array_equal(by_sorting.profile_of, tabled.profile_of)


def test_an_empty_catalogue_has_no_profiles(engine):
    catalog = Catalog(municipality="Nowhere", datasets=(), roles=(builders.role(),))
    register = builders.register(builders.site())
    columns, found = by_columns(engine, catalog, register, JUDGED)
    assert found.table.verdicts == ()
    assert len(found.profile_of) == 0
    assert len(unplaceable_columns(columns, found, register)) == 0


def test_without_a_day_nothing_is_judged(engine):
    undated = Parameters()
    assert undated.as_of is None
    with pytest.raises(AssertionError, match="day of judgement"):
        by_columns(engine, builders.catalog(), builders.register(), undated)
