"""With the schemas we write, `opa check` finds a misspelt path in a rule that never fires."""

from __future__ import annotations

import subprocess

import pytest

from placement.eligibility.binary import find_opa
from placement.eligibility.schemas import write_schemas
from tests.opa_fakes import opa_settings


@pytest.fixture(scope="module")
def schemas(tmp_path_factory):
    folder = tmp_path_factory.mktemp("schemas")
    write_schemas(folder)
    return folder


def check(schemas, tmp_path, name, body):
    """Exit code and output of `opa check` on one rule."""
    rego = tmp_path / "rule.rego"
    rego.write_text(
        "# METADATA\n# scope: package\n# schemas:\n"
        f"#   - input: schema.{name}\npackage rule\n\nrule if {{\n\t{body}\n}}\n"
    )
    done = subprocess.run(
        [find_opa(opa_settings().opa_bin), "check", "--strict", "--schema", schemas, rego],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("input", "input.dataset.confidentiality > 2"),
        ("input", "input.dataset.contract.end_date < input.as_of"),
        ("input", "some role in input.dataset.readers\n\trole.clearance >= 2"),
        ("input", '"audit_right" in input.site.clauses'),
        ("input", 'input.site.operator.parent_jurisdiction == "US"'),
        ("input", "input.site.operator.foreign_ownership_share > 0.24"),
        ("input", "is_null(input.site.mfa)"),
        ("input", "input.dataset.contract != null"),
        ("input", "not input.site.federation"),
        ("input", "time.parse_rfc3339_ns(input.site.certifications[_].valid_until) > 0"),
        ("batch", "input.datasets[_].replicated"),
        ("batch", 'input.sites[_].operator.id == "a"'),
        ("batch", 'input.duties[_] == "a"'),
        ("segregation", "input.site.id == input.duties[_]"),
    ],
)
def test_paths_that_exist_pass(schemas, tmp_path, name, body):
    code, output = check(schemas, tmp_path, name, body)
    assert code == 0, output


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("input", "input.dataset.confidentialty > 2"),
        ("input", "input.datasets"),
        ("input", "input.dataset.id"),
        # Below something that can be null: where OPA's own reading of anyOf sees nothing.
        ("input", 'input.dataset.contract.end_dat == "x"'),
        ("input", "contract := input.dataset.contract\n\tcontract.public_ownershp"),
        ("input", "some role in input.dataset.readers\n\trole.clearence >= 2"),
        ("input", 'input.site.operator.parent == "US"'),
        ("input", 'input.site.certifications[_].schem == "C5"'),
        ("input", "input.dataset.technologies[_].open"),
        ("input", '"audit_right" in input.site.clause'),
        ("input", 'startswith(input.dataset.high_value, "x")'),
        ("input", "input.dataset.confidentiality.level == 2"),
        ("batch", "input.dataset.replicated"),
        ("batch", "input.datasets[_].replicatd"),
        ("segregation", "input.sites"),
    ],
)
def test_paths_that_do_not_exist_fail(schemas, tmp_path, name, body):
    code, output = check(schemas, tmp_path, name, body)
    assert code != 0
    assert "rego_type_error" in output
