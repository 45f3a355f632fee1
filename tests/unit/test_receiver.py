"""What a receiver does, refuses and never does twice."""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
from datetime import timedelta

import pytest
from standardwebhooks import Webhook

from models import DatasetChange, DatasetDrift, EventType, OutboxEvent, PlanEnded
from placement.client.receiver import Receiver, Refuse, Result
from placement.client.receiving.journal import Journal
from placement.errors import BadInput, ServiceError
from placement.provision.cloud_event import cloud_event
from tests.message_cases import NOW, OTHER_SECRET, SECRET, certificate, change, event, signed

KEY = SECRET.removeprefix("whsec_")


class Hook:
    """An effect that notes what it is asked for."""

    def __init__(self, tmp_path, **options):
        self.asked = []
        self.raises = None
        self.now = NOW
        self.options = {"secrets": [SECRET], **options}
        self.path = tmp_path / "journal.sqlite3"
        self.restart()

    def restart(self):
        options = dict(self.options)
        secrets = options.pop("secrets")
        self.receiver = Receiver(secrets, self.path, self, clock=lambda: self.now, **options)

    def __call__(self, received, journal):
        self.asked.append(received)
        if self.raises is not None:
            raise self.raises

    def handle(self, said, **options):
        return self.receiver.handle(*signed(said, **options))


@pytest.fixture
def hook(tmp_path):
    return Hook(tmp_path)


# -- what is done -------------------------------------------------------------------------------


def test_a_message_is_done_and_told_in_full(hook):
    answer = hook.handle(event(5))
    assert (answer.status, answer.result) == (200, Result.DONE)
    assert json.loads(answer.body) == {"result": "done", "detail": ""}
    (received,) = hook.asked
    assert (received.id, received.sequence, received.at) == (f"evt_{5:032x}", 5, NOW)
    assert received.dataset == "bomen"
    assert not received.again
    assert isinstance(received.data, DatasetChange)
    assert received.data.sites[0].site == "eu-north"


def test_what_the_services_library_signs_and_other_libraries_do_is_the_same(hook):
    body = json.dumps(event()).encode()
    headers = {
        "Webhook-Id": f"evt_{1:032x}",
        "WEBHOOK-TIMESTAMP": str(int(NOW.timestamp())),
        "webhook-signature": Webhook(SECRET).sign(f"evt_{1:032x}", NOW, body.decode()),
    }
    assert hook.receiver.handle(headers, body).status == 200


def test_what_the_service_tells_is_what_the_receiver_understands(hook):
    told = OutboxEvent(
        sequence=5,
        id=f"evt_{5:032x}",
        type=EventType.DATASET_PLACED,
        at=NOW,
        dataset="bomen",
        decision=7,
        sites=("eu-north",),
        operators=("operator",),
        department="groen",
        data=DatasetChange.model_validate(change()).model_dump(mode="json"),
    )
    ended = told.model_copy(
        update={
            "id": f"evt_{6:032x}",
            "type": EventType.PLAN_SUPERSEDED,
            "dataset": None,
            "data": {"decision": 7, "plan": "a" * 64, "replaced_by": 8},
        }
    )
    for one in (told, ended):
        assert hook.handle(cloud_event(one), ident=one.id).status == 200
    assert [(one.id, one.sequence, one.at, one.dataset) for one in hook.asked] == [
        (told.id, 5, NOW, "bomen"),
        (ended.id, 5, NOW, None),
    ]
    assert hook.asked[0].data == DatasetChange.model_validate(change())


@pytest.mark.parametrize(
    ("kind", "data", "model"),
    [
        (EventType.DATASET_MOVED, change(from_sites=["old"]), DatasetChange),
        (EventType.OBLIGATIONS_CHANGED, change(), DatasetChange),
        (EventType.DATASET_RETIRED, change(sites=()), DatasetChange),
        *(
            (
                kind,
                {
                    "dataset": "bomen",
                    "department": None,
                    "decision": 7,
                    "desired": ["a"],
                    "found": [],
                    "observed_at": NOW.isoformat(),
                    "observed_by": "scan",
                },
                DatasetDrift,
            )
            for kind in (EventType.DATASET_DRIFTED, EventType.DATASET_SETTLED)
        ),
        (
            EventType.PLAN_SUPERSEDED,
            {"decision": 7, "plan": "a" * 64, "replaced_by": 8},
            PlanEnded,
        ),
        (
            EventType.PLAN_WITHDRAWN,
            {"decision": 7, "plan": "a" * 64, "replaced_by": None},
            PlanEnded,
        ),
    ],
)
def test_every_type_has_its_data(hook, kind, data, model):
    assert hook.handle(event(1, kind, data)).status == 200
    assert type(hook.asked[0].data) is model
    assert hook.asked[0].dataset == (None if model is PlanEnded else "bomen")


# -- tampered, replayed, late -------------------------------------------------------------------


def test_a_body_with_any_byte_changed_is_refused(hook):
    headers, body = signed(event())
    for at in range(0, len(body), 7):
        changed = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
        assert hook.receiver.handle(headers, changed).status == 401
    for other in (body + b" ", body[:-1], b"", b"\xff" + body):
        assert hook.receiver.handle(headers, other).status == 401
    assert not hook.asked
    assert hook.receiver.handle(headers, body).status == 200


@pytest.mark.parametrize(
    "changed",
    [
        {"webhook-id": f"evt_{2:032x}"},
        {"webhook-id": ""},
        {"webhook-id": "x" * 101},
        {"webhook-id": f"evt_{1:032x}."},
        {"webhook-timestamp": str(int(NOW.timestamp()) + 1)},
        {"webhook-timestamp": f"{int(NOW.timestamp())}.0"},
        {"webhook-timestamp": f" {int(NOW.timestamp())}"},
        {"webhook-timestamp": f"0{int(NOW.timestamp())}"},
        {"webhook-timestamp": "nan"},
        {"webhook-timestamp": "1e9"},
        {"webhook-timestamp": "-1"},
        {"webhook-timestamp": "٣"},
        {"webhook-timestamp": ""},
        {"webhook-signature": ""},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1"},
        {"webhook-signature": "v1,é"},
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": "v2,AAAA v1a,AAAA"},
        {"webhook-signature": "v1,!!!! " * 1000},
    ],
)
def test_headers_that_were_changed_are_refused(hook, changed):
    headers, body = signed(event())
    answer = hook.receiver.handle({**headers, **changed}, body)
    assert (answer.status, answer.detail) == (401, "the signature does not hold")
    assert not hook.asked


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_headers_that_are_missing_are_refused(hook, missing):
    headers, body = signed(event())
    del headers[missing]
    assert hook.receiver.handle(headers, body).status == 401


def test_a_signature_of_another_version_counts_for_nothing(hook):
    headers, body = signed(event())
    headers["webhook-signature"] = headers["webhook-signature"].replace("v1,", "v2,")
    assert hook.receiver.handle(headers, body).status == 401


def test_another_secret_is_refused_and_two_of_ours_overlap(hook, tmp_path):
    assert hook.handle(event(), secrets=(OTHER_SECRET,)).status == 401
    assert hook.handle(event(1), secrets=(OTHER_SECRET, SECRET)).status == 200
    (tmp_path / "both").mkdir()
    both = Hook(tmp_path / "both", secrets=[OTHER_SECRET, SECRET])
    assert both.handle(event(1), secrets=(SECRET,)).status == 200
    assert both.handle(event(2), secrets=(OTHER_SECRET,)).status == 200


@pytest.mark.parametrize(
    ("off_s", "status"), [(-301, 401), (-300, 200), (0, 200), (300, 200), (301, 401), (10**8, 401)]
)
def test_a_message_of_another_time_is_refused(hook, off_s, status):
    hook.now = NOW - timedelta(seconds=off_s)
    answer = hook.handle(event(data=change(expires_at="2126-01-01T00:00:00Z")))
    assert answer.status == status
    if status == 401:
        assert "300 s" in answer.detail


def test_a_message_that_was_recorded_and_sent_again_has_no_second_effect(hook):
    headers, body = signed(event())
    assert hook.receiver.handle(headers, body).result is Result.DONE
    assert hook.receiver.handle(headers, body).result is Result.REPEATED
    # a retry of the sender, signed anew, and a receiver that was started again
    hook.now += timedelta(hours=1)
    hook.restart()
    again = hook.handle(event(), at=hook.now)
    assert (again.status, again.result) == (200, Result.REPEATED)
    assert len(hook.asked) == 1
    # and the recording itself is too old by now
    assert hook.receiver.handle(headers, body).status == 401


# -- not a message ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"x"',
        b"{}",
        b"{",
        b"[" * 100_000,
        b'\xef\xbb\xbf{"a":1}',
        json.dumps(event()).encode()[:-1] + b',"id":"evt_1"}',
        json.dumps(event()).replace('"decision": 7', '"decision": 7, "decision": 8').encode(),
        json.dumps(event()).replace('"volume_gb": 10', '"volume_gb": NaN').encode(),
        json.dumps(event()).replace('"volume_gb": 10', '"volume_gb": 1e999').encode(),
    ],
)
def test_a_body_that_is_no_message_is_refused_for_good(hook, body):
    answer = hook.handle(body)
    assert (answer.status, answer.result) == (422, Result.REFUSED)
    assert answer.detail.startswith("not a message")
    assert not hook.asked


@pytest.mark.parametrize(
    "changed",
    [
        {"specversion": "0.3"},
        {"specversion": None},
        {"id": "evt_x"},
        {"id": f"evt_{2:032x}"},
        {"source": ""},
        {"type": "placement.dataset.exploded"},
        {"time": "2026-11-02T09:30:00"},
        {"time": None},
        {"placementsequence": 0},
        {"placementsequence": -1},
        {"placementsequence": 2**63},
        {"placementsequence": None},
        {"placementsequence": True},
        {"placementsequence": 1.0},
        {"placementsequence": "1"},
        {"partitionkey": "lampen"},
        {"partitionkey": 1},
        {"datacontenttype": "text/xml"},
        {"data": None},
        {"data": []},
        {"data_base64": "e30="},
        {"Extension": "x"},
        {"ext_1": "x"},
        {"data": {**change(), "extra": 1}},
        {"data": change(decision=True)},
        {"data": change(plan="A" * 64)},
        {"data": change(sites=())},
        {"data": change(expires_at="2026-12-01T00:00:00")},
        {"type": "placement.dataset.retired"},
        {"type": "placement.plan.withdrawn"},
        {"data": {key: value for key, value in change().items() if key != "expires_at"}},
    ],
)
def test_a_message_with_a_part_that_is_not_as_it_should_be_is_refused_for_good(hook, changed):
    said = {key: value for key, value in {**event(), **changed}.items() if value is not None}
    answer = hook.handle(said, ident=f"evt_{1:032x}")
    assert (answer.status, answer.detail[:13]) == (422, "not a message")
    assert not hook.asked


def test_extensions_that_we_do_not_know_are_let_be(hook):
    said = {**event(), "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    assert hook.handle({**said, "subject": "dataset/bomen", "partitionkey": "bomen"}).status == 200


# -- expired, withdrawn, not certified ----------------------------------------------------------


@pytest.mark.parametrize(("left_s", "status"), [(1, 200), (0, 422), (-1, 422)])
def test_an_event_that_has_expired_is_refused_for_good(hook, left_s, status):
    ends = (NOW + timedelta(seconds=left_s)).isoformat()
    answer = hook.handle(event(data=change(expires_at=ends)))
    assert answer.status == status
    assert len(hook.asked) == (status == 200)
    assert ("expired at" in answer.detail) == (status == 422)


def test_what_is_done_stays_done_when_it_has_expired_since(hook):
    hook.handle(event())
    hook.now += timedelta(days=30)
    assert hook.handle(event(), at=hook.now).result is Result.REPEATED


def test_a_plan_that_was_withdrawn_is_not_acted_on_any_more(hook):
    ended = {"decision": 7, "plan": "a" * 64, "replaced_by": None}
    assert hook.handle(event(3, EventType.PLAN_WITHDRAWN, ended)).status == 200
    answer = hook.handle(event(2))
    assert (answer.status, answer.detail) == (422, "decision 7 was withdrawn")
    assert hook.handle(event(4, data=change(decision=8))).status == 200


def test_what_a_superseded_plan_says_of_a_dataset_still_holds_until_the_next_says_otherwise(hook):
    ended = {"decision": 7, "plan": "a" * 64, "replaced_by": 8}
    hook.handle(event(3, EventType.PLAN_SUPERSEDED, ended))
    assert hook.handle(event(2)).result is Result.DONE


def test_the_certificate_is_fetched_and_must_be_the_one_that_the_event_names(tmp_path):
    asked = []

    def fetch(decision):
        asked.append(decision)
        return certificate()

    hook = Hook(tmp_path, certificate_of=fetch)
    assert hook.handle(event(1)).status == 200
    assert asked == [7]
    answer = hook.handle(event(2, data=change(certificate="d" * 64)))
    assert (answer.status, answer.detail) == (422, "the certificate of decision 7 is another one")
    assert len(hook.asked) == 1


def test_a_certificate_that_does_not_hold_is_refused(tmp_path):
    from models.canonical import sha256_of

    broken = certificate(holds=False)
    hook = Hook(tmp_path, certificate_of=lambda _: broken)
    answer = hook.handle(event(data=change(certificate=sha256_of(broken))))
    assert (answer.status, answer.detail) == (422, "the certificate of decision 7 does not hold")
    empty = broken.model_copy(update={"checks": ()})
    hook.options["certificate_of"] = lambda _: empty
    hook.restart()
    assert hook.handle(event(data=change(certificate=sha256_of(empty)))).status == 422
    assert not hook.asked


def test_a_service_that_cannot_be_asked_for_the_certificate_means_later(tmp_path):
    def fetch(decision):
        raise ServiceError("no answer")

    hook = Hook(tmp_path, certificate_of=fetch)
    assert hook.handle(event()).status == 503
    assert not hook.asked
    hook.options["certificate_of"] = lambda _: certificate()
    hook.restart()
    assert hook.handle(event()).status == 200
    assert not hook.asked[0].again  # nothing of it was begun


# -- order --------------------------------------------------------------------------------------


def test_an_older_event_of_a_dataset_is_acknowledged_and_left_out(hook):
    assert hook.handle(event(5)).result is Result.DONE
    answer = hook.handle(event(4))
    assert (answer.status, answer.result) == (200, Result.OVERTAKEN)
    assert hook.handle(event(4)).result is Result.REPEATED
    assert [one.sequence for one in hook.asked] == [5]
    # another dataset has an order of its own
    assert hook.handle(event(3, data=change("lampen"))).result is Result.DONE


def test_a_failed_event_that_was_overtaken_is_left_out_when_it_comes_again(hook):
    hook.raises = OSError("no room")
    assert hook.handle(event(4)).status == 503
    hook.raises = None
    assert hook.handle(event(5)).result is Result.DONE
    assert hook.handle(event(4)).result is Result.OVERTAKEN


# -- effects ------------------------------------------------------------------------------------


def test_an_effect_that_fails_is_asked_for_again(hook, caplog):
    hook.raises = RuntimeError("boom")
    answer = hook.handle(event())
    assert (answer.status, answer.result) == (503, Result.FAILED)
    assert "boom" not in answer.detail
    hook.raises = None
    assert hook.handle(event()).result is Result.DONE
    assert [one.again for one in hook.asked] == [False, True]


def test_an_effect_may_refuse_for_good(hook):
    hook.raises = Refuse("decision 7 says nothing any more")
    answer = hook.handle(event())
    assert (answer.status, answer.detail) == (422, "decision 7 says nothing any more")


def test_what_an_effect_writes_into_the_journal_is_kept_exactly_when_it_is_done(tmp_path):
    fails: list[str] = []

    def count(received, journal):
        journal.execute("CREATE TABLE IF NOT EXISTS counted (id TEXT)")
        journal.execute("INSERT INTO counted VALUES (?)", (received.id,))
        if not fails:
            fails.append(received.id)
            raise OSError("after the effect, before the commit")

    path = tmp_path / "journal.sqlite3"
    receiver = Receiver([SECRET], path, count, clock=lambda: NOW)
    statuses = [receiver.handle(*signed(event())).status for _ in range(4)]
    assert statuses == [503, 200, 200, 200]
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT id FROM counted").fetchall() == [(f"evt_{1:032x}",)]
    connection.close()


def test_the_same_message_at_once_from_many_threads_has_one_effect(hook):
    answers = []
    start = threading.Barrier(8)

    def send():
        start.wait(30)
        answers.append(hook.handle(event()).result)

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(answers) == sorted([Result.DONE] + [Result.REPEATED] * 7)
    assert len(hook.asked) == 1


def test_a_journal_that_cannot_be_written_means_later(hook, monkeypatch):
    monkeypatch.setattr("placement.client.receiving.journal._WAIT_S", 0.01)
    with Journal(hook.path).writing():
        assert hook.handle(event()).status == 503
    assert hook.handle(event()).status == 200


def test_a_secret_never_stands_in_logs_answers_or_errors(hook, caplog):
    caplog.set_level(logging.DEBUG)
    hook.raises = RuntimeError("boom")
    answers = [hook.handle(event()), hook.handle(event(), secrets=(OTHER_SECRET,))]
    hook.raises = Refuse("no")
    answers.append(hook.handle(event(2)))
    told = "".join(answer.body.decode() for answer in answers) + caplog.text
    assert KEY not in told
    assert "v1," not in told


@pytest.mark.parametrize(
    "secrets",
    [[], [""], ["whsec_"], [KEY], ["whsec_AAAA"], ["whsec_é"], [SECRET, "x"], [f"{SECRET}\n"]],
)
def test_a_secret_in_another_form_is_refused_without_repeating_it(tmp_path, secrets):
    with pytest.raises(BadInput) as refused:
        Hook(tmp_path, secrets=secrets)
    assert KEY not in str(refused.value)


def test_a_message_whose_turn_does_not_come_is_to_be_sent_again_and_changes_nothing(
    tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr("placement.client.receiving.journal._WAIT_S", 0.01)
    effects = []
    file = tmp_path / "journal.sqlite3"
    receiver = Receiver([SECRET], file, lambda got, _: effects.append(got.id), clock=lambda: NOW)
    with receiver._journal.turn():
        answer = receiver.handle(*signed(event()))
    assert (answer.status, answer.detail) == (503, "others are at work here; try again")
    assert not effects
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
    assert receiver.handle(*signed(event())).status == 200
    assert len(effects) == 1
