"""Whether a dataset is where it was decided: every way that reports and observations can meet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models import Evidence, ProvisioningState
from placement.service.drift import Desired, found_at, judged
from placement.store.actual import Known

EARLY = datetime(2026, 11, 1, tzinfo=UTC)
LATE = EARLY + timedelta(hours=1)
DONE, FAILED, PENDING = ProvisioningState.DONE, ProvisioningState.FAILED, ProvisioningState.PENDING


def known(site: str, **said: Any) -> Known:
    nothing = dict.fromkeys(
        ("state", "found", "reported_at", "reported_by", "observed_at", "observed_by")
    )
    return Known(**{**nothing, "site": site, "evidence": Evidence(), **said})


def reported(site: str, state: ProvisioningState, at: datetime = EARLY, **more: Any) -> Known:
    return known(site, state=state, reported_at=at, reported_by="machine", **more)


def observed(site: str, at: datetime = LATE, *, found: bool, **more: Any) -> Known:
    return known(site, found=found, observed_at=at, observed_by="scanner", **more)


def test_nothing_said_is_no_drift():
    actual = judged("bomen", Desired(("a", "b"), in_force=True), [])
    assert not actual.drifted
    assert [(one.site, one.desired, one.state, one.found) for one in actual.sites] == [
        ("a", True, None, None),
        ("b", True, None, None),
    ]


@pytest.mark.parametrize(
    ("desired", "said", "sentence"),
    [
        # Found where it is to be, whatever the provisioner is at.
        (Desired(("a",)), [observed("a", found=True)], None),
        (Desired(("a",)), [reported("a", FAILED)], None),
        # Not there yet.
        (Desired(("a",)), [observed("a", found=False)], None),
        (
            Desired(("a",)),
            [
                observed(
                    "a",
                    found=False,
                    state=PENDING,
                    reported_at=EARLY,
                    reported_by="machine",
                )
            ],
            None,
        ),
        # Looked for before it was done.
        (
            Desired(("a",)),
            [
                observed(
                    "a", EARLY, found=False, state=DONE, reported_at=LATE, reported_by="machine"
                )
            ],
            None,
        ),
        # Gone after it was done.
        (
            Desired(("a",)),
            [
                observed(
                    "a", LATE, found=False, state=DONE, reported_at=EARLY, reported_by="machine"
                )
            ],
            "it was not found at a on 2026-11-01, where it is to be",
        ),
        # Gone from where a plan in force has it, of which nobody reported anything.
        (
            Desired(("a",), in_force=True),
            [observed("a", found=False)],
            "it was not found at a on 2026-11-01, where it is to be",
        ),
        # Elsewhere.
        (
            Desired(("a",), in_force=True),
            [observed("b", found=True)],
            "it was found at b on 2026-11-01, where it is not to be",
        ),
        (Desired(("a",), tolerated=("b",)), [observed("b", found=True)], None),
        (Desired(("a",)), [observed("b", found=False)], None),
        # Removed since it was found there, and found there again.
        (
            Desired(("a",)),
            [observed("b", EARLY, found=True, state=DONE, reported_at=LATE, reported_by="x")],
            None,
        ),
        (
            Desired(("a",)),
            [observed("b", LATE, found=True, state=DONE, reported_at=EARLY, reported_by="x")],
            "it was found at b on 2026-11-01, where it is not to be",
        ),
        # Retired, and still there.
        (
            Desired((), in_force=True),
            [observed("b", found=True)],
            "it was found at b on 2026-11-01, where it is not to be",
        ),
    ],
)
def test_what_was_said_against_what_was_decided(desired, said, sentence):
    actual = judged("bomen", desired, said)
    assert actual.drift == (() if sentence is None else (sentence,))
    assert actual.drifted is (sentence is not None)


def test_each_difference_has_its_sentence_in_the_order_of_sites():
    said = [observed("c", found=True), observed("a", found=False), observed("b", found=True)]
    actual = judged("bomen", Desired(("a", "b"), in_force=True), said)
    assert [line.split(" on ")[0] for line in actual.drift] == [
        "it was not found at a",
        "it was found at c",
    ]
    assert found_at(actual) == ("b", "c")


def test_what_was_removed_is_not_found_any_more():
    said = [observed("b", EARLY, found=True, state=DONE, reported_at=LATE, reported_by="x")]
    assert found_at(judged("bomen", Desired(("a",)), said)) == ()
