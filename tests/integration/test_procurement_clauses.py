"""The checklist for tenders is made of the rules' own METADATA."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from models import Severity
from models.procurement import ClauseChecklist, ContractKind
from placement.cli.views.procurement import render_clauses
from placement.eligibility.bundle import read_bundle
from placement.eligibility.clauses import stated_clauses
from placement.errors import PolicyEngineError
from placement.settings import shipped_policies
from tests.decision_cases import local_settings

GOLDEN = Path(__file__).parents[1] / "golden" / "procurement_clauses.md"
MANIFEST = json.dumps({"roots": ["waste", "thresholds"], "rego_version": 1})
RULE = """package waste

# METADATA
# title: waste.collector_shares_weights
# description: Who collects waste shares what it weighs.
# related_resources:
#   - ref: https://example.org/waste
#     description: Waste ordinance, art. 7
# custom:
#   severity: municipal
#   clause:
#     contract: collection
#     states: [contract.handover_interval_days]
#     text: Weights are shared every {waste.days} days, in {waste.formats}.
violations contains {"a": 1} if input.a

# METADATA
# title: waste.no_contract_can_help
# description: A rule without a clause.
# related_resources:
#   - ref: https://example.org/waste
#     description: Waste ordinance, art. 8
# custom:
#   severity: mandatory
violations contains {"a": 2} if input.a

# METADATA
# title: waste.empty_at_night
# description: Empty containers at night
host_obligations contains {"a": 3} if input.a
"""
DATA = {"thresholds": {"waste": {"days": 14, "formats": ["CSV", "JSON"], "deep": {"a": 1}}}}


@pytest.fixture
def policies(tmp_path):
    def write(rule=RULE, data=DATA):
        folder = tmp_path / "policies"
        (folder / "waste").mkdir(parents=True, exist_ok=True)
        (folder / ".manifest").write_text(MANIFEST, encoding="utf-8")
        (folder / "waste" / "waste.rego").write_text(rule, encoding="utf-8")
        (folder / "data.json").write_text(json.dumps(data), encoding="utf-8")
        return folder

    return write


def read(folder):
    return stated_clauses(read_bundle(folder), local_settings().opa_bin)


@pytest.fixture(scope="module")
def shipped():
    return read(shipped_policies())


def test_a_citys_own_rule_is_in_the_checklist_with_its_thresholds(policies):
    found = read(policies())
    (clause,) = found.clauses
    assert clause.obligation == "waste.collector_shares_weights"
    assert clause.text == "Weights are shared every 14 days, in CSV, JSON."
    assert clause.requirement == "Who collects waste shares what it weighs."
    assert (clause.contract, clause.severity) == (ContractKind.COLLECTION, Severity.MUNICIPAL)
    assert clause.states == ("contract.handover_interval_days",)
    assert [source.description for source in clause.sources] == ["Waste ordinance, art. 7"]
    (duty,) = found.host_obligations
    assert (duty.code, duty.requirement) == ("waste.empty_at_night", "Empty containers at night.")


def test_another_threshold_is_another_text(policies):
    (clause,) = read(
        policies(data={"thresholds": {"waste": {"days": 2, "formats": ["X"]}}})
    ).clauses
    assert clause.text == "Weights are shared every 2 days, in X."


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("{waste.days}", "{waste.weeks}", "{waste.weeks} is no threshold"),
        ("{waste.days}", "{waste.deep}", "{waste.deep} is no threshold"),
        ("contract: collection", "contract: rental", "contract"),
        ("#     states: [contract.handover_interval_days]\n", "", "states"),
        ("states: [contract.handover_interval_days]", "states: []", "states"),
        ("#   severity: municipal\n", "", "severity"),
        ("#     description: Waste ordinance, art. 7\n", "", "related_resources"),
    ],
)
def test_a_clause_that_is_not_whole_is_an_error_and_never_left_out(policies, old, new, said):
    assert RULE.count(old) == 1
    with pytest.raises(PolicyEngineError, match=r"waste\.collector_shares_weights") as error:
        read(policies(RULE.replace(old, new)))
    assert said in str(error.value)


def test_rules_that_opa_cannot_read_are_an_error(policies):
    with pytest.raises(PolicyEngineError, match="cannot read the policies"):
        read(policies(RULE + "\nviolations contains"))


def test_the_shipped_checklist_is_the_golden_one(shipped):
    """Write it anew after a change of rules: render it, and read the difference."""
    document = render_clauses(shipped, markdown=True).decode()
    revision = shipped.policy_revision[:12]
    assert document.count(revision) == 1
    assert document.replace(revision, "REVISION") == GOLDEN.read_text(encoding="utf-8")


def test_every_rule_on_contracts_states_its_clause(shipped):
    """Of the families on contracts, all but what a site offers whatever is agreed."""
    stated = {clause.obligation for clause in shipped.clauses}
    rules = {
        line.removeprefix("# title: ")
        for file in (shipped_policies() / "procurement").rglob("*.rego")
        if not file.name.endswith("_test.rego")
        for line in file.read_text(encoding="utf-8").splitlines()
        if line.startswith("# title: ")
    }
    duties = {duty.code for duty in shipped.host_obligations}
    assert rules - stated - duties == {"procurement.storage_offered"}


def test_the_json_form_is_the_checklist(shipped):
    document = json.loads(render_clauses(shipped, markdown=False))
    assert ClauseChecklist.model_validate(document) == shipped
    assert document["format"] == "placement-clauses/1"
    assert all(clause["sources"] for clause in document["clauses"])
