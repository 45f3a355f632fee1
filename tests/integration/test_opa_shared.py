"""An OPA that others run: it answers only while it holds exactly our policies."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from placement.eligibility import open_engine, policy_digest
from placement.eligibility.binary import find_opa
from placement.errors import BadInput, PolicyEngineError, PolicyRevisionMismatch
from tests.opa_fakes import GOOD, opa_settings, question, site_view, view, write_policies
from tests.own_children import children, own_children

__all__ = ["own_children"]  # a fixture

pytestmark = pytest.mark.usefixtures("own_children")

TLS = Path(__file__).resolve().parents[1] / "data" / "opa_tls"

AUTHZ = """package system.authz

default allow := false

allow if input.identity == "s3cret"
"""


@pytest.fixture
def policies(tmp_path):
    return write_policies(tmp_path / "policies")


@contextlib.contextmanager
def shared_opa(*arguments):
    """The URL of an OPA as an administrator would run it."""
    opa = subprocess.Popen(
        [find_opa(opa_settings().opa_bin), "run", "--server", "--addr", "127.0.0.1:0", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield f"http://127.0.0.1:{listening_port(opa.pid)}"
    finally:
        opa.kill()
        opa.wait()


def listening_port(pid):
    for _ in range(3000):
        for connection in psutil.Process(pid).net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN:
                return connection.laddr.port
        time.sleep(0.01)
    raise AssertionError("OPA does not listen")


def built(policies, tmp_path, revision=None):
    """The bundle as a file, under its digest."""
    path = tmp_path / "bundle.tar.gz"
    command = [find_opa(opa_settings().opa_bin), "build", "--bundle", policies, "--output", path]
    revision = revision or policy_digest(policies)
    subprocess.run([*command, "--revision", revision], check=True, timeout=60)
    return path


def test_it_answers_and_is_left_running(policies, tmp_path):
    with shared_opa("--bundle", built(policies, tmp_path)) as url:
        for _ in range(2):
            with open_engine(policies, opa_settings(opa_url=url)) as engine:
                assert engine.ask(question()).eligible
                table = engine.evaluate([("a", view())], [site_view()], question().as_of)
                assert table.policy_revision == policy_digest(policies)
                assert not [c for c in children() if "authz" in c.cmdline()]


def test_a_bundle_under_another_revision_is_refused(policies, tmp_path):
    with shared_opa("--bundle", built(policies, tmp_path, "v1.2.3")) as url:
        with (
            pytest.raises(PolicyRevisionMismatch, match=r"holds 'v1\.2\.3'") as caught,
            open_engine(policies, opa_settings(opa_url=url)),
        ):
            pass
        assert caught.value.exit_code == 3


def test_policies_that_differ_here_are_refused(policies, tmp_path):
    with shared_opa("--bundle", built(policies, tmp_path)) as url:
        (policies / "placement.rego").write_text(GOOD + "\n# changed\n")
        with (
            pytest.raises(PolicyRevisionMismatch),
            open_engine(policies, opa_settings(opa_url=url)),
        ):
            pass


def test_an_opa_without_policies_is_refused(policies):
    with (
        shared_opa() as url,
        pytest.raises(PolicyRevisionMismatch, match="no bundle"),
        open_engine(policies, opa_settings(opa_url=url)),
    ):
        pass


def test_policies_that_no_bundle_owns_do_not_count(policies):
    with (
        shared_opa(policies / "placement.rego") as url,
        pytest.raises(PolicyRevisionMismatch, match="no bundle"),
        open_engine(policies, opa_settings(opa_url=url)),
    ):
        pass


def test_a_new_revision_half_way_is_refused(policies, tmp_path):
    bundle = built(policies, tmp_path)
    with (
        shared_opa("--watch", "--bundle", bundle) as url,
        open_engine(policies, opa_settings(opa_url=url)) as engine,
    ):
        assert engine.ask(question()).eligible
        newer = write_policies(tmp_path / "newer", GOOD + "\n# newer\n")
        built(newer, tmp_path).touch()
        refused = False
        for _ in range(1000):
            try:
                engine.ask(question())
            except PolicyRevisionMismatch:
                refused = True
                break
            time.sleep(0.01)
        assert refused


@pytest.mark.parametrize("token", [None, "wrong"])
def test_without_the_right_token_there_is_no_answer(policies, tmp_path, token):
    authz = tmp_path / "authz"
    authz.mkdir()
    (authz / "authz.rego").write_text(AUTHZ)
    (authz / ".manifest").write_text(json.dumps({"roots": ["system"]}))
    guarded = ["--authentication=token", "--authorization=basic", "--bundle", authz]
    with shared_opa(*guarded, built(policies, tmp_path)) as url:
        with open_engine(policies, opa_settings(opa_url=url, opa_token="s3cret")) as engine:
            assert engine.ask(question()).eligible
        with (
            pytest.raises(PolicyEngineError, match="HTTP status 401: unauthorized"),
            open_engine(policies, opa_settings(opa_url=url, opa_token=token)),
        ):
            pass


def test_over_tls_only_a_certificate_that_is_trusted_is_believed(policies, tmp_path):
    keys = [f"--tls-cert-file={TLS / 'cert.pem'}", f"--tls-private-key-file={TLS / 'key.pem'}"]
    with shared_opa(*keys, "--bundle", built(policies, tmp_path)) as plain_url:
        url = plain_url.replace("http://127.0.0.1", "https://localhost")
        trusted = opa_settings(opa_url=url, opa_ca_file=TLS / "cert.pem")
        with open_engine(policies, trusted) as engine:
            assert engine.ask(question()).eligible
        with (
            pytest.raises(PolicyEngineError, match=r"failed \(SSLError\)"),
            open_engine(policies, opa_settings(opa_url=url, opa_token="s3cret")),
        ):
            pass


def test_a_url_that_would_send_the_catalogue_in_the_clear_is_refused(policies):
    with (
        pytest.raises(BadInput, match="PLACEMENT_OPA_URL"),
        open_engine(policies, opa_settings(opa_url="http://192.0.2.1:8181")),
    ):
        pass
