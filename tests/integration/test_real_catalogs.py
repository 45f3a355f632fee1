"""The importers on catalogues and prices that nobody here wrote."""

from __future__ import annotations

import json

import pytest

from models import AccessRights, GdprCategory, Level
from placement.catalog import check_references, load_catalog, load_register, write_json


@pytest.fixture(scope="module")
def amsterdam(real_data):
    return load_catalog(real_data / "amsterdam-schema", "amsterdam-schema")


@pytest.fixture(scope="module")
def clouds(real_data):
    return load_register(real_data / "eu-cloud-prices", "eu-cloud-prices")


def _raw_datasets(real_data):
    for path in sorted((real_data / "amsterdam-schema/datasets").glob("*/dataset.json")):
        yield path.parent, json.loads(path.read_text())


def _default_tables(folder, raw):
    for table in raw["versions"][raw["defaultVersion"]]["tables"]:
        yield json.loads((folder / f"{table['$ref']}.json").read_text())


def _found(value, key):
    """Every value of a key, at any depth."""
    if isinstance(value, dict):
        for name, part in value.items():
            if name == key:
                yield from part if isinstance(part, list) else [part]
            else:
                yield from _found(part, key)
    elif isinstance(value, list):
        for part in value:
            yield from _found(part, key)


def _said(real_data, key):
    """What each raw dataset and the tables of its default version say under a key."""
    return {
        raw["id"]: {
            text
            for document in ({**raw, "versions": None}, *_default_tables(folder, raw))
            for text in _found(document, key)
        }
        for folder, raw in _raw_datasets(real_data)
    }


def test_all_datasets_of_amsterdam_are_there(amsterdam, real_data):
    assert len(amsterdam.datasets) == 112
    assert {d.id for d in amsterdam.datasets} == {r["id"] for _, r in _raw_datasets(real_data)}
    assert amsterdam.municipality == "Amsterdam"


def test_a_scope_at_any_level_restricts_and_becomes_a_reader(amsterdam, real_data):
    scopes = _said(real_data, "auth")
    grounds = _said(real_data, "reasonsNonPublic")
    whole = [r["id"] for _, r in _raw_datasets(real_data) if r["auth"] != "OPENBAAR"]
    assert len(whole) == 23
    for dataset in amsterdam.datasets:
        named = scopes[dataset.id] - {"OPENBAAR"}
        assert named <= set(dataset.readers)
        restricted = bool(named or grounds[dataset.id])
        assert (dataset.access_rights is AccessRights.RESTRICTED) == restricted
        assert (dataset.confidentiality is not Level.OPEN) == restricted
        assert set(whole) <= {
            d.id for d in amsterdam.datasets if d.access_rights is AccessRights.RESTRICTED
        }


def test_grounds_for_non_publication_are_kept(amsterdam, real_data):
    written = _said(real_data, "reasonsNonPublic")
    for dataset in amsterdam.datasets:
        codes = {ground.partition(":")[0].replace(" ", ".") for ground in written[dataset.id]}
        kept = {ground.replace(" ", ".") for ground in dataset.non_publication_grounds}
        assert codes <= kept
        assert kept - codes <= ({"5.1.2e"} if codes == {"nader.te.bepalen"} else set())
    undetermined = [
        d.id for d in amsterdam.datasets if "nader te bepalen" in d.non_publication_grounds
    ]
    assert undetermined == ["blackspots", "npr", "parkeerrechten"]
    assert any("nader te bepalen" in line for line in amsterdam.assumptions)


def test_every_scope_is_a_role_with_its_owner(amsterdam, real_data):
    roles = {role.id: role for role in amsterdam.roles}
    for path in (real_data / "amsterdam-schema/scopes").glob("*/*.json"):
        scope = json.loads(path.read_text())
        if scope["id"] == "OPENBAAR":
            assert "OPENBAAR" not in roles
        else:
            assert roles[scope["id"]].department
            assert roles[scope["id"]].clearance is not None


def test_youth_and_care_are_special_and_companies_are_not_personal(amsterdam):
    category = {d.id: d.gdpr_category for d in amsterdam.datasets}
    assert category["sociaalmedischeIndicatieKinderopvang"] is GdprCategory.SPECIAL
    assert category["controlelijstenGeldZorg"] is GdprCategory.SPECIAL
    assert category["brk2"] is GdprCategory.PERSONAL
    assert category["standbedrijven"] is GdprCategory.NONE
    assert category["parkeervakken"] is GdprCategory.NONE


def test_no_dataset_lacks_an_answerable_person_or_hides_what_is_made_up(amsterdam):
    for dataset in amsterdam.datasets:
        assert dataset.owner_department
        assert dataset.steward
        assert "volume_gb" in dataset.synthetic


def test_all_providers_and_locations_are_there(clouds, real_data):
    providers = json.loads((real_data / "eu-cloud-prices/providers.json").read_text())
    assert len(providers) == 34
    assert {o.id for o in clouds.operators if o.id in providers} == set(providers)
    imported = {site.id for site in clouds.sites}
    for name, provider in providers.items():
        assert {f"{name}/{location}" for location in provider["locations"]} <= imported
    countries = {site.id: site.country for site in clouds.sites}
    assert countries["cyso/ge-fra"] == "DE"
    assert countries["serverspace/ae-dxb"] == "AE"


def test_prices_are_those_of_the_list(clouds, real_data):
    listed = json.loads((real_data / "eu-cloud-prices/normalized.json").read_text())["providers"]
    sites = {site.operator: site for site in clouds.sites}
    for name, field in (("ovh", "object"), ("scaleway", "block"), ("aws", "object")):
        price = listed[name][f"{field}_storage"]["price_per_gb_monthly"]
        assert float(getattr(sites[name], f"{field}_price_eur_per_gb_month")) == price
    assert sites["webdock"].block_price_eur_per_gb_month is None
    usd = listed["civo"]["block_storage"]["price_per_gb_monthly"]
    assert float(sites["civo"].block_price_eur_per_gb_month) == pytest.approx(
        usd / listed["aws"]["fx"]["rates"]["USD"]
    )


def test_both_imports_fit_together_and_survive_the_native_form(amsterdam, clouds, tmp_path):
    check_references(amsterdam, clouds, catalog_file="a", register_file="b")
    write_json(amsterdam, tmp_path / "catalog.json")
    write_json(clouds, tmp_path / "sites.json")
    assert load_catalog(tmp_path / "catalog.json") == amsterdam
    assert load_register(tmp_path / "sites.json") == clouds


def test_every_assumption_is_listed_once(amsterdam, clouds):
    for imported in (amsterdam, clouds):
        assert len(set(imported.assumptions)) == len(imported.assumptions)
        assert all(line.endswith(".") for line in imported.assumptions)


def test_foggia_keeps_all_its_datasets(real_data, tmp_path):
    catalog = load_catalog(real_data / "dcat" / "foggia.rdf", "dcat-ap")
    assert catalog.municipality == "Comune di Foggia"
    assert len(catalog.datasets) == 7
    for dataset in catalog.datasets:
        assert dataset.access_rights is AccessRights.PUBLIC
        assert dataset.owner_department == "Stato Civile"
        assert dataset.steward == "servizi.informatici@comune.foggia.it"
    write_json(catalog, tmp_path / "catalog.json")
    assert load_catalog(tmp_path / "catalog.json") == catalog
