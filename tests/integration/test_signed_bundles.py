"""What OPA makes of our signed bundles: the right ones run, and no others."""

from __future__ import annotations

import contextlib
import gzip
import http.server
import io
import json
import tarfile
import threading

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from placement.eligibility.bundle import Bundle, bundle_of, read_authz_bundle, read_bundle
from placement.eligibility.publishing import BundleKey, pack
from placement.eligibility.service_opa import Feed, open_service_opa
from placement.errors import PolicyEngineError
from placement.settings import read_settings, shipped_policies
from tests.opa_fakes import GOOD
from tests.policy_cases import eventually, shipped

KEY = BundleKey(ec.generate_private_key(ec.SECP256R1()))
AUTHZ = Bundle({"authz/authz.rego": b"package authz\n\ndecision := true\n"}, ("authz",))
ODD = {
    "odd": {
        "numbers": [1, 1.0, 1e2, 100, 0.1, -0.0, 12345678901234567890, 1.5e300],
        "texts": ["é", "\u2028\u2029", "<&>", '"\\/', "\b\f\n\r\t\x01\x7f", "😀", ""],
        "": None,
        "z": True,
        "é": False,
        "Z": {"b": [], "a": {}},
    }
}


def policies(**files):
    given = {"placement/placement.rego": GOOD.encode()} if files.pop("good", True) else {}
    named = {name.replace("__", "/"): text for name, text in files.items()}
    return Bundle({**given, **named}, ("placement", "odd"))


@contextlib.contextmanager
def served(contents):
    """A service's OPA over a server of these bundles; what it reported so far."""
    reports = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

        def do_GET(self):
            assert self.headers["authorization"] == f"Bearer {'t' * 40}"
            content = contents[self.path.rpartition("/")[2].removesuffix(".tar.gz")]
            self._reply(content)

        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            reports.append(json.loads(body).get("bundles", {}))
            self._reply(b"{}")

        def _reply(self, content):
            self.send_response(200)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        feed = Feed(f"http://127.0.0.1:{server.server_port}", "t" * 40, KEY, AUTHZ)
        opa = open_service_opa(read_settings(), feed)
        try:
            yield opa, reports
        finally:
            opa.close()
            server.shutdown()
            thread.join()


def authz():
    return pack("authz", AUTHZ, KEY)


def told(reports, name):
    """What OPA says is wrong with a bundle; none while it says nothing."""
    said = reports[-1].get(name, {}) if reports else {}
    return said.get("message")


def held(reports):
    return reports[-1].get("policies", {}).get("active_revision") if reports else None


def refusal(content, authz_content=None):
    """Why OPA refuses these policies; it holds none of them."""
    with served({"policies": content, "authz": authz_content or authz()}) as (opa, reports):
        assert eventually(lambda: told(reports, "policies"))
        with pytest.raises(PolicyEngineError):
            opa.engine(policies().digest)
        assert "active_revision" not in reports[-1]["policies"]
        return told(reports, "policies")


def test_a_signed_bundle_runs_whatever_its_data():
    bundle = policies(**{"odd__data.json": json.dumps(ODD["odd"], ensure_ascii=False).encode()})
    packed = {"policies": pack("policies", bundle, KEY), "authz": authz()}
    with served(packed) as (opa, reports):
        assert eventually(
            lambda: reports and reports[-1].get("policies", {}).get("active_revision")
        )
        assert opa.engine(bundle.digest).revision == bundle.digest
        with pytest.raises(PolicyEngineError):
            opa.engine("0" * 64)


def repacked(content, change):
    """The same archive with its files changed."""
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        files = {
            entry.name: archive.extractfile(entry).read()  # type: ignore[union-attr]
            for entry in archive
        }
    change(files)
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text))
    return gzip.compress(raw.getvalue())


def edit(files):
    files["placement/placement.rego"] += b"\nextra := 1\n"


def add(files):
    files["placement/more.rego"] = b"package placement\n\nextra := 1\n"


def remove(files):
    del files["odd/data.json"]


def rename_revision(files):
    files[".manifest"] = files[".manifest"].replace(b"revision", b"Revision")


def widen_roots(files):
    files[".manifest"] = files[".manifest"].replace(b'"odd"', b'"authz"')


def unsign(files):
    del files[".signatures.json"]


def sign_nothing(files):
    files[".signatures.json"] = b'{"signatures": []}'


@pytest.mark.parametrize(
    "change", [edit, add, remove, rename_revision, widen_roots, unsign, sign_nothing]
)
def test_a_bundle_that_was_changed_after_it_was_signed_is_refused(change):
    content = pack("policies", policies(**{"odd__data.json": b'{"x": 1}'}), KEY)
    assert refusal(repacked(content, change))


def test_a_bundle_signed_by_somebody_else_or_for_another_name_is_refused():
    other = BundleKey(ec.generate_private_key(ec.SECP256R1()))
    assert refusal(pack("policies", policies(), other))
    assert "scope" in refusal(pack("authz", policies(), KEY))


def test_the_archive_of_equal_bundles_is_equal_but_for_the_signature():
    def without_signature(content):
        found: dict[str, bytes] = {}
        repacked(content, found.update)
        assert found.pop(".signatures.json")
        return found

    packed = [pack("policies", policies(), KEY) for _ in range(2)]
    assert without_signature(packed[0]) == without_signature(packed[1])


@pytest.mark.parametrize("name", ["data.yaml", "odd/data.yml"])
def test_data_that_cannot_be_signed(name):
    bundle = Bundle({name: b"x: 1\n"}, ("odd",))
    with pytest.raises(PolicyEngineError, match=r"data\.json"):
        pack("policies", bundle, KEY)


def test_decision_policies_and_authorisation_are_apart():
    decision, rights = read_bundle(shipped_policies()), read_authz_bundle(shipped_policies())
    assert not any(path.startswith("authz") for path in decision.files)
    assert all(path.startswith("authz") for path in rights.files)
    assert not {root for root in decision.roots if root.startswith("authz")}
    assert all(root.startswith("authz") for root in rights.roots)
    # Files that were stored and read again name the same revision as the folder they came from.
    again = type(shipped()).model_validate_json(shipped().model_dump_json())
    assert bundle_of(again).digest == decision.digest
