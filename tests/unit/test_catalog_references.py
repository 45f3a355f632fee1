from __future__ import annotations

import pytest

from placement.catalog import check_references
from placement.errors import BadInput
from tests import builders


def _check(catalog, register):
    check_references(catalog, register, catalog_file="city.json", register_file="sites.json")


def _defects(catalog, register):
    with pytest.raises(BadInput) as caught:
        _check(catalog, register)
    return [(d.file, d.record, d.field, d.message) for d in caught.value.defects]


def test_roles_may_stand_in_either_file():
    register = builders.register(
        builders.site(administrators=("staff",)), roles=(builders.role("staff"),)
    )
    _check(builders.catalog(), register)


def test_a_role_may_stand_in_both_files_if_it_is_the_same():
    same = builders.role()
    _check(builders.catalog(roles=(same,)), builders.register(roles=(same,)))
    other = builders.role(country="US", title="Somebody else")
    assert _defects(builders.catalog(roles=(same,)), builders.register(roles=(other,))) == [
        (
            "sites.json",
            "role registrar",
            field,
            "differs from the role of the same id in the catalogue",
        )
        for field in ("country", "title")
    ]


def test_every_dangling_reference_between_the_files_is_reported():
    catalog = builders.catalog(
        builders.dataset("a", readers=("x",), writers=("y",), administrators=("z",)),
        builders.dataset("b", current_site="moon"),
        roles=(builders.role(workplace_sites=("mars",)),),
    )
    register = builders.register(
        builders.site(administrators=("w",), serves_roles=("*", "v")),
        roles=(builders.role("staff", workplace_sites=("venus", "townhall")),),
    )
    assert _defects(catalog, register) == [
        ("city.json", "dataset a", "administrators", "there is no role z"),
        ("city.json", "dataset a", "readers", "there is no role x"),
        ("city.json", "dataset a", "writers", "there is no role y"),
        ("city.json", "dataset b", "current_site", "there is no site moon"),
        ("city.json", "role registrar", "workplace_sites", "there is no site mars"),
        ("sites.json", "role staff", "workplace_sites", "there is no site venus"),
        ("sites.json", "site townhall", "administrators", "there is no role w"),
        ("sites.json", "site townhall", "serves_roles", "there is no role v"),
    ]
