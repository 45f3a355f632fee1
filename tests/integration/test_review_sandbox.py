"""Drafts by somebody who means harm, checked by the real programs in the real sandbox."""

from __future__ import annotations

import os
import socket
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from models import PolicyFiles
from placement.errors import PolicyEngineError
from placement.review import sandbox
from placement.review.asking import DraftHost, obligations
from placement.review.checks import check_draft
from placement.review.sandbox import Limits, SandboxError, run
from placement.review.workspace import workspace
from placement.service.reviewing import examine, tools_of
from placement.settings import read_settings
from tests.own_children import children, own_children
from tests.policy_cases import shipped

__all__ = ["own_children"]  # a fixture

pytestmark = pytest.mark.usefixtures("own_children")

SMALL = """# METADATA
# description: A small policy.
package small

# METADATA
# description: The answer.
# entrypoint: true
answer := 42
"""
SMALL_TEST = """package small_test

import data.small

test_answer if small.answer == 42
"""
MANIFEST = '{"roots": ["small", "small_test"], "rego_version": 1}\n'


@pytest.fixture(scope="module")
def tools():
    return tools_of(read_settings())


def draft(**files):
    named = {name.replace("__", "/") + ".rego": text for name, text in files.items()}
    given = {"small/small.rego": SMALL, "small/small_test.rego": SMALL_TEST, **named}
    return PolicyFiles(files={".manifest": MANIFEST, **given})


def checked(tools, **files):
    return check_draft(draft(**files), tools, lambda here: [])


def rule(text):
    return f"package small\n\n{text}\n"


def case(text):
    return f"package small_test\n\n{text}\n"


def test_a_small_draft_is_clean(tools):
    report = checked(tools)
    assert report.defects == ()
    assert (report.tests, report.coverage) == (1, 100)


@pytest.mark.parametrize(
    "text",
    [
        'http.send({"method": "GET", "url": "http://127.0.0.1/"})',
        "opa.runtime()",
        "opa.runtime().env",
        'net.lookup_ip_addr("localhost")',
        'rego.parse_module("x.rego", "package x")',
        "time.now_ns()",
        'rand.intn("x", 5)',
        'uuid.rfc4122("x")',
        "numbers.range(1, 20000000)",
        "numbers.range_step(1, 20000000, 1)",
        "bits.lsh(1, 100000000000)",
        'net.cidr_expand("10.0.0.0/8")',
        'io.jwt.decode("a.b.c")',
        'crypto.x509.parse_certificates("x")',
        'graphql.parse_schema("x")',
        'yaml.unmarshal("a: &a [*a]")',
        'json.match_schema({}, {"$ref": "http://127.0.0.1/"})',
        "trace(`x`)",
        "custom.builtin(1)",
    ],
)
def test_functions_that_are_not_on_the_list(tools, text):
    for file, content in (("small__x", rule(f"x := {text}")), ("small__y", rule(f"x if {text}"))):
        report = checked(tools, **{file: content})
        assert {defect.check for defect in report.defects} == {"capabilities"}, report
        assert all(defect.row == 3 and defect.column for defect in report.defects)


@pytest.mark.parametrize(
    "text",
    [
        "x := y if y := upper(`a`) with upper as http.send",
        "x := y if y := upper(`a`) with upper as opa.runtime",
        "x := y if y := data.small.answer with data.small.answer as opa.runtime()",
        "x := y if y := count([1]) with count as numbers.range",
    ],
)
def test_with_does_not_get_round_the_list(tools, text):
    report = checked(tools, small__x=rule(text))
    assert report.defects
    assert {defect.check for defect in report.defects} <= {"capabilities", "check"}


@pytest.mark.parametrize(
    "package",
    ["system.authz", "system", "authz", "authz.rights", "placement", "small_too", "x"],
)
def test_packages_of_others(tools, package):
    report = checked(tools, small__x=f"package {package}\n\ndefault allow := true\n")
    assert [defect.check for defect in report.defects] == ["check"]


def test_a_remote_schema_is_not_fetched(tools):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        inline = f'{{"$ref": "http://127.0.0.1:{port}/s.json"}}'
        text = rule("x := input.a").replace(
            "package small", f"# schemas:\n#   - input: {inline}\npackage small"
        )
        report = checked(tools, small__x=text)
        assert report.defects
        listening.settimeout(0)
        with pytest.raises(BlockingIOError):
            listening.accept()


@pytest.mark.parametrize(
    "text",
    [
        "test_x if count(numbers.range(1, 20000000)) > 0",
        "l := numbers.range(1, 100000)\n\ntest_x if count({[a, b] | some a in l; some b in l}) > 0",
        "l := numbers.range(1, 100000)\n\ntest_x if count([a | some a in l; some _ in l]) < 0",
        "l := numbers.range(1, 9999)\n\ntest_x if count(concat(sprintf(`%9999d`, l), [``])) < 0",
    ],
)
def test_tests_that_take_for_ever_or_everything_end(tools, text):
    report = checked(tools, small__x_test=case(text))
    tests = [defect for defect in report.defects if defect.check == "test"]
    assert tests
    assert not children(recursive=True)


def test_a_rule_that_takes_everything_ends_when_it_is_asked(tools):
    text = rule("x := [[a, b, c] | some a in input.l; some b in input.l; some c in input.l]")
    limits = replace(Limits(), cpu_s=2)
    with workspace(draft(small__x=text), tools) as here, pytest.raises(SandboxError, match="more"):
        here.evaluate("small/x", {"l": list(range(3000))}, limits)


def test_deep_brackets_end_in_the_sandbox_too(tools):
    """The limits refuse them before; OPA must be harmless even where the limits miss them."""
    text = "package small\n\nx := " + "[" * 100_000 + "]" * 100_000
    with workspace(draft(small__x=text), tools) as here:
        ran = here.opa("check", "--bundle", "rules")
    assert ran.code != 0


def test_every_defect_of_a_test_and_of_style_says_where(tools):
    report = checked(
        tools,
        small__x_test=case("test_wrong if 1 == 2\n\ntodo_test_later if 1 == 1"),
        small__y=rule("unseen := 1"),
    )
    found = {(d.check, d.file, d.row) for d in report.defects}
    assert ("test", "small/x_test.rego", 3) in found
    assert ("test", "small/x_test.rego", 5) in found
    uncovered = checked(tools, small__y=rule("unseen := 1"))
    assert [(d.check, d.file, d.row) for d in uncovered.defects] == [
        ("coverage", "small/y.rego", 3)
    ]
    assert uncovered.coverage < 100
    unformatted = checked(tools, small__x_test=case("test_x if   1 == 1"))
    assert ("fmt", "small/x_test.rego", 3) in {
        (d.check, d.file, d.row) for d in unformatted.defects
    }


def test_without_regal_nothing_passes(tools):
    report = checked(replace(tools, regal=None))
    assert ["regal is missing" in str(defect) for defect in report.defects] == [True]


def test_policies_that_lost_their_entrypoints_or_their_shape():
    files = dict(shipped().files)
    rules = files["placement/placement.rego"]
    assert examine(read_settings(), PolicyFiles(files=files)).defects == ()
    files["placement/placement.rego"] = rules.replace(
        '"closed_stack": openness', '"open": openness'
    )
    report = examine(read_settings(), PolicyFiles(files=files))
    assert report.defects
    # What its own tests do not find, the questions do.
    for name in list(files):
        if name.endswith("placement_test.rego"):
            del files[name]
    assert examine(read_settings(), PolicyFiles(files=files)).defects


def test_a_small_draft_answers_no_question_about_placements(tools):
    with workspace(draft(), tools) as here:
        with pytest.raises(PolicyEngineError, match="undefined"):
            DraftHost(here).query("placement/batch", {}, 10.0)
        assert DraftHost(here).query("small/answer", {}, 10.0)[0] == 42
        assert obligations(here) == ()


# -- the sandbox itself -----------------------------------------------------------------------


def python(folder, code, **limits):
    return run([sys.executable, "-I", "-c", code], folder, replace(Limits(), **limits), {})


def test_nothing_of_our_environment_is_there(tmp_path, monkeypatch):
    monkeypatch.setenv("CITY_SECRET", "hidden")
    ran = python(tmp_path, "import os; print(dict(os.environ))")
    assert b"hidden" not in ran.out
    assert ran.code == 0


def test_no_socket_can_be_made(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        code = f"import socket; socket.create_connection(('127.0.0.1', {port}), 5)"
        ran = python(tmp_path, code)
        assert ran.code == 1
        assert b"Operation not permitted" in ran.err
        code = (
            f"import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', {code!r}]))"
        )
        assert python(tmp_path, code).code != 0  # nor by a child


def test_no_other_process_can_be_ended(tmp_path):
    ran = python(tmp_path, f"import os; os.kill({os.getpid()}, 0)")
    assert b"PermissionError" in ran.err


def test_memory_time_output_and_files_have_limits(tmp_path):
    memory = python(tmp_path, "x = bytearray(1 << 30)")
    assert "memory" in memory.stopped
    spin = python(tmp_path, "while True: pass", cpu_s=1)
    assert "processor time" in spin.stopped
    sleep = python(tmp_path, "import time; time.sleep(600)", wall_s=0.5)
    assert "more than 0.5 s" in sleep.stopped
    flood = python(tmp_path, "while True: print('x' * 1000)", output_bytes=100_000)
    assert "printed more" in flood.stopped
    python(tmp_path, "open('big', 'wb').write(bytes(1 << 20))", file_bytes=1000)
    assert (tmp_path / "big").stat().st_size <= 1000


def test_whoever_closes_its_pipes_and_goes_on_is_ended(tmp_path):
    code = "import os, time; os.close(1); os.close(2); time.sleep(600)"
    assert "more than 1 s" in python(tmp_path, code, wall_s=1.0).stopped


def test_children_end_with_it(tmp_path):
    code = "import subprocess, sys; print(subprocess.Popen(['/bin/sleep', '600']).pid)"
    ran = run([sys.executable, "-I", "-c", code], tmp_path, replace(Limits(), wall_s=5.0), {})
    pid = int(ran.out)
    end = time.monotonic() + 30
    while psutil.pid_exists(pid) and time.monotonic() < end:
        if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            break
        time.sleep(0.01)
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_where_no_sandbox_can_be_built_nothing_runs(tmp_path, monkeypatch):
    launcher = tmp_path / "launcher.py"
    real = Path(sandbox._LAUNCHER).read_text()
    launcher.write_text(real.replace('sys.platform.startswith("linux")', "False"))
    monkeypatch.setattr(sandbox, "_LAUNCHER", launcher)
    with pytest.raises(SandboxError, match="on Linux alone"):
        python(tmp_path, "print(1)")
    assert python(tmp_path, "print(1)", network=True).out == b"1\n"
    launcher.write_text(real.replace("apart or filtered", "False"))
    with pytest.raises(SandboxError, match="neither"):
        python(tmp_path, "print(1)")
