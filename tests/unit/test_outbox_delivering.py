"""What a receiver's answer means for a delivery."""

from __future__ import annotations

from datetime import timedelta

import pytest

from models import DeliveryState
from placement.provision.delivering import JITTER, LONGEST_WISH, PAUSES, judge
from placement.provision.transport import Reply

MIDDLE = 0.5


def test_an_answer_of_two_hundred_ends_it():
    judged = judge(Reply(204, ""), 3, MIDDLE)
    assert (judged.state, judged.attempts, judged.after) == (DeliveryState.DELIVERED, 4, None)
    assert judged.delivered


@pytest.mark.parametrize("reply", [Reply(503, "HTTP status 503"), Reply(None, "no connection")])
def test_what_fails_is_tried_again_later_and_later_and_then_dead(reply):
    pauses = []
    for attempts in range(len(PAUSES)):
        judged = judge(reply, attempts, MIDDLE)
        assert (judged.state, judged.attempts) == (DeliveryState.PENDING, attempts + 1)
        pauses.append(judged.after)
    assert tuple(pauses) == PAUSES
    assert list(PAUSES) == sorted(PAUSES)
    dead = judge(reply, len(PAUSES), MIDDLE)
    assert (dead.state, dead.after) == (DeliveryState.DEAD, None)


def test_the_schedule_goes_over_hours():
    assert timedelta(hours=12) < sum(PAUSES, timedelta()) < timedelta(hours=24)


@pytest.mark.parametrize(("chance", "factor"), [(0.0, 1 - JITTER), (1.0, 1 + JITTER)])
def test_pauses_are_spread(chance, factor):
    assert judge(Reply(500, "no"), 0, chance).after == PAUSES[0] * factor


@pytest.mark.parametrize(
    ("wish", "after"),
    [
        (0.0, PAUSES[0]),
        (60.0, timedelta(seconds=60)),
        (10.0**6, LONGEST_WISH),
    ],
)
def test_a_wish_to_wait_longer_counts_within_bounds(wish, after):
    assert judge(Reply(429, "HTTP status 429", retry_after_s=wish), 0, MIDDLE).after == after


def test_a_receiver_that_is_gone_is_told_apart():
    judged = judge(Reply(410, "HTTP status 410"), 0, MIDDLE)
    assert (judged.state, judged.gone) == (DeliveryState.PENDING, True)
    assert not judge(Reply(404, "HTTP status 404"), 0, MIDDLE).gone


def test_what_a_receiver_refuses_as_such_is_dead_at_once():
    judged = judge(Reply(422, "HTTP status 422"), 0, MIDDLE)
    assert (judged.state, judged.attempts, judged.after) == (DeliveryState.DEAD, 1, None)
    assert judge(Reply(401, "HTTP status 401"), 0, MIDDLE).state is DeliveryState.PENDING
