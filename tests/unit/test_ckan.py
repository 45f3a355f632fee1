from __future__ import annotations

import json

import pytest

from models import AccessRights, Distribution, GdprCategory, Interface, Level
from placement.catalog import load_catalog, write_json
from placement.errors import BadInput


def package(name="trees", **more):
    return {
        "id": f"id-{name}",
        "name": name,
        "title": "Trees",
        "notes": "All  of\nthem",
        "private": False,
        "state": "active",
        "type": "dataset",
        "license_id": "cc-by",
        "license_title": "Creative Commons Attribution",
        "organization": {"name": "parks", "title": "Parks"},
        "maintainer": "Desk",
        "maintainer_email": "parks@city.example",
        "resources": [
            {"name": "A table", "url": "https://x.example/a.csv", "format": "CSV", "size": 1500},
        ],
        "extras": [],
        "tags": [{"name": "green"}],
    } | more


def load(tmp_path, document):
    path = tmp_path / "ckan.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return load_catalog(path, "ckan")


def only(tmp_path, **more):
    (dataset,) = load(tmp_path, [package(**more)]).datasets
    return dataset


def defects(tmp_path, document):
    with pytest.raises(BadInput) as caught:
        load(tmp_path, document)
    return [(d.record, d.field, d.message) for d in caught.value.defects]


def test_what_a_package_says_is_taken(tmp_path):
    dataset = only(tmp_path)
    assert (dataset.id, dataset.title, dataset.description) == ("trees", "Trees", "All of them")
    assert (dataset.owner_department, dataset.steward) == ("Parks", "parks@city.example")
    assert dataset.access_rights is AccessRights.PUBLIC
    assert (dataset.confidentiality, dataset.gdpr_category) == (Level.OPEN, GdprCategory.NONE)
    assert dataset.licences == ("cc-by",)
    assert dataset.distributions == (
        Distribution(title="A table", access_url="https://x.example/a.csv", format="CSV"),
    )
    assert dataset.volume_gb == 1
    assert dataset.administrators == ("team:parks",)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda p: {"success": True, "result": p},
        lambda p: {"success": True, "result": {"count": 1, "results": [p]}},
        lambda p: {"success": True, "result": [p]},
        lambda p: {"count": 1, "results": [p]},
        lambda p: [p],
        lambda p: p,
    ],
    ids=["package_show", "package_search", "current_package_list", "search result", "list", "one"],
)
def test_every_answer_of_ckan_is_read(tmp_path, wrap):
    assert [d.id for d in load(tmp_path, wrap(package())).datasets] == ["trees"]


RIGHT = "http://publications.europa.eu/resource/authority/access-right/"


@pytest.mark.parametrize(
    ("said", "rights"),
    [
        ({"private": False}, AccessRights.PUBLIC),
        ({"private": True}, AccessRights.NON_PUBLIC),
        ({"private": None, "license_id": "cc-by"}, AccessRights.PUBLIC),
        ({"private": None, "license_id": "EUPL-1.2"}, AccessRights.PUBLIC),
        ({"private": None, "license_id": "cc-by-nc"}, AccessRights.RESTRICTED),
        ({"private": None, "license_id": "CC-BY-NC-4.0"}, AccessRights.RESTRICTED),
        ({"private": None, "license_id": "notspecified"}, AccessRights.RESTRICTED),
        ({"private": None, "license_id": None}, AccessRights.RESTRICTED),
        ({"access_rights": f"{RIGHT}RESTRICTED"}, AccessRights.RESTRICTED),
        (
            {"extras": [{"key": "access_rights", "value": "non-public"}]},
            AccessRights.NON_PUBLIC,
        ),
        ({"private": True, "access_rights": f"{RIGHT}PUBLIC"}, AccessRights.NON_PUBLIC),
        ({"private": True, "access_rights": f"{RIGHT}RESTRICTED"}, AccessRights.RESTRICTED),
    ],
)
def test_access_follows_what_is_stated_then_the_flag_then_the_licence(tmp_path, said, rights):
    assert only(tmp_path, **{"license_title": None} | said).access_rights is rights


def test_a_licence_is_its_address_or_its_id_or_its_title(tmp_path):
    assert only(tmp_path, license_url="https://l.example/").licences == ("https://l.example/",)
    assert only(tmp_path, license_id=None).licences == ("Creative Commons Attribution",)
    assert only(tmp_path, license_id=None, license_title=None).licences == ()


@pytest.mark.parametrize(
    ("sizes", "gb"),
    [([1], 1), (["1000000001"], 2), ([10**9, 10**9], 2), ([10**9, "1.2 MB"], 1), ([0], 0)],
)
def test_sizes_add_up_and_unclear_ones_do_not_count(tmp_path, sizes, gb):
    assert only(tmp_path, resources=[{"size": size} for size in sizes]).volume_gb == gb


@pytest.mark.parametrize("size", [None, "", "big", -1, 10**20, True, [1]])
def test_without_a_clear_size_the_volume_is_synthetic(tmp_path, size):
    assert "volume_gb" in only(tmp_path, resources=[{"size": size}]).synthetic


def test_extras_name_an_iri_high_value_and_interfaces_come_from_formats(tmp_path):
    dataset = only(
        tmp_path,
        extras=[
            {"key": "uri", "value": "https://city.example/trees"},
            {"key": "hvd_category", "value": "http://data.europa.eu/bna/c_dd313021"},
        ],
        resources=[{"format": "WFS"}, {"format": "CSV"}],
    )
    assert dataset.uri == "https://city.example/trees"
    assert dataset.high_value
    assert dataset.interfaces == (Interface.WFS,)


def test_what_derives_from_another_package_is_a_relation(tmp_path):
    derived = package("shade", relationships_as_subject=[
        {"type": "derives_from", "object": "trees"},
        {"type": "links_to", "object": "roads"},
        {"type": "derives_from", "object": "elsewhere"},
    ])  # fmt: skip
    catalog = load(tmp_path, [package(), derived, package("roads")])
    assert [(r.derived, r.source) for r in catalog.relations] == [("shade", "trees")]


def test_names_that_are_no_ids_become_ids_of_their_own(tmp_path):
    first, second = load(tmp_path, [package("bäume"), package("b ume")]).datasets
    assert first.id != second.id


def test_what_is_left_out_or_assumed_is_listed(tmp_path):
    catalog = load(
        tmp_path, [package(), package("old", state="deleted"), package("h", type="harvest")]
    )
    assert [d.id for d in catalog.datasets] == ["trees"]
    listed = "\n".join(catalog.assumptions)
    assert "packages: not active, or no datasets, left out (2 datasets: old, h)." in listed
    assert "tags, groups: not kept" in listed
    assert "by CKAN's private flag" in listed


def test_the_import_is_a_valid_native_catalogue(tmp_path):
    catalog = load(tmp_path, [package(), package("b", private=True, organization=None)])
    write_json(catalog, tmp_path / "native.json")
    assert load_catalog(tmp_path / "native.json") == catalog


@pytest.mark.parametrize(
    ("document", "field", "message"),
    [
        ({"success": False, "error": {"message": "no"}}, "success", "error"),
        ({"success": "yes", "result": []}, "success", "error"),
        ({"success": True, "result": 7}, "result", "a package or a list"),
        ({"success": True}, "result", "a package or a list"),
        ([], "result", "no package"),
        ({"success": True, "result": ["trees"]}, "", "a name alone"),
        ([7], "", "an object is expected"),
        ([{}], "name", "is missing"),
        ([package(name=7, id=None)], "name", "a text is expected"),
        ([package(), package()], "name", "earlier package"),
        ([package(private="yes")], "private", "true or false"),
        ([package(title=["x"])], "title", "a text is expected"),
        ([package(organization="parks")], "organization", "an object is expected"),
        ([package(resources={})], "resources", "a list is expected"),
        ([package(resources=[7])], "resources.1", "an object is expected"),
        ([package(resources=[{"url": 7}])], "resources.1.url", "a text is expected"),
        ([package(state="deleted")], "result", "no dataset to place"),
        ("{", "", "is not JSON"),
        ("[" * 100_000, "", "nested too deeply"),
    ],
)
def test_what_is_no_answer_of_ckan_is_a_defect_with_its_place(tmp_path, document, field, message):
    found = defects(tmp_path, document)
    assert any(field == f and message in m for _, f, m in found), found
