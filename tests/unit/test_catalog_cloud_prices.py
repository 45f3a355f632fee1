from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from models import Certification, Clause, Interface, Level
from placement.catalog import load_register, write_json
from placement.catalog.cloud_prices.certificates import certifications
from placement.catalog.cloud_prices.countries import country_of
from placement.errors import BadInput
from tests.catalog_cases import MUNICIPAL, Listing


@pytest.fixture
def listing(tmp_path):
    return Listing(tmp_path)


def test_a_provider_becomes_an_operator_with_a_site_a_location(listing):
    listing.terms["acme"]["locations"] = ["de-fra1", "nl-ams", "us-nj"]
    sites = listing.sites()
    assert {(s.id, s.country) for s in sites.values()} == {
        ("acme/de-fra1", "DE"),
        ("acme/nl-ams", "NL"),
        ("acme/us-nj", "US"),
    }
    site = sites["acme/de-fra1"]
    assert site.object_price_eur_per_gb_month == Decimal("0.02")
    assert site.block_price_eur_per_gb_month == Decimal("0.1")
    assert site.egress_price_eur_per_gb == Decimal("0.05")
    assert Interface.S3 in site.interfaces
    assert site.administrators == ("staff:acme",)
    assert Clause.STANDARD_CONTRACTUAL_CLAUSES not in site.clauses
    assert Clause.STANDARD_CONTRACTUAL_CLAUSES in sites["acme/us-nj"].clauses
    assert (site.seal_level, sites["acme/us-nj"].seal_level) == (2, 0)


def test_municipal_sites_are_always_added_and_listed(listing):
    register = listing.register()
    municipal = [s for s in register.sites if s.id in MUNICIPAL]
    assert len(municipal) == 3
    assert {c.valid_until for s in municipal for c in s.certifications} == {date(2027, 8, 17)}
    assert any(line.startswith("municipal sites:") for line in register.assumptions)


@pytest.mark.parametrize(
    ("egress", "storage", "free", "price"),
    [
        ({"price_per_gb": 0.05}, {}, 0, "0.05"),
        ({"free_tb": 20, "price_per_gb_overage": 0.01}, {}, 0, "0.01"),
        ({"price_per_gb": 0}, {"egress_price_per_gb": 0.06}, 0, "0.06"),
        ({"free_tb": "unlimited"}, {}, 0, "0"),
        ({}, {}, "unlimited", "0"),
        ({"free_tb": "unlimited"}, {"egress_price_per_gb": 0.014}, 0, "0.014"),
        ({"free_tb": 1, "price_per_gb": None}, {}, 0, "0.2"),
        (None, {}, 20, "0.2"),
    ],
)
def test_egress_costs_the_highest_price_that_is_stated(listing, egress, storage, free, price):
    listing.terms["acme"]["egress_free_tb"] = free
    listing.offers["acme"]["egress"] = egress
    listing.offers["acme"]["object_storage"] |= storage
    listing.terms["dear"] = listing.terms["acme"] | {"locations": ["fr-par"]}
    listing.offers["dear"] = {"egress": {"price_per_gb": 0.2}}
    assert listing.sites()["acme/de-fra1"].egress_price_eur_per_gb == Decimal(price)


@pytest.mark.parametrize(
    "storage",
    [
        None,
        {"available": False, "price_per_gb_monthly": 0.1},
        {"price_per_gb_monthly": None},
        {"price_per_gb_monthly": 0},
    ],
)
def test_storage_that_is_not_priced_is_not_offered(listing, storage):
    listing.offers["acme"]["object_storage"] = storage
    site = listing.only()
    assert site.object_price_eur_per_gb_month is None
    assert Interface.S3 not in site.interfaces


def test_without_any_storage_a_site_offers_nothing(listing):
    listing.offers["acme"] = {"egress": {"price_per_gb": 0}}
    site = listing.only()
    assert (site.interfaces, site.stack) == ((), ())


def test_prices_per_terabyte_tiers_and_dollars_become_euro_per_gigabyte(listing):
    listing.offers["acme"]["object_storage"] = {"price_per_tb_monthly": 20, "currency": "USD"}
    listing.offers["acme"]["block_storage"] = {
        "tiers": {"fast": {"price_per_gb_monthly": 0.3}, "slow": {"price_per_gb_monthly": 0.2}}
    }
    listing.offers["acme"]["fx"] = {
        "base": "EUR",
        "rate_date": "2026-08-14",
        "rates": {"USD": 1.25, "XXX": 0, "EUR": 7},
    }
    register = listing.register()
    site = next(s for s in register.sites if s.id == "acme/de-fra1")
    assert site.object_price_eur_per_gb_month == Decimal("0.016")
    assert site.block_price_eur_per_gb_month == Decimal("0.2")
    assert any("USD at 1.25 for 1 EUR" in line for line in register.assumptions)


def test_the_newest_exchange_rate_of_the_list_is_taken(listing):
    for name, day, rate in (("a", "2026-08-14", 2), ("b", "2026-08-15", 4), ("c", "2026-08-13", 8)):
        listing.terms[name] = listing.terms["acme"]
        fx = {"base": "EUR", "rate_date": day, "rates": {"USD": rate}}
        listing.offers[name] = {"fx": fx, "egress": {"price_per_gb": 0}}
    listing.offers["acme"]["object_storage"]["currency"] = "USD"
    assert listing.sites()["acme/de-fra1"].object_price_eur_per_gb_month == Decimal("0.005")


def test_a_currency_without_a_rate_is_a_defect(listing):
    listing.offers["acme"]["block_storage"]["currency"] = "GBP"
    assert listing.defects() == [
        (
            "normalized.json",
            "provider acme",
            "block_storage.currency",
            "there is no exchange rate for GBP in the list",
        )
    ]


@pytest.mark.parametrize(
    ("country", "exposed"), [("DE", False), ("NO", False), ("CH", True), ("GB", True), ("US", True)]
)
def test_third_countries_expose_and_the_list_says_nothing_of_parents(listing, country, exposed):
    listing.terms["acme"]["country"] = country
    operator = listing.operator()
    assert operator.extraterritorial_exposure is exposed
    assert operator.parent_jurisdiction == country
    assert operator.foreign_ownership_share is None


def test_a_provider_of_machines_only_serves_no_role(listing):
    listing.terms["acme"]["type"] = "vm-only"
    site = listing.only()
    assert site.serves_roles == ()
    assert (site.federation, site.mfa, site.customer_held_keys) == (False, False, False)
    assert Clause.PUBLIC_OWNERSHIP not in site.clauses


@pytest.mark.parametrize(("country", "under_eu_law"), [("DE", True), ("US", False)])
def test_managed_providers_sign_the_tender_but_only_eea_ones_eu_law(listing, country, under_eu_law):
    listing.terms["acme"]["country"] = country
    clauses = listing.only().clauses
    assert Clause.PUBLIC_OWNERSHIP in clauses
    assert (Clause.EU_LAW_AND_COURTS in clauses) is under_eu_law
    assert (Clause.STANDARD_CONTRACTUAL_CLAUSES in clauses) is not under_eu_law


@pytest.mark.parametrize(
    ("held", "clearance", "seal"),
    [(["C5"], Level.HIGH, 3), (["ISO27001"], Level.NORMAL, 2), ([], Level.OPEN, 1)],
)
def test_certificates_decide_clearance_and_seal(listing, held, clearance, seal):
    listing.terms["acme"]["certifications"] = held
    register = listing.register()
    assert {r.id: r for r in register.roles}["staff:acme"].clearance is clearance
    assert {s.id: s for s in register.sites}["acme/de-fra1"].seal_level == seal


def test_certificates_are_spelled_as_the_register_spells_them():
    until = date(2027, 1, 1)
    named = ["ISO 27001", "ISO/IEC 27017", "C5", "PCI-DSS", "Swiss Hosting", "SOC 2 Type II", "!"]
    detailed = ["BSI C5 Type 2", "PCI DSS v4.0"]
    assert certifications(named, detailed, until) == tuple(
        Certification(scheme=scheme, level=level, valid_until=until)
        for scheme, level in (
            ("C5", "Type 2"),
            ("ISO27001", None),
            ("ISO27017", None),
            ("PCI-DSS", "v4.0"),
            ("SOC2", None),
            ("SWISS-HOSTING", None),
        )
    )


@pytest.mark.parametrize(
    ("provider", "location", "country"),
    [
        ("ovh", "gra", "FR"),
        ("ovh", "de", "DE"),
        ("hetzner", "hel1", "FI"),
        ("aws", "eu-central-1", "DE"),
        ("azure", "westeurope", "NL"),
        ("cyso", "ge-fra", "DE"),
        ("any", "ge-tbs", "GE"),
        ("any", "de/fra", "DE"),
        ("any", "PT", "PT"),
        ("any", "uk", "GB"),
        ("any", "DE-HAM1", "DE"),
        ("any", "eu-at-1", "AT"),
        ("any", "kz-ala", "KZ"),
        ("any", "sa-east-1", None),
        ("any", "me-south-1", None),
        ("any", "eu-west-1", None),
        ("any", "eu", None),
        ("any", "gra", None),
        ("any", "zz-top", None),
        ("any", "de fra", None),
        ("any", "", None),
    ],
)
def test_a_location_has_a_country_only_where_something_says_so(provider, location, country):
    assert country_of(provider, location)[0] == country


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"locations": ["atlantis"]}, "locations", 'the country of "atlantis" is not known'),
        ({"locations": []}, "locations", "there is no location"),
        ({"country": "XX"}, "country", "a country code of two capital letters is expected"),
        ({"type": "magic"}, "type", "managed or vm-only is expected"),
        ({"certifications": [1]}, "certifications", "a text or a list of texts is expected, not 1"),
    ],
)
def test_what_the_list_must_say_is_a_defect_where_it_does_not(listing, change, field, message):
    listing.terms["acme"] |= change
    assert listing.defects() == [("providers.json", "provider acme", field, message)]


@pytest.mark.parametrize(
    ("price", "message"),
    [
        (-1, "a number from 0 to 1000000000 is expected, not -1"),
        ("0.1", 'a number is expected, not "0.1"'),
        (True, "a number is expected, not true"),
        (10**10, f"a number from 0 to 1000000000 is expected, not {10**10}"),
    ],
)
def test_an_impossible_price_is_a_defect(listing, price, message):
    listing.offers["acme"]["block_storage"]["price_per_gb_monthly"] = price
    place = "block_storage.price_per_gb_monthly"
    assert listing.defects() == [("normalized.json", "provider acme", place, message)]


def test_a_provider_without_prices_and_a_bad_id_are_defects(listing):
    listing.terms["b c"] = listing.terms["acme"]
    listing.offers["b c"] = {}
    listing.terms["city"] = listing.terms["acme"]
    listing.offers["city"] = {}
    listing.terms["gone"] = listing.terms["acme"]
    assert [(record, message) for _, record, _, message in listing.defects()] == [
        ("provider b c", "the provider's key is not a valid id"),
        ("provider city", "city is a municipal operator"),
        ("provider gone", "has no entry in normalized.json"),
    ]


@pytest.mark.parametrize("moment", [None, "", "yesterday", "9999-12-31", "0001-01-01", 7])
def test_without_a_date_nothing_can_be_dated(listing, moment):
    listing.last_updated = moment
    assert ("normalized.json", "", "last_updated") in [d[:3] for d in listing.defects()]


def test_a_location_that_makes_no_id_is_a_defect(listing):
    listing.terms["acme"]["locations"] = ["de-fra 1"]
    ((_, _, field, message),) = listing.defects()
    assert (field, message) == ("locations", '"de-fra 1" makes no valid id')


def test_no_providers_and_broken_files_are_defects(listing, tmp_path):
    listing.terms = {}
    assert [d[3] for d in listing.defects()] == ["there is no provider"]
    (tmp_path / "providers.json").write_text("[]")
    (tmp_path / "normalized.json").unlink()
    with pytest.raises(BadInput) as caught:
        load_register(tmp_path, "eu-cloud-prices")
    assert [d.message for d in caught.value.defects] == [
        "does not exist",
        "an object is expected, not a list of 0",
    ]


def test_the_import_is_a_valid_native_register(listing, tmp_path):
    register = listing.register()
    write_json(register, tmp_path / "native.json")
    assert load_register(tmp_path / "native.json") == register
