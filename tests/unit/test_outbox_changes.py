"""What an approved plan changes, and how it is told."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from models import (
    AccessLevel,
    AccessRights,
    ApprovedPlacement,
    Costs,
    EventType,
    GdprCategory,
    Grant,
    HostedAt,
    HostObligation,
    OutboxEvent,
    StorageKind,
)
from placement.provision.changes import Approval, Change, changes
from placement.provision.cloud_event import cloud_event

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
APPROVAL = Approval(7, "a" * 64, "b" * 64, "c" * 64, NOW, NOW.replace(month=6))
OPERATORS = {"archive": "city", "cloud": "nimbus", "far": "nimbus"}
KEYS = HostObligation(code="keys-city", requirement="the city holds the keys")
LOG = HostObligation(code="log-access", requirement="every access is logged")
NOTHING = Decimal("0.00")


def at(site: str, *obligations: HostObligation) -> HostedAt:
    return HostedAt(site=site, operator=OPERATORS[site], host_obligations=obligations)


def placed(dataset: str = "bomen", *hosts: HostedAt, **fields: Any) -> ApprovedPlacement:
    given = {
        "decision": 7,
        "dataset": dataset,
        "title": "Trees",
        "department": "Parks",
        "sites": hosts or (at("archive", KEYS),),
        "from_sites": (),
        "confidentiality": None,
        "gdpr_category": None,
        "access_rights": None,
        "storage": StorageKind.OBJECT,
        "volume_gb": 10,
        "readers": ("park-keeper",),
        "writers": (),
        "administrators": (),
        "cost_eur_per_year": Costs(**dict.fromkeys(Costs.model_fields, NOTHING)),
    }
    return ApprovedPlacement.model_validate(given | fields)


def told(now: list[ApprovedPlacement], before: list[ApprovedPlacement] | None) -> list[Change]:
    return list(changes(APPROVAL, now, before, OPERATORS))


def only(now: ApprovedPlacement, before: ApprovedPlacement | None = None) -> Change:
    (change,) = told([now], None if before is None else [before])
    return change


# -- which ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("from_sites", [(), ("archive",)])
def test_a_dataset_that_nothing_placed_before_is_placed(from_sites):
    change = only(placed(from_sites=from_sites))
    assert change.type is EventType.DATASET_PLACED
    assert change.data.from_sites == from_sites
    assert (change.sites, change.operators) == (("archive",), ("city",))


def test_a_dataset_that_rests_elsewhere_is_moved():
    change = only(placed(from_sites=("far",)))
    assert change.type is EventType.DATASET_MOVED
    assert change.data.from_sites == ("far",)
    assert (change.sites, change.operators) == (("archive", "far"), ("city", "nimbus"))


def test_what_stood_counts_and_not_the_catalogue():
    before = placed("bomen", at("cloud"), from_sites=("far",))
    change = only(placed(from_sites=("archive",)), before)
    assert (change.type, change.data.from_sites) == (EventType.DATASET_MOVED, ("cloud",))


def test_a_dataset_that_is_new_beside_others_is_placed():
    (change,) = told([placed("bag"), placed("bomen")], [placed("bomen")])
    assert (change.type, change.data.dataset) == (EventType.DATASET_PLACED, "bag")


def test_a_dataset_that_is_placed_no_more_is_retired():
    (change,) = told([], [placed()])
    assert change.type is EventType.DATASET_RETIRED
    assert (change.data.sites, change.data.from_sites) == ((), ("archive",))
    assert (change.data.grants, change.data.decision) == ((), 7)
    assert (change.sites, change.operators) == (("archive",), ("city",))


def test_nothing_is_retired_where_no_board_said_so():
    assert changes(APPROVAL, [], [placed()], OPERATORS, retires=False) == ()


def test_a_site_that_left_the_register_is_named_without_its_operator():
    change = only(placed(from_sites=("gone",)))
    assert (change.sites, change.operators) == (("archive", "gone"), ("city",))


@pytest.mark.parametrize(
    "differing",
    [
        {"sites": (at("archive"),)},
        {"sites": (at("archive", KEYS, LOG),)},
        {"sites": (HostedAt(site="archive", operator="other", host_obligations=(KEYS,)),)},
        {"readers": ()},
        {"writers": ("park-keeper",)},
        {"administrators": ("gardener",)},
        {"storage": StorageKind.BLOCK},
        {"volume_gb": 11},
        {"confidentiality": 2},
        {"gdpr_category": GdprCategory.SPECIAL},
        {"access_rights": AccessRights.PUBLIC},
        {"department": "Roads"},
    ],
)
def test_what_a_provisioner_acts_on_is_told(differing):
    change = only(placed(**differing), placed())
    assert change.type is EventType.OBLIGATIONS_CHANGED
    assert change.data.from_sites == ("archive",)


@pytest.mark.parametrize(
    "differing",
    [
        {"decision": 8},
        {"title": "Boomen"},
        {"from_sites": ("far",)},
        {"cost_eur_per_year": Costs(**dict.fromkeys(Costs.model_fields, Decimal("1.00")))},
        {"readers": ("park-keeper", "park-keeper")},
    ],
)
def test_what_nobody_acts_on_is_not_told(differing):
    assert told([placed(**differing)], [placed()]) == []


def test_the_order_of_sites_and_obligations_is_no_difference():
    one = placed("bomen", at("archive", KEYS, LOG), at("cloud"))
    other = placed("bomen", at("cloud"), at("archive", LOG, KEYS))
    assert told([one], [other]) == []


def test_every_field_of_a_placement_is_acted_on_or_named_as_not():
    tried = {"sites", "readers", "writers", "administrators", "storage", "volume_gb"}
    tried |= {"confidentiality", "gdpr_category", "access_rights", "department"}
    not_told = {"decision", "title", "from_sites", "cost_eur_per_year", "dataset"}
    assert tried | not_told == set(ApprovedPlacement.model_fields)


def test_changes_stand_in_order_of_their_datasets_whatever_came_first():
    now = [placed(f"d{number}") for number in range(20)]
    before = [placed(f"x{number}") for number in range(20)]
    expected = told(now, before)
    names = [change.data.dataset for change in expected]
    assert names == sorted(names)
    assert len(names) == 40
    chance = random.Random(1)
    chance.shuffle(now)
    chance.shuffle(before)
    assert told(now, before) == expected


def test_a_change_says_all_that_is_to_be():
    change = only(
        placed(
            readers=("a", "b"),
            writers=("b", "c"),
            administrators=("c",),
            gdpr_category=GdprCategory.PERSONAL,
        )
    )
    assert change.data.grants == (
        Grant(role="a", level=AccessLevel.READ),
        Grant(role="b", level=AccessLevel.WRITE),
        Grant(role="c", level=AccessLevel.ADMINISTER),
    )
    assert change.data.sites == (at("archive", KEYS),)
    assert (change.data.plan, change.data.certificate) == ("a" * 64, "b" * 64)
    assert (change.data.approved_at, change.data.expires_at) == (NOW, APPROVAL.expires_at)


# -- how ------------------------------------------------------------------------------------------


def event(dataset: str | None = "bomen", **fields: Any) -> OutboxEvent:
    given = {
        "sequence": 12,
        "id": f"evt_{1:032x}",
        "type": EventType.DATASET_MOVED,
        "at": NOW,
        "dataset": dataset,
        "decision": 7,
        "sites": ("archive",),
        "operators": ("city",),
        "department": "Parks",
        "data": {"title": "Bäume"},
    }
    return OutboxEvent.model_validate(given | fields)


def test_a_datasets_event_is_a_cloud_event():
    assert json.loads(cloud_event(event(), "https://placement.example.org")) == {
        "specversion": "1.0",
        "id": f"evt_{1:032x}",
        "source": "https://placement.example.org",
        "type": "placement.dataset.moved",
        "subject": "dataset/bomen",
        "time": "2026-05-01T12:00:00Z",
        "datacontenttype": "application/json",
        "partitionkey": "bomen",
        "placementsequence": 12,
        "data": {"title": "Bäume"},
    }


def test_a_plans_event_names_its_decision():
    told = json.loads(cloud_event(event(None, type=EventType.PLAN_WITHDRAWN)))
    assert (told["subject"], told["source"]) == ("decision/7", "/placement")
    assert "partitionkey" not in told


def test_an_event_is_read_back_by_the_library_and_is_the_same_each_time():
    from cloudevents.core.formats.json import JSONFormat

    body = cloud_event(event())
    assert cloud_event(event()) == body
    read = JSONFormat().read(None, body)
    assert (read.get_id(), read.get_time()) == (event().id, NOW)
    assert read.get_data() == event().data
