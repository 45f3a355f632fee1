"""What the example hook says of where data is."""

from __future__ import annotations

import pytest

from models import Actual, ActualSite, ProvisioningState
from placement.client.hooking.folders import Folders, place_name
from placement.client.hooking.looking import observed

DONE, FAILED, PENDING = (
    ProvisioningState.DONE,
    ProvisioningState.FAILED,
    ProvisioningState.PENDING,
)
SITES = ("east", "north", "west")


def at(site, *, desired=True, state=None, found=None):
    return ActualSite(site=site, desired=desired, state=state, found=found)


def said(tmp_path, *known, data=(), empty=()):
    """(found, looked at) by a hook whose folders are as given; none: it says nothing."""
    for site in (*data, *empty):
        (tmp_path / place_name(site, "trees")).mkdir()
    for site in data:
        (tmp_path / place_name(site, "trees") / "trees.csv").write_text("oak\n")
    (tmp_path / "p-of-somebody-else").mkdir()
    folders = Folders(tmp_path, {})
    actual = Actual(dataset="trees", sites=known, drifted=False)
    seen = observed(folders, folders.held(), actual, SITES)
    return None if seen is None else (seen.found, seen.looked_at)


@pytest.mark.parametrize("state", [None, PENDING, DONE, FAILED])
def test_an_empty_place_says_nothing_as_long_as_nobody_found_the_data_anywhere(tmp_path, state):
    assert said(tmp_path, at("east", state=state), empty=["east"]) is None


@pytest.mark.parametrize("state", [DONE, FAILED])
def test_a_place_that_was_provisioned_and_is_gone_is_told(tmp_path, state):
    assert said(tmp_path, at("east", state=state)) == ((), ("east",))


@pytest.mark.parametrize("state", [None, PENDING])
def test_a_place_that_was_not_made_yet_is_not_missed(tmp_path, state):
    assert said(tmp_path, at("east", state=state)) is None


def test_data_is_found_where_it_is_and_missed_where_it_was_provisioned(tmp_path):
    known = (at("east", state=DONE), at("north", state=DONE), at("west", desired=False))
    assert said(tmp_path, *known, data=["north", "west"], empty=["east"]) == (
        ("north", "west"),
        ("east",),
    )


def test_data_at_a_site_that_nobody_spoke_of_is_found(tmp_path):
    assert said(tmp_path, at("east", state=DONE), data=["west"]) == (("west",), ("east",))


def test_data_that_was_found_before_and_is_there_no_more_is_missed(tmp_path):
    known = (at("east", state=DONE, found=True), at("west", desired=False, found=True))
    assert said(tmp_path, *known, data=["east"], empty=["west"]) == (("east",), ("west",))


def test_the_evidence_names_the_places(tmp_path):
    (tmp_path / place_name("north", "trees")).mkdir()
    folders = Folders(tmp_path, {})
    known = (at("east", state=DONE), at("north", state=DONE, found=True))
    actual = Actual(dataset="trees", sites=known, drifted=False)
    seen = observed(folders, folders.held(), actual, SITES)
    assert seen is not None
    assert seen.evidence.summary == (
        f"{tmp_path / place_name('east', 'trees')} is not there; "
        f"{tmp_path / place_name('north', 'trees')} is empty"
    )
