"""The README's way from a plan to infrastructure: its commands are run, and print what it says.

A real service with its OPA, a real hook, and moto's server for S3; each on a port of its own.
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

import pytest

from tests.integration import test_readme_service
from tests.integration.test_readme_service import (
    MARK,
    README,
    environment,  # noqa: F401  a fixture
    run,
    told,
)

TITLE = "\n## From a plan to infrastructure\n"
PORTS = {"PORT": 8000, "HOOK_PORT": 8081, "S3_PORT": 5000}
DATASET = "bodycam-footage"

STATE = """
python3 - <<'END'
import json, os, boto3
s3 = boto3.client("s3", endpoint_url=os.environ["S3_URL"], region_name="us-east-1")
found = {}
for bucket in s3.list_buckets()["Buckets"]:
    name = bucket["Name"]
    if name.startswith("p-"):
        rules = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
        tags = s3.get_bucket_tagging(Bucket=name)["TagSet"]
        found[name] = {tag["Key"]: tag["Value"] for tag in tags} | {
            "at rest": rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"],
            "versions": s3.get_bucket_versioning(Bucket=name).get("Status"),
        }
print(json.dumps(found))
END
placement placements --format json
"""
MOVED = f"""
python3 - <<'END'
import json, os, boto3
s3 = boto3.client("s3", endpoint_url=os.environ["S3_URL"], region_name="us-east-1")
names = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
print(json.dumps({{
    name: [item["Key"] for item in s3.list_objects_v2(Bucket=name).get("Contents", ())]
    for name in names if "-{DATASET}-" in name
}}))
END
"""
WRONG = f"""
last() {{ placement subscriptions deliveries "$SUBSCRIPTION" --format json |
           python3 -c 'import json, sys; print(json.dumps(json.load(sys.stdin)["items"][-1]))'; }}
placement subscriptions create https://hooks.example.org/events 2>&1 || echo "exit $?"
kill "$HOOK"; wait "$HOOK" || true
PLACEMENT_TOKEN=$(cat "$PLACEMENT_DATA/hook.token") placement observe {DATASET} \
  --found zichtenburg-dc --not-found indus-bengaluru
until last | grep "no connection could be made"; do sleep 0.2; done
mkdir "$PLACEMENT_DATA/other"
echo "whsec_$(printf '0%.0s' $(seq 32))" > "$PLACEMENT_DATA/other/secret"
python3 -m placement.client.example_hook --port "$HOOK_PORT" --folder "$PLACEMENT_DATA/other" \
  --secret-file "$PLACEMENT_DATA/other/secret" 2> "$PLACEMENT_DATA/other/log" &
HOOK=$!
until last | grep "HTTP status 401"; do sleep 0.2; done
grep -c "a message is not proven: the signature does not hold" "$PLACEMENT_DATA/other/log"
kill "$HOOK"; wait "$HOOK" || true
python3 - "$PLACEMENT_DATA/placement.sqlite3" <<'END'
import sqlite3, sys
with sqlite3.connect(sys.argv[1], timeout=30) as kept:  # as after ten attempts within 16 hours
    kept.execute("UPDATE deliveries SET state = 'dead' WHERE state = 'pending'")
END
python3 -m placement.client.example_hook --port "$HOOK_PORT" --s3-url "$S3_URL" \
  --secret-file "$PLACEMENT_DATA/hook.secret" 2> "$PLACEMENT_DATA/hook.log" &
HOOK=$!
until grep -s "listening on" "$PLACEMENT_DATA/hook.log"; do sleep 0.2; done
placement subscriptions redrive "$SUBSCRIPTION"
until last | grep '"delivered"'; do sleep 0.2; done
"""


def steps() -> list[tuple[str, str]]:
    """Each block of commands, and what the README says that it prints."""
    assert TITLE in README
    section = README.split(TITLE, 1)[1].split("\n## ", 1)[0]
    found = re.findall(
        r"^```sh\n(.*?)^```$(?:\n\n```text\n(.*?)^```$)?", section, re.DOTALL | re.MULTILINE
    )
    assert section.count("```sh\n") == len(found)
    assert section.count("```text\n") == sum(bool(printed) for _, printed in found)
    return found


def free_ports(number: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]


def plain(text: str) -> str:
    """What does not change from one run to the next, with single blanks."""
    text = re.sub(r"\b(sub|evt)_[0-9a-f]{32}\b", r"\1_ID", text)
    text = re.sub(r"\b\d{4}-\d\d-\d\d( \d\d:\d\d:\d\dZ)?", "TIME", text)
    return " ".join(text.split())


def missing(said: str, printed: str) -> Iterator[str]:
    """Lines that the README shows and the command did not print, in this order."""
    left = [plain(line) for line in printed.splitlines()]
    for line in said.splitlines():
        wanted = plain(line)
        if wanted in ("", "..."):
            continue
        pattern = ".*".join(re.escape(part.strip()) for part in wanted.split("..."))
        at = next((i for i, one in enumerate(left) if re.fullmatch(pattern, one)), None)
        if at is None:
            yield line
        else:
            left = left[at + 1 :]


@pytest.mark.parametrize(
    ("said", "printed", "lacking"),
    [
        ("a ...\n...\nc", "a b\nx\nc", []),
        ("  a   b", "a b", []),
        ("a\nb", "b\na", ["b"]),
        ("a b", "a b c", ["a b"]),
        ("sub_" + "0" * 32 + " at 2026-01-01", "sub_" + "a" * 32 + " at 2027-02-03", []),
    ],
)
def test_what_counts_as_printed(said, printed, lacking):
    assert list(missing(said, printed)) == lacking


def test_every_command_of_the_section_prints_what_it_says(
    environment,  # noqa: F811
    tmp_path,
    monkeypatch,
):
    monkeypatch.setattr(test_readme_service, "PATIENCE_S", 900)
    found = steps()
    ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
    before = " ".join(f"{name}={port}" for name, port in PORTS.items())
    assert before in found[0][0]
    commands = [text for text, _ in found]
    commands[0] = commands[0].replace(before, " ".join(f"{n}={p}" for n, p in ports.items()))
    assert "$?" in commands[-2]
    assert 'kill "$HOOK"' in commands[-1]
    decided = next(i for i, text in enumerate(commands) if "decisions approve 1" in text)
    probes = {decided: STATE, len(commands) - 2: MOVED + WRONG}
    every = [(text, probes.get(number, "")) for number, text in enumerate(commands)]
    flat = [part for pair in every for part in pair]
    script = "\n".join(f"printf '\\n{MARK} {i}\\n'\n{text}" for i, text in enumerate(flat))
    code, out, err = run(script, environment)
    log = tmp_path / "placement-hook" / "hook.log"
    hooked = log.read_text() if log.exists() else ""
    assert code == 0, f"{out[-3000:]}\n{err[-3000:]}\n{hooked[-2000:]}"

    (tmp_path / "printed").write_text(out)  # to look at when it is not what was to be printed
    for name, port in ports.items():
        out = out.replace(f":{port}", f":{PORTS[name]}")
    parts = told(out, flat)
    for (_, said), printed in zip(found, parts[::2], strict=True):
        assert not list(missing(said, printed)), printed
    check_made(parts[2 * decided + 1])
    check_moved(parts[-3])


def check_made(printed: str) -> None:
    """A bucket for each dataset at each site, as the placements and their duties demand."""
    first, _, rest = printed.strip().partition("\n")
    buckets, placed = json.loads(first), json.loads(rest)["items"]
    assert len(placed) == 109
    made = {(tags["dataset"], tags["site"]): tags for tags in buckets.values()}
    wanted = {(one["dataset"], site["site"]): site for one in placed for site in one["sites"]}
    assert set(made) == set(wanted)
    states = set()
    for (dataset, site), hosted in wanted.items():
        tags = made[dataset, site]
        codes = {duty["code"] for duty in hosted["host_obligations"]}
        assert {key[11:] for key in tags if key.startswith("obligation:")} == codes
        assert tags["at rest"] == "aws:kms"
        assert (tags["versions"] == "Enabled") == ("security.back_up_elsewhere" in codes)
        one = next(each for each in placed if each["dataset"] == dataset)
        said = next(each for each in one["actual"]["sites"] if each["site"] == site)
        failed = "security.back_up_elsewhere" in codes
        assert said["state"] == ("failed" if failed else "done"), (dataset, site)
        assert said["evidence"]["reference"].removeprefix("s3://") in buckets
        states.add(said["state"])
    assert states == {"done", "failed"}


def check_moved(printed: str) -> None:
    """The data is where somebody put it; and what is wrong with a hook is said."""
    lines: Sequence[str] = printed.strip().splitlines()
    moved = json.loads(lines[0])
    assert [name.startswith("p-indus-bengaluru-") for name in moved] == [True]
    assert list(moved.values()) == [["2026-12-03.mp4"]]
    assert lines[1] == "url: PLACEMENT_WEBHOOK_HOSTS does not allow this host"
    assert lines[2] == "exit 2"
    assert lines[3] == f"Observation 3 of {DATASET} is kept."
    down, refused, counted = json.loads(lines[4]), json.loads(lines[5]), lines[6]
    assert (down["type"], down["state"]) == ("placement.dataset.settled", "pending")
    assert (refused["state"], refused["last_status"]) == ("pending", 401)
    assert int(counted) >= 1
    assert "1 deliveries are tried again." in lines
    assert json.loads(lines[-1])["state"] == "delivered"
