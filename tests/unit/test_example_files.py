from __future__ import annotations

from collections import Counter

import pytest

from models import (
    Catalog,
    Cumulated,
    DerivedFrom,
    Parameters,
    Separated,
    SiteKind,
    SiteRegister,
)
from placement.catalog import check_references, load_catalog, load_parameters, load_register
from placement.example import CATALOG, INTAKE, PARAMETERS, SITES
from placement.graph import derive_facts


@pytest.fixture(scope="module")
def city() -> Catalog:
    return load_catalog(CATALOG)


@pytest.fixture(scope="module")
def register() -> SiteRegister:
    return load_register(SITES)


@pytest.fixture(scope="module")
def parameters() -> Parameters:
    return load_parameters(PARAMETERS)


@pytest.mark.parametrize("path", [CATALOG, INTAKE])
def test_every_reference_in_the_example_resolves(path, register):
    check_references(load_catalog(path), register, catalog_file=path.name, register_file="sites")


def test_the_city_is_as_large_as_it_says(city, register):
    assert 80 <= len(city.datasets) <= 110
    assert 10 <= len(register.sites) <= 14
    assert len(register.operators) >= 6
    assert len({d.owner_department for d in city.datasets}) >= 15
    assert 200_000 <= sum(d.volume_gb for d in city.datasets) <= 900_000


def test_the_example_says_that_it_is_fictional(city, register):
    assert "fictional" in city.source
    assert "fictional" in register.source


def test_the_example_is_decided_for_the_same_day_for_ever(parameters):
    assert parameters.as_of is not None


def test_the_register_holds_every_kind_of_site_and_operator(register, parameters):
    assert {site.kind for site in register.sites} == set(SiteKind)
    assert {o.parent_jurisdiction for o in register.operators} >= {"NL", "DE", "FR", "CH", "US"}
    assert sum(o.municipal for o in register.operators) == 1
    assert any(not site.federation for site in register.sites)
    assert any(
        certificate.valid_until < parameters.as_of
        for site in register.sites
        for certificate in site.certifications
    )


def test_most_datasets_rest_somewhere_today(city):
    assert sum(d.current_site is not None for d in city.datasets) > len(city.datasets) / 2


def test_every_contract_and_role_of_the_city_is_used(city):
    contracts = {d.contract for d in city.datasets}
    roles = {r for d in city.datasets for r in (*d.readers, *d.writers, *d.administrators)}
    assert contracts >= {c.id for c in city.contracts}
    assert roles >= {r.id for r in city.roles}


def test_lineage_cumulation_groups_and_separations_all_change_something(city, parameters):
    facts = derive_facts(city, parameters)
    declared = {d.id: d.confidentiality for d in city.datasets}
    raised = {e.dataset: e for e in facts.effective if e.confidentiality != declared[e.dataset]}
    assert max(len(e.chain) for e in raised.values()) == 3
    assert any("cumulation" in e.reasons[0] and len(e.chain) == 1 for e in raised.values())
    assert facts.co_location
    assert {pair.level for pair in facts.separations} == {"site", "operator"}
    assert facts.contradictions == ()
    kinds = Counter(type(relation) for relation in city.relations)
    assert min(kinds[Cumulated], kinds[Separated], kinds[DerivedFrom]) >= 2


def test_raw_trips_stay_personal_through_the_pseudonym_and_end_at_the_reviewed_aggregate(
    city, parameters
):
    classes = {e.dataset: e for e in derive_facts(city, parameters).effective}
    joined, flows = classes["micromobility-trips"], classes["micromobility-flows"]
    assert (joined.gdpr_category, joined.access_rights) == ("personal", "restricted")
    assert (flows.gdpr_category, flows.access_rights) == ("none", "public")
    assert "k-anonymity, k=10" in flows.reasons[0]
