"""What is exported as DCAT-AP conforms, and an import of it is the catalogue that was exported."""

from __future__ import annotations

import itertools
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from models import AccessRights, DerivedFrom, Distribution
from placement.catalog import load_catalog
from placement.catalog.dcat.writing import dcat_ap
from tests import builders
from tests.dcat_cases import SUFFIXES, kept, violations

REGISTER = builders.register()
ids = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,20}", fullmatch=True)
awkward = st.sampled_from(
    [
        "<b>&amp;",
        '"quoted"',
        "back\\slash",
        "'''",
        '"""',
        "é\u2028ß",
        "]]>",
        "{}",
        "@en",
        "a:b",
        "%",
    ]
)
texts = st.text(min_size=1, max_size=20).filter(str.strip) | awkward
licences = st.sampled_from(
    ["https://creativecommons.org/licenses/by/4.0/", "EUPL-1.2", "MIT OR ISC", "own terms", "x:y z"]
)
addresses = st.sampled_from(
    ["https://city.example/a.csv", "https://city.example/a b?q=<x>", "a/b", "mailto:x@y.example"]
) | texts.map(lambda text: text.strip())
distributions = st.builds(
    Distribution,
    title=st.none() | texts,
    access_url=st.none() | addresses,
    download_url=st.none() | addresses,
    format=st.none() | texts | st.sampled_from(["CSV", "https://f.example/CSV"]),
    licence=st.none() | licences,
)


@st.composite
def catalogs(draw):
    names = draw(st.lists(ids, min_size=1, max_size=4, unique=True))
    datasets = [
        builders.dataset(
            name,
            title=draw(texts),
            description=draw(st.just("") | texts),
            owner_department=draw(st.none() | texts),
            steward=draw(st.none() | texts | st.just("desk@city.example")),
            access_rights=draw(st.sampled_from(AccessRights)),
            high_value=draw(st.booleans()),
            uri=draw(st.none() | st.sampled_from(["https://city.example/1", "urn:x:2", "no iri"])),
            licences=tuple(draw(st.lists(licences, max_size=3, unique=True))),
            distributions=tuple(draw(st.lists(distributions, max_size=3))),
        )
        for name in names
    ]
    ordered = [DerivedFrom(derived=b, source=a) for a, b in itertools.pairwise(names)]
    return builders.catalog(*datasets, relations=tuple(ordered))


@settings(max_examples=40)
@given(catalogs(), st.sampled_from(sorted(SUFFIXES)))
def test_an_export_conforms_and_comes_back(catalog, serialization):
    placements = {d.id: [site.id for site in REGISTER.sites] for d in catalog.datasets}

    def through(what):
        text = dcat_ap(what, REGISTER, placements, serialization=serialization)
        assert violations(text, serialization) == ""
        with TemporaryDirectory() as folder:
            path = Path(folder) / f"catalog{SUFFIXES[serialization]}"
            path.write_text(text, encoding="utf-8")
            return load_catalog(path, "dcat-ap")

    first = through(catalog)
    given_by_id = {d.id: d for d in catalog.datasets}
    assert {d.id for d in first.datasets} == given_by_id.keys()
    for dataset in first.datasets:
        before = given_by_id[dataset.id]
        assert dataset.access_rights is before.access_rights
        assert dataset.high_value is before.high_value
        assert dataset.volume_gb == before.volume_gb
        assert {licence.strip() for licence in before.licences} == set(dataset.licences)
    assert {(r.derived, r.source) for r in first.relations} == {
        (r.derived, r.source) for r in catalog.relations
    }
    again = through(first)
    assert kept(again) == kept(first)
    assert again.municipality == first.municipality
    assert [d.uri for d in again.datasets] == [d.uri for d in first.datasets]
