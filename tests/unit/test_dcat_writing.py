"""DCAT-AP out: what is written conforms to the specification, and reads back as it was."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest

from models import AccessRights, DerivedFrom, Distribution
from placement.catalog import load_catalog
from placement.catalog.dcat.writing import dcat_ap
from placement.errors import BadInput
from tests import builders
from tests.dcat_cases import SUFFIXES, kept, violations

ROOT = Path(__file__).resolve().parents[2]
CC_BY = "https://creativecommons.org/licenses/by/4.0/"


def _city():
    return builders.catalog(
        builders.dataset(
            "a/b:c",
            title='Trees & <b>parks</b> "é"',
            description="All\nof them",
            owner_department="Parks",
            steward="parks@city.example",
            access_rights=AccessRights.PUBLIC,
            high_value=True,
            uri="https://city.example/data/trees",
            licences=(CC_BY, "MIT OR ISC"),
            distributions=(
                Distribution(
                    title="A table",
                    access_url="https://city.example/trees page",
                    download_url="https://city.example/trees.csv",
                    format="CSV",
                    licence="own terms, see file",
                ),
                Distribution(download_url="https://city.example/x", format="https://f.example/1"),
                Distribution(format="WFS"),
            ),
        ),
        builders.dataset("b", access_rights=None, steward="The desk", owner_department=None),
        builders.dataset("c", access_rights=AccessRights.NON_PUBLIC, uri="not an iri"),
        relations=(DerivedFrom(derived="b", source="a/b:c"),),
    )


def _placements(catalog, register):
    return {dataset.id: [site.id for site in register.sites] for dataset in catalog.datasets}


def _written(serialization="turtle", catalog=None):
    catalog, register = catalog or _city(), builders.register()
    return dcat_ap(catalog, register, _placements(catalog, register), serialization=serialization)


def _read(tmp_path, text, suffix):
    path = tmp_path / f"catalog{suffix}"
    path.write_text(text, encoding="utf-8")
    return load_catalog(path, "dcat-ap")


@pytest.mark.parametrize("serialization", SUFFIXES)
def test_every_serialization_conforms_to_the_shapes(serialization):
    assert violations(_written(serialization), serialization) == ""


@pytest.mark.parametrize("serialization", SUFFIXES)
def test_what_is_written_reads_back(tmp_path, serialization):
    first = _read(tmp_path, _written(serialization), SUFFIXES[serialization])
    assert [d.id for d in first.datasets] == ["a/b:c", "b", "c"]
    trees = first.datasets[0]
    city = _city().datasets[0]
    assert trees.title == city.title
    assert set(trees.licences) == set(city.licences)
    assert trees.owner_department == "Parks"
    assert trees.steward == "parks@city.example"
    assert trees.high_value
    assert trees.uri == "https://city.example/data/trees"
    assert trees.volume_gb == city.volume_gb
    assert trees.distributions[0] == city.distributions[0].model_copy(
        update={"access_url": "https://city.example/trees%20page"}
    )
    assert [(r.derived, r.source) for r in first.relations] == [("b", "a/b:c")]
    assert first.municipality == _city().municipality
    again = _read(tmp_path, _written(serialization, first), SUFFIXES[serialization])
    assert kept(again) == kept(first)


def test_each_placement_is_a_distribution_at_its_sites_service():
    import rdflib

    graph = rdflib.Graph().parse(data=_written(), format="turtle")
    found = graph.query(
        """PREFIX dcat: <http://www.w3.org/ns/dcat#> PREFIX dct: <http://purl.org/dc/terms/>
        SELECT ?dataset ?site ?bytes WHERE {
          ?d a dcat:Dataset ; dct:identifier ?dataset ; dcat:distribution ?x .
          ?x dcat:accessService ?s ; dcat:byteSize ?bytes .
          ?s a dcat:DataService ; dct:identifier ?site ; dcat:servesDataset ?d .
        }"""
    )
    register = builders.register()
    volumes = {d.id: d.volume_gb * 10**9 for d in _city().datasets}
    assert {tuple(map(str, cast("Any", row))) for row in found} == {
        (name, site.id, str(size)) for name, size in volumes.items() for site in register.sites
    }


def test_nothing_is_placed_without_placements():
    text = dcat_ap(_city())
    assert "DataService" not in text
    assert violations(text) == ""


def test_a_base_of_ones_own_stands_before_what_has_no_iri(tmp_path):
    text = dcat_ap(_city(), base="https://data.city.example/")
    assert "<https://data.city.example/dataset/b>" in text
    assert "<https://city.example/data/trees>" in text
    assert violations(text) == ""
    assert [d.id for d in _read(tmp_path, text, ".ttl").datasets] == ["a/b:c", "b", "c"]


def test_two_datasets_with_one_iri_stay_two(tmp_path):
    same = {"uri": "https://city.example/same", "title": "x"}
    catalog = builders.catalog(builders.dataset("a", **same), builders.dataset("b", **same))
    assert [d.id for d in _read(tmp_path, dcat_ap(catalog), ".ttl").datasets] == ["a", "b"]


@pytest.mark.parametrize("serialization", SUFFIXES)
def test_equal_catalogues_have_equal_texts(serialization):
    code = (
        "import sys; from tests.unit.test_dcat_writing import _written;"
        "sys.stdout.reconfigure(encoding='utf-8');"
        f"sys.stdout.write(_written({serialization!r}))"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", code],
            check=True,
            capture_output=True,
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(texts) == 1


def _spoilt(old, new):
    text = _written()
    assert old in text
    return text.replace(old, new)


@pytest.mark.parametrize(
    ("old", "new", "about"),
    [
        ("dcat:accessURL", "dcat:landingPage", "accessURL"),
        ("dcat:endpointURL", "dcat:landingPage", "endpointURL"),
        ("foaf:name", "foaf:nick", "foaf:name"),
        ("dct:publisher", "dct:contributor", "publisher"),
        ("dct:title", "dct:alternative", "title"),
        ("dct:description", "dct:abstract", "description"),
        ("access-right/PUBLIC", "access-right/EVERYBODY", "AccessRight"),
        ("a dct:LicenseDocument", "a dct:Policy", "LicenseDocument"),
        ("a dcat:DataService", "a dcat:Resource", "DataService"),
        ("^^xsd:nonNegativeInteger", "^^xsd:string", "nonNegativeInteger"),
    ],
)
def test_the_shapes_refuse_what_the_specification_does(old, new, about):
    assert about in violations(_spoilt(old, new))


def test_recommended_properties_that_are_missing_are_warnings():
    text = dcat_ap(builders.catalog(builders.dataset("a", owner_department=None)))
    assert violations(text) == ""
    assert "publisher" in violations(text, warn=True)


@pytest.mark.parametrize("name", ["", "é", "-x", "b"])
def test_our_own_form_has_to_name_each_dataset(tmp_path, name):
    text = _written().replace('dct:identifier "c"', f'dct:identifier "{name}"')
    with pytest.raises(BadInput) as caught:
        _read(tmp_path, text, ".ttl")
    (defect,) = caught.value.defects
    assert defect.field == "dct:identifier"
