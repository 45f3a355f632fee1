"""Whatever stands in a foreign catalogue, the answer is a valid model or a list of defects."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from placement.catalog import load_catalog, load_register, write_json
from placement.errors import BadInput
from tests.catalog_cases import City, Listing

awkward = [
    "", " ", "a b", "é", "../x", "/etc/passwd", "x" * 600, "x" * 198, "NaN", "unlimited", "5.1 2e",
    "OPENBAAR", "PCI DSS v" + "1" * 60, "C5 Type 2", "de-fra", "de-" + "x" * 300, "\x1b[2J", "USD",
    "9999-12-31", "FP/MDW", 10**30, -1, 0.1, 1e300, True,
]  # fmt: skip
scalars = st.none() | st.sampled_from(awkward) | st.integers() | st.floats() | st.text(max_size=5)
keys = st.sampled_from(["id", "$ref", "auth", "name", "tiers", "properties", "x"])
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)


def _places(document, path=()):
    members = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in members:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from _places(value, (*path, key))


def _spoilt(data, document):
    """The document with one to three values replaced, dropped or renamed."""
    document = copy.deepcopy(document)
    for _ in range(data.draw(st.integers(1, 3))):
        places = list(_places(document))
        if not places:
            break
        path = data.draw(st.sampled_from(places))
        parent = document
        for key in path[:-1]:
            parent = parent[key]
        change = data.draw(st.sampled_from(["replace", "drop", "rename"]))
        value = parent.pop(path[-1]) if change != "replace" else None
        if change == "replace":
            parent[path[-1]] = data.draw(values)
        elif change == "rename" and isinstance(parent, dict):
            parent[str(data.draw(st.sampled_from(awkward)))] = value
    return document


def _loaded(load):
    """What was loaded, and the defects if nothing was."""
    try:
        return load(), ()
    except BadInput as error:
        return None, error.defects


def _answers(load, reload):
    loaded, defects = _loaded(load)
    if loaded is None:
        assert defects
        assert all(str(defect).isprintable() for defect in defects)
        return
    with TemporaryDirectory() as folder:
        path = Path(folder) / "native.json"
        write_json(loaded, path)
        assert reload(path) == loaded


FILES = (
    "datasets/trees/dataset.json",
    "datasets/trees/t/v1.json",
    "publishers/MOBI.json",
    "scopes/MOBI/fp_mdw.json",
    "profiles/p.json",
)


@given(st.data())
def test_any_city_in_amsterdams_form_is_answered(data):
    with TemporaryDirectory() as folder:
        city = City(Path(folder))
        city.dataset(
            auth=["FP/MDW"],
            reasonsNonPublic=["5.1 2e: x", "nader te bepalen"],
            contactPoint={"email": "x@city.example"},
            table={
                "derivedFrom": ["other:t"],
                "schema": {"properties": {"a": {"auth": "HR/R", "items": {"properties": {}}}}},
            },
            version={"exports": [{"name": "x"}]},
        )
        city.dataset("other")
        profile = {"id": "p", "scopes": ["HR/R"], "datasets": {"trees": {"tables": {}}}}
        city.put("profiles/p.json", profile)
        path = city.root / data.draw(st.sampled_from(FILES))
        path.write_text(json.dumps(_spoilt(data, json.loads(path.read_text()))))
        _answers(city.catalog, load_catalog)


@given(st.data())
def test_any_price_list_is_answered(data):
    with TemporaryDirectory() as folder:
        listing = Listing(Path(folder))
        listing.terms["acme"]["certifications"] = ["C5", "PCI-DSS", "Swiss Hosting"]
        listing.offers["acme"] |= {
            "certifications": ["BSI C5 Type 2"],
            "fx": {"base": "EUR", "rate_date": "2026-08-14", "rates": {"USD": 1.1}},
            "object_storage": {"currency": "USD", "price_per_tb_monthly": 20, "type": "S3"},
            "block_storage": {"tiers": {"a": {"price_per_gb_monthly": 0.1}}},
        }
        if data.draw(st.booleans()):
            listing.terms = _spoilt(data, listing.terms)
        else:
            listing.offers = _spoilt(data, listing.offers)
        if data.draw(st.integers(0, 9)) == 0:
            listing.last_updated = data.draw(scalars)
        _answers(listing.register, load_register)


TURTLE = """@prefix dcat: <http://www.w3.org/ns/dcat#> .
@prefix dct: <http://purl.org/dc/terms/> .
@prefix foaf: <http://xmlns.com/foaf/0.1/> .
<https://city.example/trees> a dcat:Dataset ; dct:title "Trees"@en ;
  dct:accessRights <http://publications.europa.eu/resource/authority/access-right/RESTRICTED> ;
  dct:publisher [ foaf:name "Parks" ] ; dct:source <https://city.example/roads> ;
  dcat:distribution [ dcat:byteSize 1500000000 ; dct:format "CSV" ] .
<https://city.example/roads> a dcat:Dataset ; dct:license <http://example.org/CC0> .
"""
pieces = st.sampled_from(
    ["<", ">", '"', ".", ";", "[", "]", "(", ")", "a", "@en", "999999999999999999999", "\\u0007",
     "<x y>", "_:b", "dcat:Dataset", "dct:title", "\x00", "\ufffe", "é", "\n", " "]
)  # fmt: skip


@given(st.data())
def test_any_turtle_is_answered(data):
    text = TURTLE
    for _ in range(data.draw(st.integers(1, 5))):
        start = data.draw(st.integers(0, len(text)))
        end = start + data.draw(st.integers(0, 20))
        text = text[:start] + data.draw(pieces) + text[end:]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "catalog.ttl"
        path.write_text(text)
        _answers(lambda: load_catalog(path, "dcat-ap"), load_catalog)
