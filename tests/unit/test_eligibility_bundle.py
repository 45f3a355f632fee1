"""The digest of the policies: everything that can change a verdict, and nothing else."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import PolicyFiles, canonical_json
from placement.eligibility import policy_digest
from placement.eligibility.bundle import (
    Bundle,
    bundle_of,
    read_authz_bundle,
    read_bundle,
    read_policy_files,
)
from placement.errors import PolicyEngineError
from tests.opa_fakes import write_policies


@pytest.fixture
def policies(tmp_path):
    folder = write_policies(tmp_path / "policies")
    (folder / "data.json").write_text('{"limit": 1}')
    (folder / "deeper").mkdir()
    (folder / "deeper" / "more.rego").write_text("package placement.deeper\n")
    return folder


def test_it_is_a_sha256_in_hexadecimal(policies):
    assert len(policy_digest(policies)) == 64
    assert int(policy_digest(policies), 16) > 0


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("placement.rego", "package placement\n"),
        ("deeper/more.rego", "package placement.deeper\n\n"),
        ("data.json", '{"limit": 2}'),
        ("data.yaml", "limit: 2\n"),
        ("deeper/data.yml", "limit: 2\n"),
        ("new.rego", ""),
        (".manifest", '{"roots": ["placement", "other"]}'),
    ],
)
def test_what_can_change_a_verdict_changes_it(policies, path, text):
    before = policy_digest(policies)
    (policies / path).write_text(text)
    assert policy_digest(policies) != before


def test_a_file_under_another_name_or_taken_away_changes_it(policies):
    before = policy_digest(policies)
    (policies / "deeper" / "more.rego").rename(policies / "deeper" / "less.rego")
    renamed = policy_digest(policies)
    (policies / "deeper" / "less.rego").unlink()
    assert len({before, renamed, policy_digest(policies)}) == 3


def test_content_that_moves_from_one_file_to_the_next_changes_it(tmp_path):
    one = write_policies(tmp_path / "one", "ab", **{"x.rego": "c"})
    two = write_policies(tmp_path / "two", "a", **{"x.rego": "bc"})
    assert policy_digest(one) != policy_digest(two)


def test_what_cannot_change_a_verdict_does_not_change_it(policies):
    before = policy_digest(policies)
    (policies / "README.md").write_text("words")
    (policies / "placement_test.rego").write_text("package placement_test\n")
    (policies / "thresholds.json").write_text("{}")
    (policies / ".regal").mkdir()
    (policies / ".regal" / "config.rego").write_text("package x\n")
    (policies / "__pycache__").mkdir()
    (policies / "__pycache__" / "data.json").write_text("{}")
    (policies / "empty").mkdir()
    for path in policies.rglob("*"):
        os.utime(path, (0, 0))
    manifest = {"revision": "dev", "rego_version": 1, "roots": ["placement"]}
    (policies / ".manifest").write_text(json.dumps(manifest, indent=4))
    assert policy_digest(policies) == before


def test_it_does_not_depend_on_where_the_policies_are(policies, tmp_path):
    before = policy_digest(policies)
    policies.rename(tmp_path / "elsewhere")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    assert policy_digest(tmp_path / "elsewhere") == policy_digest(tmp_path / "link") == before


@given(
    st.dictionaries(st.text(min_size=1), st.binary(max_size=20), min_size=1),
    st.lists(st.text(min_size=1), min_size=1, unique=True),
    st.randoms(use_true_random=False),
)
def test_the_order_of_files_and_roots_does_not_matter(files, roots, random):
    items, others = list(files.items()), list(roots)
    random.shuffle(items)
    random.shuffle(others)
    assert Bundle(files, tuple(roots)).digest == Bundle(dict(items), tuple(others)).digest


def test_a_written_copy_has_the_same_digest_and_states_it(policies, tmp_path):
    bundle = read_bundle(policies)
    bundle.write(tmp_path / "copy")
    assert read_bundle(tmp_path / "copy") == bundle
    manifest = json.loads((tmp_path / "copy" / ".manifest").read_text())
    assert manifest["revision"] == policy_digest(policies)


@pytest.mark.parametrize("target", ["placement.rego", "missing.rego", "/etc", "."])
def test_symbolic_links_are_refused(policies, target):
    (policies / "link.rego").symlink_to(target)
    with pytest.raises(PolicyEngineError, match=r"symbolic links .*link\.rego"):
        policy_digest(policies)


def test_a_manifest_that_is_a_symbolic_link_is_refused(policies, tmp_path):
    (policies / ".manifest").rename(tmp_path / "manifest")
    (policies / ".manifest").symlink_to(tmp_path / "manifest")
    with pytest.raises(PolicyEngineError, match="manifest"):
        policy_digest(policies)


def test_a_pipe_is_refused_and_not_waited_for(policies):
    os.mkfifo(policies / "pipe.rego")
    with pytest.raises(PolicyEngineError, match="not a regular file"):
        policy_digest(policies)


def test_a_folder_that_is_not_there_or_not_a_folder(policies, tmp_path):
    for path in (tmp_path / "nowhere", policies / "placement.rego"):
        with pytest.raises(PolicyEngineError):
            policy_digest(path)


def test_a_folder_without_rules(tmp_path):
    folder = write_policies(tmp_path / "policies")
    (folder / "placement.rego").rename(folder / "placement_test.rego")
    with pytest.raises(PolicyEngineError, match="no rules"):
        policy_digest(folder)


@pytest.mark.parametrize(
    ("manifest", "reason"),
    [
        (None, "need a bundle manifest"),
        ("", "not|Expecting"),
        ("[]", "are understood"),
        ("{}", "`roots` must list"),
        ('{"roots": []}', "`roots` must list"),
        ('{"roots": [""]}', "`roots` must list"),
        ('{"roots": ["/"]}', "`roots` must list"),
        ('{"roots": "placement"}', "`roots` must list"),
        ('{"roots": [1]}', "`roots` must list"),
        ('{"roots": ["placement", "system"]}', "`system` not among them"),
        ('{"roots": ["placement", "/system/authz"]}', "`system` not among them"),
        ('{"roots": ["placement"], "roots": ["x"]}', "'roots' is repeated"),
        ('{"roots": ["placement"], "rego_version": 0}', "rego_version 1"),
        ('{"roots": ["placement"], "wasm": []}', "are understood"),
        ('{"roots": ["placement"], "file_rego_versions": {"*": 0}}', "are understood"),
    ],
)
def test_a_manifest_must_say_what_the_policies_own_and_no_more(policies, manifest, reason):
    (policies / ".manifest").unlink()
    if manifest is not None:
        (policies / ".manifest").write_text(manifest)
    with pytest.raises(PolicyEngineError, match=reason):
        policy_digest(policies)


# -- two bundles in one folder ----------------------------------------------------------------


@pytest.fixture
def with_rights(policies):
    manifest = {"roots": ["placement", "authz", "authz_test"], "rego_version": 1}
    (policies / ".manifest").write_text(json.dumps(manifest))
    (policies / "authz").mkdir()
    (policies / "authz" / "authz.rego").write_text("package authz\n")
    (policies / "placement_test.rego").write_text("package placement_test\n")
    return policies


def test_authorisation_is_a_bundle_of_its_own(with_rights):
    decisions, rights = read_bundle(with_rights), read_authz_bundle(with_rights)
    assert set(rights.files) == {"authz/authz.rego"}
    assert rights.roots == ("authz", "authz_test")
    assert decisions.roots == ("placement",)
    before = decisions.digest, rights.digest
    (with_rights / "authz" / "authz.rego").write_text("package authz\n\nx := 1\n")
    assert read_bundle(with_rights).digest == before[0]
    assert read_authz_bundle(with_rights).digest != before[1]


def test_authorisation_does_not_change_the_digest_that_policies_had_without(policies):
    before = policy_digest(policies)
    manifest = {"roots": ["placement", "authz"], "rego_version": 1}
    (policies / ".manifest").write_text(json.dumps(manifest))
    (policies / "authz").mkdir()
    (policies / "authz" / "authz.rego").write_text("package authz\n")
    assert policy_digest(policies) == before


def test_a_folder_without_authorisation_has_no_such_bundle(policies):
    with pytest.raises(PolicyEngineError, match="roots"):
        read_authz_bundle(policies)


def test_files_to_review_are_tests_too_and_no_authorisation(with_rights):
    files = read_policy_files(with_rights)
    names = {".manifest", "data.json", "deeper/more.rego", "placement.rego", "placement_test.rego"}
    assert set(files.files) == names
    assert bundle_of(files).digest == policy_digest(with_rights)
    kept = PolicyFiles.model_validate_json(canonical_json(files))
    assert kept == files
    assert kept.files["placement.rego"] == (with_rights / "placement.rego").read_text()


def test_files_that_own_authorisation_are_no_bundle():
    files = {".manifest": '{"roots": ["authz"]}', "x.rego": "package authz"}
    with pytest.raises(PolicyEngineError, match="authz"):
        bundle_of(PolicyFiles(files=files))
