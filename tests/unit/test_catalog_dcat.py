from __future__ import annotations

import json
import socket
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from models import AccessRights, GdprCategory, Interface, Level
from placement.catalog import load_catalog, write_json
from placement.errors import BadInput

ROOT = Path(__file__).resolve().parents[2]
PREFIXES = """
@prefix dcat: <http://www.w3.org/ns/dcat#> .
@prefix dct: <http://purl.org/dc/terms/> .
@prefix foaf: <http://xmlns.com/foaf/0.1/> .
@prefix vcard: <http://www.w3.org/2006/vcard/ns#> .
@prefix dcatap: <http://data.europa.eu/r5r/> .
@prefix prov: <http://www.w3.org/ns/prov#> .
@prefix right: <http://publications.europa.eu/resource/authority/access-right/> .
@prefix : <https://city.example/data/> .
"""


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*arguments, **_):
        raise AssertionError(f"the network was asked: {arguments}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def _load(tmp_path, text, name="catalog.ttl"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_catalog(path, "dcat-ap")


def _turtle(tmp_path, body, name="catalog.ttl"):
    return _load(tmp_path, PREFIXES + body, name)


def _only(tmp_path, body):
    (dataset,) = _turtle(tmp_path, f":trees a dcat:Dataset ; {body} .").datasets
    return dataset


def _message(tmp_path, text, name):
    with pytest.raises(BadInput) as caught:
        _load(tmp_path, text, name)
    (defect,) = caught.value.defects
    assert defect.file == str(tmp_path / name)
    return defect.message


def test_what_a_dataset_says_of_itself_is_taken(tmp_path):
    dataset = _only(
        tmp_path,
        """dct:title "Trees"@en, "Bomen"@nl ; dct:description "All  of\\nthem" ;
        dct:accessRights right:PUBLIC ;
        dct:publisher [ a foaf:Agent ; foaf:name "Parks" ] ;
        dcat:contactPoint [ vcard:fn "Desk" ; vcard:hasEmail <mailto:parks@city.example> ] ;
        dcatap:applicableLegislation <http://data.europa.eu/eli/reg_impl/2023/138/oj> ;
        dcat:distribution [ dcat:byteSize 1500000000 ; dct:format "CSV" ],
            [ dcat:byteSize "500000001" ; dcat:accessService [ dct:title "WFS of trees" ] ]""",
    )
    assert (dataset.id, dataset.title, dataset.description) == ("trees", "Trees", "All of them")
    assert dataset.access_rights is AccessRights.PUBLIC
    assert (dataset.confidentiality, dataset.gdpr_category) == (Level.OPEN, GdprCategory.NONE)
    assert (dataset.owner_department, dataset.steward) == ("Parks", "parks@city.example")
    assert dataset.high_value
    assert dataset.volume_gb == 3
    assert dataset.interfaces == (Interface.WFS,)
    assert dataset.administrators == ("team:parks",)
    assert dataset.synthetic == ("monthly_read_gb", "monthly_egress_gb")


def test_without_a_size_the_volume_is_synthetic(tmp_path):
    dataset = _only(tmp_path, 'dct:title "Trees"')
    assert dataset.volume_gb >= 1
    assert dataset.synthetic == ("volume_gb", "monthly_read_gb", "monthly_egress_gb")
    assert dataset.interfaces == (Interface.HTTPS_FILES,)


CC_BY = "<https://creativecommons.org/licenses/by/4.0/>"


@pytest.mark.parametrize(
    ("body", "rights", "level"),
    [
        ("dct:accessRights right:RESTRICTED", AccessRights.RESTRICTED, Level.NORMAL),
        ("dct:accessRights right:NON_PUBLIC", AccessRights.NON_PUBLIC, Level.HIGH),
        ('dct:accessRights "non-public"', AccessRights.NON_PUBLIC, Level.HIGH),
        (f"dct:license {CC_BY}", AccessRights.PUBLIC, Level.OPEN),
        (f"dcat:distribution [ dct:license {CC_BY} ]", AccessRights.PUBLIC, Level.OPEN),
        ('dct:license "all rights reserved"', AccessRights.RESTRICTED, Level.NORMAL),
        ("dct:accessRights right:SOMETHING", AccessRights.RESTRICTED, Level.NORMAL),
        ('dct:title "Trees"', AccessRights.RESTRICTED, Level.NORMAL),
    ],
)
def test_access_is_public_only_where_stated_or_openly_licensed(tmp_path, body, rights, level):
    dataset = _only(tmp_path, body)
    assert (dataset.access_rights, dataset.confidentiality) == (rights, level)
    public = rights is AccessRights.PUBLIC
    assert dataset.gdpr_category is (GdprCategory.NONE if public else GdprCategory.PERSONAL)
    assert bool(dataset.readers) is not public


@pytest.mark.parametrize(("size", "gb"), [("0", 0), ("1", 1), ("1000000000", 1), ("1e9", 1)])
def test_bytes_are_rounded_up_to_gigabytes(tmp_path, size, gb):
    assert _only(tmp_path, f'dcat:distribution [ dcat:byteSize "{size}" ]').volume_gb == gb


@pytest.mark.parametrize("size", ["ten", "-1", "NaN", "1e99999", "9" * 19, ""])
def test_a_size_that_is_no_number_of_bytes_is_a_defect(tmp_path, size):
    with pytest.raises(BadInput) as caught:
        _only(tmp_path, f'dcat:distribution [ dcat:byteSize "{size}" ]')
    (defect,) = caught.value.defects
    assert (defect.record, defect.field) == ("dataset trees", "dcat:byteSize")


def test_sizes_that_add_up_to_a_mistake_are_a_defect(tmp_path):
    sizes = ", ".join('[ dcat:byteSize "1000000000000000000" ]' for _ in range(3))
    with pytest.raises(BadInput, match="3000000000000000000"):
        _only(tmp_path, f"dcat:distribution {sizes}")


def test_ids_come_from_uris_and_do_not_depend_on_order(tmp_path):
    body = """<https://a.example/x/trees> a dcat:Dataset .
    <https://b.example/y/trees> a dcat:Dataset .
    <https://a.example/x/b%C3%A4ume> a dcat:Dataset .
    <https://a.example/x#roads> a dcat:Dataset ."""
    ids = [dataset.id for dataset in _turtle(tmp_path, body).datasets]
    assert "roads" in ids
    assert len(set(ids)) == 4
    assert sorted(i.partition("-")[0] for i in ids) == ["b", "roads", "trees", "trees"]
    backwards = "\n".join(reversed(body.splitlines()))
    assert [d.id for d in _turtle(tmp_path, backwards).datasets] == ids


def test_blank_datasets_have_stable_ids_from_what_they_say(tmp_path):
    body = '[] a dcat:Dataset ; dct:title "Trees" . [] a dcat:Dataset ; dct:title "Roads" .'
    first = [(d.id, d.title) for d in _turtle(tmp_path, body).datasets]
    assert first == [(d.id, d.title) for d in _turtle(tmp_path, body).datasets]
    assert len({name for name, _ in first}) == 2
    with pytest.raises(BadInput, match="same identifier and title"):
        _turtle(tmp_path, '[] a dcat:Dataset . [] a dcat:Dataset ; dcat:keyword "x" .')


def test_listed_datasets_are_read_even_without_a_type(tmp_path):
    catalog = _turtle(
        tmp_path,
        """:c a dcat:Catalog ; dct:title "City" ; dcat:dataset :trees, :gone .
        :trees dct:title "Trees" .""",
    )
    assert [d.id for d in catalog.datasets] == ["trees"]
    assert catalog.municipality == "City"
    assert any("listed but not described here" in line for line in catalog.assumptions)


def test_lineage_inside_the_catalogue_is_kept(tmp_path):
    catalog = _turtle(
        tmp_path,
        """:a a dcat:Dataset ; prov:wasDerivedFrom :b, :a, :elsewhere .
        :b a dcat:Dataset ; dct:source :c . :c a dcat:Dataset .""",
    )
    assert {(r.derived, r.source) for r in catalog.relations} == {("a", "b"), ("b", "c")}
    assert all(r.monthly_transfer_gb > Decimal(0) for r in catalog.relations)


@pytest.mark.parametrize(
    ("body", "country"),
    [("dct:language <http://x.example/language/ITA>", "IT"), ('dct:language "en"', None)],
)
def test_the_language_says_where_people_work_or_nothing_does(tmp_path, body, country):
    catalog = _turtle(tmp_path, f":trees a dcat:Dataset ; {body} .")
    assert {role.country for role in catalog.roles} == {country}
    assert any(line.startswith("roles: country") for line in catalog.assumptions)


XML = """<?xml version="1.0"?>{doctype}
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
 xmlns:dcat="http://www.w3.org/ns/dcat#" xmlns:dct="http://purl.org/dc/terms/">
 <dcat:Dataset rdf:about="relative-id"><dct:title>{title}</dct:title></dcat:Dataset>
</rdf:RDF>"""
JSON_LD = {
    "@context": {"dcat": "http://www.w3.org/ns/dcat#", "dct": "http://purl.org/dc/terms/"},
    "@id": "https://city.example/trees",
    "@type": "dcat:Dataset",
    "dct:title": "Trees",
}


@pytest.mark.parametrize("name", ["a.rdf", "a.xml", "a.unknown"])
def test_rdf_xml_is_read_by_suffix_or_by_looking(tmp_path, name):
    (dataset,) = _load(tmp_path, XML.format(doctype="", title="Trees"), name).datasets
    assert (dataset.id, dataset.title) == ("relative-id", "Trees")


@pytest.mark.parametrize("name", ["a.jsonld", "a.json", "a"])
def test_json_ld_is_read_by_suffix_or_by_looking(tmp_path, name):
    (dataset,) = _load(tmp_path, json.dumps(JSON_LD), name).datasets
    assert (dataset.id, dataset.title) == ("trees", "Trees")


def test_named_graphs_are_read_as_one(tmp_path):
    inner = {key: value for key, value in JSON_LD.items() if key != "@context"}
    document = {"@context": JSON_LD["@context"], "@id": "https://g.example/", "@graph": [inner]}
    (dataset,) = _load(tmp_path, json.dumps(document), "a.jsonld").datasets
    assert (dataset.id, dataset.title) == ("trees", "Trees")


@pytest.mark.parametrize("name", ["a.ttl", "a"])
def test_turtle_is_read_by_suffix_or_by_default(tmp_path, name):
    assert _turtle(tmp_path, ":trees a dcat:Dataset .", name).datasets[0].id == "trees"


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>',
        '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE x SYSTEM "http://evil.example/x.dtd">',
        "<!DOCTYPE x>",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_document_types_are_refused_in_any_encoding(tmp_path, doctype, encoding):
    text = XML.format(doctype=doctype, title="Trees")
    assert "document type" in _message(tmp_path, text.encode(encoding), "a.rdf")


@pytest.mark.parametrize(
    "context",
    [
        "https://www.w3.org/ns/dcat.jsonld",
        ["https://evil.example/x"],
        "/etc/passwd",
        {"@import": "https://evil.example/x"},
        {"dct:title": {"@id": "dct:title", "@context": "https://evil.example/x"}},
    ],
)
def test_a_context_elsewhere_is_refused_and_never_fetched(tmp_path, context):
    document = json.dumps(JSON_LD | {"@context": context})
    assert "@context elsewhere" in _message(tmp_path, document, "a.jsonld")


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("<rdf:RDF", "a.rdf"),
        ("<a/><b/>", "a.xml"),
        ("<?xml version='1.0'?><a><b></a>", "a.rdf"),
        ("@prefix x: <y", "a.ttl"),
        (":a :b :c .", "a.ttl"),
        ("\x00\x01", "a.ttl"),
        (b"\xff\xfe\xff", "a.nt"),
        ("not triples", "a.nt"),
        ("{", "a.jsonld"),
        ('{"a": NaN}', "a.jsonld"),
        ('{"@context": {"@vocab": 7}, "a": 1}', "a.jsonld"),
        ("[" * 100_000, "a.jsonld"),
        ("[" * 100_000, "a.ttl"),
        ("(" * 100_000, "a.ttl"),
        ("<a>" * 50_000, "a.rdf"),
        ("", "a.rdf"),
        ("7", "a.json"),
        (XML.format(doctype="", title="x").replace("dcat:Dataset", "dct:Other"), "a.rdf"),
    ],
)
def test_what_is_no_catalogue_is_one_clear_defect(tmp_path, content, name):
    message = _message(tmp_path, content, name)
    assert message.isprintable()
    assert len(message) < 300


def test_rdflib_is_not_imported_before_it_is_needed():
    code = "import sys, placement.catalog; sys.exit('rdflib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT).returncode == 0


def test_the_import_is_a_valid_native_catalogue(tmp_path):
    catalog = _turtle(
        tmp_path,
        ':a a dcat:Dataset ; dct:title "x\\u001b[2Jy" ; dct:source :b . :b a dcat:Dataset .',
    )
    assert catalog.datasets[0].title == "x [2Jy"
    write_json(catalog, tmp_path / "native.json")
    assert load_catalog(tmp_path / "native.json") == catalog
