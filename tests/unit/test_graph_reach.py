from __future__ import annotations

import pytest

from models import Role
from placement.graph import Right, role_reach, unreachable
from tests import builders


def reach(site_changes=None, placements=None, **dataset_changes):
    fields = {"readers": ("clerk",), "writers": ("registrar",), "administrators": ("dba",)}
    catalog = builders.catalog(
        builders.dataset("permits", **(fields | dataset_changes)),
        roles=tuple(Role(id=i, title=i) for i in ("clerk", "registrar", "dba")),
    )
    register = builders.register(
        builders.site("townhall", administrators=("root",), **(site_changes or {})),
        builders.site("cloud", operator="cloudco", administrators=()),
    )
    return role_reach(catalog, register, placements or {"permits": ("townhall",)})


def test_every_role_reaches_its_dataset_by_its_right_and_administrators_reach_it_anyway():
    assert [(r.right, r.role, r.granted) for r in reach()] == [
        (Right.ADMINISTER, "dba", True),
        (Right.OPERATE, "root", True),
        (Right.READ, "clerk", True),
        (Right.WRITE, "registrar", True),
    ]


@pytest.mark.parametrize(
    ("changes", "hindrance"),
    [
        ({"federation": False}, "identity federation"),
        ({"federation": None}, "identity federation"),
        ({"mfa": False}, "second factor"),
        ({"mfa": None}, "second factor"),
        ({"serves_roles": ("registrar", "dba")}, "does not serve the role"),
    ],
)
def test_what_the_site_lacks_or_does_not_say_keeps_a_role_out(changes, hindrance):
    found = {r.right: r for r in reach(changes)}
    assert not found[Right.READ].granted
    assert hindrance in found[Right.READ].hindrances[0]
    assert found[Right.OPERATE].granted


def test_a_role_without_a_way_is_unreachable():
    found = unreachable(reach({"serves_roles": ("registrar", "dba")}))
    assert [(r.role, r.dataset, r.right) for r in found] == [("clerk", "permits", Right.READ)]


def test_one_replica_that_serves_the_role_is_enough():
    both = {"permits": ("townhall", "cloud")}
    assert unreachable(reach({"mfa": False}, placements=both)) == ()


def test_a_way_to_read_is_no_way_to_write():
    found = reach({"serves_roles": ()}, readers=("clerk",), writers=("clerk",))
    assert {r.right for r in unreachable(found)} == {Right.READ, Right.WRITE, Right.ADMINISTER}


def test_only_placed_datasets_are_looked_at_and_unknown_ones_refused():
    assert reach(placements={"permits": ()}) == ()
    with pytest.raises(KeyError):
        reach(placements={"elsewhere": ("townhall",)})
