"""The example hook as a process of its own, sent to by our own sender; its S3 is moto's server."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
import socket
import stat
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from models import EventType, NewProvisioningReport
from placement.client.example_hook import Hook, main
from placement.client.hooking.buckets import Buckets, s3_client
from placement.client.hooking.folders import Folders, place_name
from placement.client.receiver import Receiver
from placement.errors import Conflict, ServiceError
from placement.provision.guard import Guard
from placement.provision.transport import Sender
from tests.message_cases import NOW, OTHER_SECRET, SECRET, change, event, signed

ROOT = Path(__file__).resolve().parents[2]
OBLIGATIONS = {
    "security.encrypt_in_transit": "Encrypt every connection.",
    "security.encrypt_at_rest": "Encrypt the data at rest.",
    "security.keep_access_log": "Log every access, at least 365 days.",
}
HARD = {
    **OBLIGATIONS,
    "security.back_up_elsewhere": "Back up daily to another site, encrypted.",
    "security.report_breaches": "Report a breach, within 24 hours.",
    "security.encrypt_with_city_keys": "Encrypt with keys that the city holds.",
}


@contextmanager
def process(*arguments, **options):
    """A Python process until the block ends."""
    started = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **AWS},
        text=True,
        **options,
    )
    try:
        yield started
    finally:
        started.kill()
        started.communicate(timeout=30)


AWS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@pytest.fixture(scope="module")
def s3_url():
    """An S3 service of moto's, on this machine."""
    for _ in range(5):  # the port may be taken in between
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with process("-m", "moto.server", "-H", "127.0.0.1", "-p", str(port), **quiet) as server:
            while server.poll() is None:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            if server.poll() is None:
                yield f"http://127.0.0.1:{port}"
                return
    pytest.fail("moto's server did not start")


@pytest.fixture
def s3(s3_url, monkeypatch):
    for name, value in AWS.items():
        monkeypatch.setenv(name, value)
    client = s3_client(s3_url)
    yield client
    client.close()


@contextmanager
def hook_process(tmp_path, *arguments):
    """The hook on a free port; its URL."""
    secret = tmp_path / "secret"
    secret.write_text(f"{SECRET}\n")
    command = ("-m", "placement.client.example_hook", "--secret-file", str(secret), "--port", "0")
    with process(*command, *arguments, stderr=subprocess.PIPE) as started:
        line = started.stderr.readline()
        assert line.startswith("listening on "), line
        yield line.split()[-1]


def sent(url, *messages, secrets=(SECRET,), at=None):
    """Statuses that our sender gets for messages signed now."""

    async def post():
        guard = Guard(("127.0.0.1",), [ipaddress.ip_network("127.0.0.0/8")])
        async with Sender(guard, deadline_s=60) as sender:
            replies = []
            for message in messages:
                headers, body = signed(message, at=at or datetime.now(UTC), secrets=secrets)
                replies.append(await sender.post(f"{url}/events", headers, body))
            return [reply.status for reply in replies]

    return asyncio.run(post())


def lasting(**other):
    return change(expires_at=(datetime.now(UTC) + timedelta(days=9)).isoformat(), **other)


# -- folders ------------------------------------------------------------------------------------


def test_a_folder_for_each_site_tampered_replayed_and_late_messages_change_nothing(tmp_path):
    root = tmp_path / "places"
    root.mkdir()
    with hook_process(tmp_path, "--folder", str(root)) as url:
        placed = event(1, data=lasting(sites=("eu-north", "eu-south"), obligations=OBLIGATIONS))
        assert sent(url, placed, placed) == [200, 200]
        folders = sorted(path.name for path in root.iterdir())
        assert folders == sorted(place_name(s, "bomen") for s in ("eu-north", "eu-south"))
        note = json.loads((root / place_name("eu-north", "bomen") / "placement.json").read_text())
        assert (note["decision"], note["plan"], note["state"]) == (7, "a" * 64, "in use")
        assert note["grants"] == [{"role": "gardener", "level": "read"}]
        assert set(note["met"]) | set(note["not_met"]) == set(OBLIGATIONS)
        assert stat.S_IMODE((root / folders[0]).stat().st_mode) == 0o700

        assert sent(url, event(2, data=lasting(dataset="b")), secrets=(OTHER_SECRET,)) == [401]
        early = datetime.now(UTC) + timedelta(hours=1)
        assert sent(url, event(2, data=lasting(dataset="b")), at=early) == [401]
        late = datetime.now(UTC) - timedelta(hours=1)
        assert sent(url, event(2, data=lasting(dataset="b")), at=late) == [401]
        expired = change(dataset="b", expires_at="2020-01-01T00:00:00Z")
        assert sent(url, event(2, data=expired)) == [422]
        assert sorted(path.name for path in root.iterdir()) == folders


def test_a_folder_that_is_left_goes_when_it_is_empty_and_is_marked_when_it_is_not(tmp_path):
    hook, told = hook_of(tmp_path, Folders(tmp_path, {}))
    old, older = (tmp_path / place_name(site, "bomen") for site in ("old", "older"))
    assert hook.handle(*signed(event(1, data=change(sites=("old", "older"))))).status == 200
    (old / "data.csv").write_text("a;b\n")
    moved = change(sites=("new",), from_sites=["old", "older"])
    assert hook.handle(*signed(event(2, EventType.DATASET_MOVED, moved))).status == 200
    assert (old / "data.csv").read_text() == "a;b\n"
    assert json.loads((old / "placement.json").read_text())["state"] == "to be emptied"
    assert not older.exists()
    last = {report.site: report.state.value for _, report in told}
    assert last == {"new": "done", "old": "pending", "older": "done"}
    assert (
        "kept until it is emptied" in [r for _, r in told if r.site == "old"][-1].evidence.summary
    )

    (old / "data.csv").unlink()
    retired = change(sites=(), from_sites=["new", "old"])
    assert hook.handle(*signed(event(3, EventType.DATASET_RETIRED, retired))).status == 200
    assert not list(tmp_path.glob("p-*"))


# -- reports ------------------------------------------------------------------------------------


def hook_of(tmp_path, places, report=None):
    told: list[tuple[str, NewProvisioningReport]] = []

    def keep(dataset, said):
        told.append((dataset, said))
        if report is not None:
            report(dataset, said)

    journal = tmp_path / "journal.sqlite3"
    return Receiver([SECRET], journal, Hook(places, keep), clock=lambda: NOW), told


def test_pending_is_told_before_and_what_became_of_it_after_with_evidence(tmp_path):
    attested = {
        "security.encrypt_at_rest": "contract 12",
        "security.keep_access_log": "contract 12",
    }
    hook, told = hook_of(tmp_path, Folders(tmp_path, attested))
    hook.handle(*signed(event(1, data=change(obligations=OBLIGATIONS))))
    assert [report.state.value for _, report in told] == ["pending", "done"]
    assert {dataset for dataset, _ in told} == {"bomen"}
    assert {(r.decision, r.site, r.event) for _, r in told} == {(7, "eu-north", f"evt_{1:032x}")}
    evidence = told[-1][1].evidence
    assert evidence.reference == str(tmp_path / place_name("eu-north", "bomen"))
    assert "security.encrypt_at_rest: attested in contract 12" in evidence.summary

    told.clear()
    hook.handle(*signed(event(2, data=change(obligations=HARD))))
    assert [report.state.value for _, report in told] == ["pending", "failed"]
    assert "not met: security.back_up_elsewhere: no setting" in told[-1][1].evidence.summary


def test_a_plan_that_the_service_calls_stale_is_refused_before_anything_is_made(tmp_path):
    def stale(dataset, said):
        raise Conflict("decision 7 does not say any more what is to be done with bomen")

    hook, _ = hook_of(tmp_path, Folders(tmp_path, {}), stale)
    answer = hook.handle(*signed(event()))
    assert answer.status == 422
    assert "decision 7 does not say any more" in answer.detail
    assert not list(tmp_path.glob("p-*"))


def test_a_service_that_is_away_means_later_and_nothing_is_made_twice(tmp_path):
    away = [True]

    def report(dataset, said):
        if said.state.value == "done" and away:
            away.clear()
            raise ServiceError("no answer")

    hook, told = hook_of(tmp_path, Folders(tmp_path, {}), report)
    assert hook.handle(*signed(event())).status == 503
    assert hook.handle(*signed(event())).status == 200
    assert hook.handle(*signed(event())).status == 200
    assert [report.state.value for _, report in told] == ["pending", "done"] * 2
    assert len(list(tmp_path.glob("p-*"))) == 1


def test_drift_and_the_end_of_plans_ask_for_nothing(tmp_path):
    hook, told = hook_of(tmp_path, Folders(tmp_path, {}))
    ended = {"decision": 7, "plan": "a" * 64, "replaced_by": 8}
    assert hook.handle(*signed(event(1, EventType.PLAN_SUPERSEDED, ended))).status == 200
    assert not told
    assert not list(tmp_path.glob("p-*"))


# -- buckets ------------------------------------------------------------------------------------


def tags_of(s3, bucket):
    return {tag["Key"]: tag["Value"] for tag in s3.get_bucket_tagging(Bucket=bucket)["TagSet"]}


def put(s3, bucket):
    """As somebody who comes with TLS; this service takes us for none, whatever the policy says."""
    s3.delete_bucket_policy(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="data.csv", Body=b"a;b\n")


def test_a_bucket_for_each_site_with_what_its_obligations_demand(tmp_path, s3, s3_url):
    data = lasting(dataset="water/Meters.1", obligations=HARD, access_rights="restricted")
    with hook_process(tmp_path, "--s3-url", s3_url, "--city-key", "alias/city") as url:
        assert sent(url, event(1, data=data), event(1, data=data)) == [200, 200]
    bucket = place_name("eu-north", "water/Meters.1")
    rules = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"] == {
        "SSEAlgorithm": "aws:kms",
        "KMSMasterKeyID": "alias/city",
    }
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
    assert policy["Statement"][0]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    log = s3.get_bucket_logging(Bucket=bucket)["LoggingEnabled"]
    assert (log["TargetBucket"], log["TargetPrefix"]) == ("placement-access-log", f"{bucket}/")
    closed = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert set(closed.values()) == {True}
    tags = tags_of(s3, bucket)
    assert (tags["dataset"], tags["site"]) == ("water/Meters.1", "eu-north")
    assert (tags["plan"], tags["confidentiality"], tags["gdpr"]) == ("a" * 64, "1", "none")
    assert {key[11:]: value for key, value in tags.items() if key.startswith("obligation:")} == {
        **dict.fromkeys(HARD, "met"),
        "security.back_up_elsewhere": "not met",
        "security.report_breaches": "not met",
    }


def test_what_no_setting_meets_is_told_as_failed_until_somebody_attests_it(tmp_path, s3):
    hook, told = hook_of(tmp_path, Buckets(s3, {}))
    hook.handle(*signed(event(1, data=change("failing", obligations=HARD))))
    assert [report.state.value for _, report in told] == ["pending", "failed"]
    summary = told[-1][1].evidence.summary
    missed = summary.partition("not met: ")[2]
    assert "security.encrypt_with_city_keys" in missed  # no key of the city's was named
    assert "security.back_up_elsewhere" in missed
    assert "security.keep_access_log" not in missed
    assert "at least 365 days are asked for" in summary

    (tmp_path / "second").mkdir()
    attested = dict.fromkeys(HARD, "contract 12")
    hook, told = hook_of(tmp_path / "second", Buckets(s3, attested))
    hook.handle(*signed(event(1, data=change("failing", obligations=HARD))))
    assert [report.state.value for _, report in told] == ["pending", "done"]


def test_a_bucket_that_is_left_goes_when_it_is_empty_and_is_marked_when_it_is_not(tmp_path, s3):
    hook, told = hook_of(tmp_path, Buckets(s3, {}))
    hook.handle(*signed(event(1, data=change("moving", sites=("old", "older")))))
    old, older = place_name("old", "moving"), place_name("older", "moving")
    put(s3, old)
    moved = change("moving", sites=("new",), from_sites=["old", "older", "never-made"])
    assert hook.handle(*signed(event(2, EventType.DATASET_MOVED, moved))).status == 200
    names = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
    assert {old, place_name("new", "moving")} <= names
    assert older not in names
    assert tags_of(s3, old)["state"] == "to be emptied"
    assert s3.get_object(Bucket=old, Key="data.csv")["Body"].read() == b"a;b\n"
    last = {report.site: report.state.value for _, report in told}
    assert last == {"new": "done", "old": "pending", "older": "done", "never-made": "done"}


def test_versions_of_deleted_objects_are_data_too(tmp_path, s3):
    hook, told = hook_of(tmp_path, Buckets(s3, {}))
    backed_up = {"security.back_up_elsewhere": "Back up daily."}
    hook.handle(*signed(event(1, data=change("kept", sites=("old",), obligations=backed_up))))
    bucket = place_name("old", "kept")
    put(s3, bucket)
    s3.delete_object(Bucket=bucket, Key="data.csv")
    retired = change("kept", sites=(), from_sites=["old"])
    hook.handle(*signed(event(2, EventType.DATASET_RETIRED, retired)))
    assert told[-1][1].state.value == "pending"
    assert tags_of(s3, bucket)["state"] == "to be emptied"


def test_which_buckets_hold_data_is_seen_versions_of_deleted_objects_are_data_too(tmp_path, s3):
    buckets = Buckets(s3, {})
    hook, _ = hook_of(tmp_path, buckets)
    logged = {
        "security.keep_access_log": "Log every access.",
        "security.back_up_elsewhere": "Daily.",
    }
    sites = ("full", "empty", "erased")
    hook.handle(*signed(event(1, data=change("looked", sites=sites, obligations=logged))))
    put(s3, place_name("full", "looked"))
    put(s3, place_name("erased", "looked"))
    s3.delete_object(Bucket=place_name("erased", "looked"), Key="data.csv")
    held = buckets.held()
    assert [held[place_name(site, "looked")] for site in sites] == [True, False, True]
    assert "placement-access-log" not in held
    assert buckets.reference("p-a") == "s3://p-a"


def test_an_s3_service_that_is_away_means_later(tmp_path, monkeypatch):
    for name, value in AWS.items():
        monkeypatch.setenv(name, value)
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        client = s3_client(f"http://127.0.0.1:{taken.getsockname()[1]}")
        hook, _ = hook_of(tmp_path, Buckets(client, {}))
        assert hook.handle(*signed(event())).status == 503
        client.close()


def test_names_of_places_are_short_plain_and_never_another_pairs():
    pairs = [("a-b", "c"), ("a", "b-c"), ("A", "b.c"), ("x" * 200, "y" * 200), ("a:/", "._-")]
    names = [place_name(*pair) for pair in pairs]
    assert len(set(names)) == len(pairs)
    assert all(3 <= len(name) <= 60 and name.strip("-") == name for name in names)
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") for name in names)


# -- the command --------------------------------------------------------------------------------


ASKED: list[tuple[str, str | None]] = []


class Service(BaseHTTPRequestHandler):
    """A service that has no such plan."""

    def do_GET(self):
        body = b'{"code":"not_found","detail":"there is no such decision","status":404}'
        self.send_response(404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        ASKED.append((self.path, self.headers["authorization"]))

    def log_message(self, *_):
        pass


def test_the_command_asks_the_service_for_the_certificate(tmp_path):
    root = tmp_path / "places"
    root.mkdir()
    (tmp_path / "token").write_text("tok-1\n")
    with HTTPServer(("127.0.0.1", 0), Service) as service:
        ASKED.clear()
        thread = threading.Thread(target=service.serve_forever, args=(0.01,))
        thread.start()
        service_url = f"http://127.0.0.1:{service.server_address[1]}"
        options = ("--service", service_url, "--token-file", str(tmp_path / "token"))
        try:
            with hook_process(tmp_path, "--folder", str(root), *options) as url:
                assert sent(url, event(1, data=lasting())) == [503]
        finally:
            service.shutdown()
            thread.join(30)
    assert ASKED == [("/v1/decisions/7/plan", "Bearer tok-1")]
    assert not list(root.iterdir())


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["--folder", "nowhere"], "--folder"),
        (["--folder", ".", "--look"], "--service"),
        (["--s3-url", "http://example.org"], "--s3-url"),
        (["--folder", ".", "--service", "https://example.org"], "--token-file"),
        (["--folder", ".", "--attested", "nowhere"], "--attested"),
    ],
)
def test_an_option_that_cannot_be_used_is_named(tmp_path, monkeypatch, capsys, arguments, option):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret").write_text(SECRET)
    assert main(["--secret-file", "secret", "--port", "0", *arguments]) == 2
    assert capsys.readouterr().err.startswith(f"{option}: ")


def test_without_a_secret_nothing_is_listened_to(tmp_path, capsys):
    assert main(["--folder", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("--secret-file: ")


def test_a_secret_file_that_holds_none_is_refused_without_repeating_it(tmp_path, capsys):
    (tmp_path / "secret").write_text("hunter2hunter2\n")
    arguments = [
        "--secret-file",
        str(tmp_path / "secret"),
        "--port",
        "0",
        "--folder",
        str(tmp_path),
    ]
    assert main(arguments) == 2
    told = capsys.readouterr().err
    assert told.startswith("secret: ")
    assert "hunter2" not in told


def test_without_boto3_the_error_says_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "boto3", None)
    (tmp_path / "secret").write_text(SECRET)
    command = ["--secret-file", str(tmp_path / "secret"), "--port", "0", "--s3-url"]
    assert main([*command, "http://127.0.0.1:9"]) == 2
    assert "pip install boto3" in capsys.readouterr().err
