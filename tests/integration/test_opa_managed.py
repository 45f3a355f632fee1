"""The OPA we start: answers only us, fails loudly, and never outlives us."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

import psutil
import pytest
import requests

from placement.eligibility import PolicyEngine, binary, open_engine, policy_digest, process
from placement.eligibility.hosts import MAX_RESTARTS
from placement.errors import PolicyEngineError
from tests import builders
from tests.opa_fakes import (
    BATCH,
    GOOD,
    HEAD,
    SEGREGATION,
    SLOW,
    opa_settings,
    question,
    site_view,
    view,
    write_policies,
)
from tests.own_children import children, own_children

__all__ = ["own_children"]  # a fixture

pytestmark = pytest.mark.usefixtures("own_children")

ROOT = Path(__file__).resolve().parents[2]


def connected_ports() -> set[int]:
    """Our own ends of this process's established connections."""
    found = psutil.Process().net_connections("tcp")
    return {c.laddr.port for c in found if c.status == psutil.CONN_ESTABLISHED}


def managed(engine: PolicyEngine) -> Any:
    """The engine's own OPA, with everything that only these tests look into."""
    return engine._host


def output_of(child: subprocess.Popen[bytes]) -> IO[bytes]:
    assert child.stdout is not None
    return child.stdout


@pytest.fixture
def policies(tmp_path):
    return write_policies(tmp_path / "policies")


def opa_child() -> psutil.Process:
    return next(p for p in children() if "run" in p.cmdline())


def wait_until(true, seconds=20.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.02)
    return False


def opened(policies, **changes):
    """Open an engine and close it again."""
    with open_engine(policies, opa_settings(**changes)):
        pass


# --- answers -------------------------------------------------------------------------------------


def test_it_answers_batches_and_single_questions_alike(policies):
    views = [("a", view()), ("b", view(high_value=True)), ("c", view())]
    sites = [site_view(), site_view(id="paris", country="FR")]
    with open_engine(policies, opa_settings()) as engine:
        table = engine.evaluate(views, sites, builders.AS_OF)
        singles = {
            (d, s.id): engine.ask(question(dataset=v, site=s)) for d, v in views for s in sites
        }
    assert table.profile_of == (0, 1, 0)
    assert len(table.verdicts) == 2
    for (d, s), verdict in singles.items():
        at = table.verdict(table.datasets.index(d), table.sites.index(s))
        assert at == verdict
        assert at.eligible == ((d, s) != ("b", "paris"))
    assert [o.code for o in table.obligations] == ["test.high_value_stays_in_nl"]
    assert table.policy_revision == policy_digest(policies) == engine.revision
    assert table.opa_version == engine.opa_version


def test_many_pairs_go_into_several_batches_with_the_same_answer(policies, monkeypatch):
    views = [
        (str(n), view(non_publication_grounds=(f"5.{n}",), duties=(f"duty{n % 3}",)))
        for n in range(7)
    ]
    sites = [site_view(id="one", kind="public_cloud"), site_view(id="two", country="FR")]
    with open_engine(policies, opa_settings()) as engine:
        whole = engine.evaluate(views, sites, builders.AS_OF)
        for pairs in (1, 4, 5):
            monkeypatch.setattr("placement.eligibility.engine.MAX_PAIRS", pairs)
            assert engine.evaluate(views, sites, builders.AS_OF) == whole
    assert len(whole.segregated_duties) == 3


def test_segregated_duties_are_the_same_in_the_batch_and_asked_alone(policies):
    views = [("a", view(duties=("pay", "approve"))), ("b", view(duties=("audit",)))]
    sites = [site_view(id="cloud", kind="public_cloud"), site_view()]
    with open_engine(policies, opa_settings()) as engine:
        table = engine.evaluate(views, sites, builders.AS_OF)
        duties = ["pay", "audit", "approve"]
        alone = {s.id: engine.ask_segregated(s, duties, builders.AS_OF) for s in sites}
    assert alone["townhall"] == frozenset()
    assert alone["cloud"] == {("approve", "audit"), ("approve", "pay"), ("audit", "pay")}
    assert {(p.duty, p.other) for p in table.segregated_duties if p.site == "cloud"} == alone[
        "cloud"
    ]


def test_nothing_to_place_is_an_empty_table(policies):
    with open_engine(policies, opa_settings()) as engine:
        assert engine.evaluate([], [site_view()], builders.AS_OF).verdicts == ()
        assert engine.evaluate([("a", view())], [], builders.AS_OF).verdicts == ((),)


def test_threads_share_an_engine(policies):
    with open_engine(policies, opa_settings()) as engine, ThreadPoolExecutor(4) as pool:
        sites = [site_view(id=f"s{n}", country="FR" if n % 2 else "NL") for n in range(40)]
        answers = pool.map(
            lambda s: engine.ask(question(dataset=view(high_value=True), site=s)), sites
        )
        assert [a.eligible for a in answers] == [s.country == "NL" for s in sites]


def test_a_connection_is_kept_for_the_next_question(policies):
    with open_engine(policies, opa_settings()) as engine:
        engine.ask(question())
        before = connected_ports()
        for _ in range(20):
            engine.ask(question())
        after = connected_ports()
    assert before == after != set()


def test_two_engines_at_once(tmp_path):
    here = write_policies(tmp_path / "here")
    there = write_policies(tmp_path / "there", GOOD.replace('"NL"', '"FR"'))
    asked = question(dataset=view(high_value=True))
    with open_engine(here, opa_settings()) as one, open_engine(there, opa_settings()) as two:
        assert one.revision != two.revision
        assert one.ask(asked).eligible
        assert not two.ask(asked).eligible


# --- policies that do not answer -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("rego", "reason"),
    [
        (HEAD, "undefined"),
        (HEAD.replace("package placement", "package elsewhere"), "elsewhere"),
        (GOOD + "verdict := {", "rego_parse_error"),
        (GOOD.replace("[v | some s", "[v | false; some s"), None),
        (HEAD + 'batch := "eligible"', "unexpected shape"),
        ("package placement\n\nbatch[x] { x = 1 }\n", "rego_parse_error"),
    ],
    ids=["no answer", "other root", "does not parse", "no rows", "no object", "rego v0"],
)
def test_policies_that_are_not_whole_are_an_error(tmp_path, rego, reason):
    policies = write_policies(tmp_path / "policies", rego)
    if reason is not None:
        with pytest.raises(PolicyEngineError, match=reason):
            opened(policies)
        return
    with (
        open_engine(policies, opa_settings()) as engine,
        pytest.raises(PolicyEngineError, match="not 1 rows of 1"),
    ):
        engine.evaluate([("a", view())], [site_view()], builders.AS_OF)


def test_a_verdict_that_is_undefined_for_one_pair_is_an_error_not_a_gap(tmp_path):
    rego = GOOD.replace("verdict := object", "verdict := object").replace(
        "message := sprintf", 'input.site.id != "townhall"\n\tmessage := sprintf'
    )
    partial = rego.replace("]})\n", ']}) if input.site.id != "gap"\n', 1)
    policies = write_policies(tmp_path / "policies", partial)
    sites = [site_view(), site_view(id="gap")]
    with open_engine(policies, opa_settings()) as engine:
        with pytest.raises(PolicyEngineError, match="not 1 rows of 2"):
            engine.evaluate([("a", view())], sites, builders.AS_OF)
        with pytest.raises(PolicyEngineError, match="undefined"):
            engine.ask(question(site=sites[1]))


def test_policies_that_contradict_themselves_are_an_error(tmp_path):
    rego = (
        HEAD
        + SEGREGATION
        + BATCH
        + "verdict := empty\n\nverdict := 1 if input.dataset.high_value\n"
    )
    policies = write_policies(tmp_path / "policies", rego)
    with open_engine(policies, opa_settings()) as engine:
        with pytest.raises(PolicyEngineError, match=r"conflicting values|multiple outputs"):
            engine.ask(question(dataset=view(high_value=True)))
        assert engine.ask(question()).eligible


def test_a_builtin_that_fails_is_an_error_not_silence(tmp_path):
    rego = GOOD.replace("input.dataset.high_value", "to_number(input.site.id) == 1")
    policies = write_policies(tmp_path / "policies", rego)
    with (
        open_engine(policies, opa_settings()) as engine,
        pytest.raises(PolicyEngineError, match="to_number"),
    ):
        engine.ask(question())


def test_one_obligation_with_two_texts_is_an_error(tmp_path):
    rego = GOOD.replace('"For tests."', 'sprintf("For %s.", [message])')
    policies = write_policies(tmp_path / "policies", rego)
    sites = [site_view(id="paris", country="FR"), site_view(id="rome", country="IT")]
    with (
        open_engine(policies, opa_settings()) as engine,
        pytest.raises(PolicyEngineError, match=r"test\.high_value_stays_in_nl in two ways"),
    ):
        engine.evaluate([("a", view(high_value=True))], sites, builders.AS_OF)


def test_an_obligation_whose_code_is_no_code_is_an_error(tmp_path):
    rego = GOOD.replace("test.high_value_stays_in_nl", "high value!")
    policies = write_policies(tmp_path / "policies", rego)
    asked = question(dataset=view(high_value=True), site=site_view(country="FR"))
    with (
        open_engine(policies, opa_settings()) as engine,
        pytest.raises(PolicyEngineError, match=r"Violation\.obligation"),
    ):
        engine.ask(asked)


def test_policies_cannot_see_our_environment_or_decide_who_may_ask(tmp_path, monkeypatch):
    monkeypatch.setenv("CITY_SECRET", "hidden")
    rego = HEAD + SEGREGATION + BATCH
    rego += """
verdict := object.union(empty, {"violations": [violation("test.env", seen)]}) if {
	seen := json.marshal(opa.runtime().env)
}
"""
    policies = write_policies(tmp_path / "policies", rego)
    with open_engine(policies, opa_settings()) as engine:
        assert engine.ask(question()).violations[0].message == "{}"
    (policies / ".manifest").write_text('{"roots": ["placement", "system/authz"]}')
    with pytest.raises(PolicyEngineError, match="`system` not among them"):
        opened(policies)


def test_a_query_that_takes_too_long_ends_at_the_deadline(tmp_path):
    policies = write_policies(tmp_path / "policies", SLOW)
    with (
        open_engine(policies, opa_settings(opa_deadline_s=3.0)) as engine,
        pytest.raises(PolicyEngineError, match=r"did not answer within 3\.0 s"),
    ):
        engine.ask(question())
    assert not children()


INTERRUPTED = """
import sys
from pathlib import Path
from placement.eligibility import open_engine
from tests import builders
from tests.opa_fakes import opa_settings, site_view, view
with open_engine(Path(sys.argv[1]), opa_settings(opa_deadline_s=3600.0)) as engine:
    print("asking", flush=True)
    engine.evaluate([("a", view())], [site_view()], builders.AS_OF)
"""


def test_who_interrupts_an_evaluation_does_not_wait_for_its_deadline(tmp_path):
    policies = write_policies(tmp_path / "policies", SLOW)
    asking = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, str(policies)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        assert output_of(asking).readline() == b"asking\n"
        (opa,) = (p for p in psutil.Process(asking.pid).children() if "run" in p.cmdline())
        before = opa.cpu_times().user
        assert wait_until(lambda: opa.cpu_times().user > before + 0.2)
        asking.send_signal(signal.SIGINT)
        _, errors = asking.communicate(timeout=60)
        assert b"KeyboardInterrupt" in errors
        assert wait_until(lambda: not running(opa.pid))
    finally:
        asking.kill()
        asking.wait()
        for stream in (asking.stdout, asking.stderr):
            if stream is not None:
                stream.close()


# --- binaries that are not OPA -------------------------------------------------------------------


def script(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_no_opa_on_path(policies, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PolicyEngineError, match="no OPA found"):
        opened(policies, opa_bin=None)


def test_opa_on_path_is_found(policies, monkeypatch, tmp_path):
    (tmp_path / "bin").mkdir()
    named = opa_settings().opa_bin
    if named is not None:
        (tmp_path / "bin" / "opa").symlink_to(named)
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with open_engine(policies, opa_settings(opa_bin=None)) as engine:
        assert engine.opa_version


def test_the_binary_named_does_not_exist(policies, tmp_path):
    missing = str(tmp_path / "no-opa")
    with pytest.raises(PolicyEngineError, match=r"OPA_BIN names no program: .*no-opa"):
        opened(policies, opa_bin=missing)


def test_the_binary_named_is_a_folder_or_cannot_be_executed(policies, tmp_path):
    plain = tmp_path / "plain"
    plain.write_text("x")
    for path in (tmp_path, plain):
        with pytest.raises(PolicyEngineError, match="names no program"):
            opened(policies, opa_bin=str(path))
    garbage = tmp_path / "garbage"
    garbage.write_bytes(b"\x00\x01\x02")
    garbage.chmod(0o755)
    with pytest.raises(PolicyEngineError, match="cannot be started"):
        opened(policies, opa_bin=str(garbage))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("echo hello", "is not OPA"),
        ("exit 1", "is not OPA"),
        ("head -c 100000 /dev/zero", "is not OPA"),
        ("while :; do echo y; done", "is not OPA"),
        ("echo 'Version: 0.70.0'", r"OPA 1\.10 or a later 1\.x is needed, not '0\.70\.0'"),
        ("echo 'Version: 1.9.3'", "is needed"),
        ("echo 'Version: 2.0.0'", "is needed"),
        ("echo 'Version: dev'", "is needed"),
    ],
)
def test_a_program_that_is_not_a_supported_opa(policies, tmp_path, text, reason):
    with pytest.raises(PolicyEngineError, match=reason):
        opened(policies, opa_bin=script(tmp_path / "opa", text))


def test_a_program_that_hangs_is_left_with_all_its_children(policies, tmp_path, monkeypatch):
    monkeypatch.setattr(binary, "_VERSION_SECONDS", 0.5)
    pids = tmp_path / "pids"
    hanging = script(tmp_path / "opa", f"sleep 1000 &\necho $! $$ > {pids}\nwait")
    with pytest.raises(PolicyEngineError, match="is not OPA"):
        opened(policies, opa_bin=hanging)
    assert wait_until(lambda: not any(psutil.pid_exists(int(p)) for p in pids.read_text().split()))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("echo 'bad bundle' >&2; exit 3", "exit code 3: bad bundle"),
        ("kill -9 $$", "killed by SIGKILL"),
        ("exec sleep 1000", "did not start within"),
    ],
)
def test_a_program_that_tells_a_version_but_serves_nothing(
    policies, tmp_path, monkeypatch, text, reason
):
    monkeypatch.setattr(process, "_START_SECONDS", 1.0)
    fake = script(
        tmp_path / "opa", f'[ "$1" = version ] && echo "Version: 1.22.2" && exit 0\n{text}'
    )
    with pytest.raises(PolicyEngineError, match=reason):
        opened(policies, opa_bin=fake)
    assert not children()
    assert not list(Path(tempfile.gettempdir()).glob("placement-opa-*"))


# --- secrecy -------------------------------------------------------------------------------------


def test_only_the_token_opens_the_door_and_only_to_the_three_questions(policies):
    with open_engine(policies, opa_settings()) as engine:
        endpoint = managed(engine).process.endpoint
        url = f"http://127.0.0.1:{endpoint.port}/v1/data"
        body = {"input": {"datasets": [], "sites": [], "duties": [], "as_of": "2026-01-01"}}

        def status(method, path, token):
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            return requests.request(method, f"{url}{path}", json=body, headers=headers).status_code

        assert status("POST", "/placement/batch", endpoint.token) == 200
        for token in (None, "wrong", endpoint.token[:-1], endpoint.token + "x"):
            assert status("POST", "/placement/batch", token) == 401
        for method, path in [
            ("GET", "/placement/batch"),
            ("PUT", "/placement/batch"),
            ("POST", ""),
            ("POST", "/system/authz"),
            ("POST", "/placement/batch/verdicts"),
            ("GET", "/../config"),
            ("GET", "/../policies"),
            ("PUT", "/../policies/new"),
            ("DELETE", "/../policies/policies%2Fplacement.rego"),
            ("POST", "/../query"),
        ]:
            assert status(method, path, endpoint.token) in (401, 404), (method, path)
        assert engine.ask(question()).eligible


def test_the_token_is_in_no_argument_environment_or_file(policies, monkeypatch, tmp_path):
    seen: list[bytes] = []
    real = process._start_opa

    def spy(opa, folder, output, more):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        seen.extend(path.read_bytes() for path in folder.rglob("*") if path.is_file())
        return real(opa, folder, output, more)

    monkeypatch.setattr(process, "_start_opa", spy)
    with open_engine(policies, opa_settings()) as engine:
        endpoint = managed(engine).process.endpoint
        opa = opa_child()
        assert seen
        for text in (*seen, " ".join(opa.cmdline()).encode(), repr(endpoint).encode()):
            assert endpoint.token.encode() not in text
        assert opa.environ() == {}
        assert all(c.laddr.ip == "127.0.0.1" for c in opa.net_connections("inet"))
    assert not list(Path(tempfile.gettempdir()).glob("placement-opa-*"))


def test_the_port_is_one_that_nobody_else_has(policies):
    with contextlib.ExitStack() as stack:
        engines = [stack.enter_context(open_engine(policies, opa_settings())) for _ in range(3)]
        ports = {managed(engine).process.endpoint.port for engine in engines}
        assert len(ports) == 3
        for port in ports:
            with pytest.raises(OSError, match="in use"), socket.socket() as other:
                other.bind(("127.0.0.1", port))


# --- life and death ------------------------------------------------------------------------------


def kill_during_query(engine):
    """Kill OPA while a query that takes minutes is running; the query's error."""
    opa = opa_child()

    def strike():
        assert wait_until(lambda: opa.cpu_times().user > before + 0.2)
        opa.kill()

    before = opa.cpu_times().user
    killer = threading.Thread(target=strike)
    killer.start()
    with pytest.raises(PolicyEngineError) as caught:
        engine.ask(question())
    killer.join()
    return caught.value


def test_killed_in_the_middle_of_a_query_is_an_error_that_says_so(tmp_path):
    policies = write_policies(tmp_path / "policies", SLOW)
    with open_engine(policies, opa_settings(opa_deadline_s=120.0)) as engine:
        error = kill_during_query(engine)
        assert error.exit_code == 3
        assert str(error) == "OPA was killed by SIGKILL (the answer is not known)"
        assert not children()
    assert not children()


def test_killed_between_two_questions_fails_the_next_and_then_goes_on(policies):
    with open_engine(policies, opa_settings()) as engine:
        for _ in range(2):
            opa = opa_child()
            opa.kill()
            assert wait_until(lambda dead=opa.pid: not running(dead))
            with pytest.raises(PolicyEngineError, match="killed by SIGKILL"):
                engine.ask(question())
            assert engine.ask(question()).eligible
            assert opa_child().pid != opa.pid


def test_it_is_not_started_again_without_end(policies):
    with open_engine(policies, opa_settings()) as engine:
        for restarts in range(MAX_RESTARTS + 1):
            opa_child().kill()
            with pytest.raises(PolicyEngineError, match="killed by SIGKILL"):
                engine.ask(question())
            if restarts < MAX_RESTARTS:
                assert engine.ask(question()).eligible
        assert not children()
        for _ in range(2):
            with pytest.raises(PolicyEngineError, match=f"more than {MAX_RESTARTS} times") as e:
                engine.ask(question())
            assert e.value.exit_code == 3


def test_somebody_on_the_port_of_a_dead_opa_is_not_believed(policies, monkeypatch):
    with open_engine(policies, opa_settings()) as engine:
        child, link = managed(engine)._running
        honest = engine.ask(question()).model_dump()
        body = link.query("placement/verdict", question().model_dump(mode="json"), 20.0)

        def answer_of_another(rule, document, seconds):
            opa_child().kill()
            assert wait_until(child.ended)
            return body

        monkeypatch.setattr(link, "query", answer_of_another)
        with pytest.raises(PolicyEngineError, match="killed by SIGKILL"):
            engine.ask(question())
        assert engine.ask(question()).model_dump() == honest


def test_a_closed_engine_answers_nothing_and_starts_nothing(policies):
    with open_engine(policies, opa_settings()) as engine:
        pass
    with pytest.raises(PolicyEngineError, match="closed"):
        engine.ask(question())
    assert not children()


def test_an_exception_inside_the_block_stops_opa(policies):
    with pytest.raises(KeyboardInterrupt), open_engine(policies, opa_settings()):
        raise KeyboardInterrupt
    assert not children()


def test_opa_is_stopped_when_its_policies_do_not_answer(tmp_path):
    with pytest.raises(PolicyEngineError):
        opened(write_policies(tmp_path / "policies", HEAD))
    assert not children()


PARENT = """
import sys, time
from pathlib import Path
import psutil
from placement.eligibility import open_engine
from placement.settings import read_settings
with open_engine(Path(sys.argv[1]), read_settings()) as engine:
    print(*(child.pid for child in psutil.Process().children()), flush=True)
    {then}
"""


@pytest.mark.parametrize(
    ("then", "end"),
    [
        ("time.sleep(1000)", signal.SIGKILL),
        ("time.sleep(1000)", signal.SIGTERM),
        ("time.sleep(1000)", signal.SIGINT),
        ("time.sleep(1000)", signal.SIGHUP),
        ("import os; os._exit(3)", None),
        ("import os; os.abort()", None),
        ("sys.exit(0)", None),
        ("raise MemoryError", None),
    ],
)
def test_however_we_end_opa_ends_too(policies, then, end):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT.format(then=then), str(policies)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        cwd=policies.parent,
        start_new_session=True,
    )
    try:
        pids = [int(pid) for pid in output_of(parent).readline().split()]
        assert len(pids) == 2
        if end is not None:
            assert all(psutil.pid_exists(pid) for pid in pids)
            os.killpg(parent.pid, end)
        parent.wait(30)
        assert wait_until(lambda: not any(running(pid) for pid in pids))
    finally:
        parent.kill()
        parent.wait()
        output_of(parent).close()


def running(pid):
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def test_opa_outlives_the_thread_that_started_it(policies):
    with contextlib.ExitStack() as stack:
        engines = []
        thread = threading.Thread(
            target=lambda: engines.append(
                stack.enter_context(open_engine(policies, opa_settings()))
            )
        )
        thread.start()
        thread.join()
        assert engines[0].ask(question()).eligible
