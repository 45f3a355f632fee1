"""The report on contracts: OPA's verdicts say what is missed, lineage what that endangers."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from models import CityRole, Clause, RowFilter
from models.procurement import ProcurementReport
from placement.errors import NotAllowed, PolicyRevisionMismatch
from placement.reading import read_inputs
from placement.service.procurement import (
    checklist,
    city_checklist,
    city_report,
    report,
    report_on,
)
from placement.settings import shipped_policies
from placement.steps import silent
from tests import builders
from tests import procurement_cases as cases
from tests.decision_cases import (
    PARAMETERS,
    caller,
    city,
    keep,
    local_settings,
    make_city,
    shipped_engine,
)

__all__ = ["city", "make_city", "shipped_engine"]  # fixtures


@pytest.fixture
def found(tmp_path, shipped_engine):
    read = read_inputs(cases.request(tmp_path), silent)
    asked = checklist(shipped_policies(), local_settings())
    return report_on(read, shipped_engine, asked)


def missed(finding):
    return {item.clause.obligation: item for item in finding.missed}


def endangered(item):
    return [(dataset.dataset, dataset.derived_from) for dataset in item.endangers]


def test_a_poor_contract_endangers_what_is_collected_and_everything_derived_from_it(found):
    poor, sound, unused = found.collection
    assert [poor.contract.id, sound.contract.id, unused.contract.id] == ["poor", "sound", "unused"]
    items = missed(poor)
    assert set(items) == {
        "procurement.contractor_hands_over_machine_readable",
        "procurement.contractor_hands_over_regularly",
    }
    late = items["procurement.contractor_hands_over_regularly"]
    assert late.findings == ("hand-over interval in days: 90; at most 31",)
    assert endangered(late) == [("scans", None), ("scan-counts", "scans"), ("scan-maps", "scans")]
    scans, counts, _ = late.endangers
    assert (scans.volume_gb, scans.gdpr_category, scans.confidentiality) == (40, "personal", 2)
    assert (counts.volume_gb, counts.gdpr_category, counts.access_rights) == (2, "none", "public")
    assert late.misses
    assert sound.missed == unused.missed == ()
    assert sound.datasets == ("bikes",)


def test_data_of_a_contractor_without_a_contract_is_named(found):
    (item,) = found.without_contract
    assert item.clause.obligation == "procurement.contractor_data_has_contract"
    assert endangered(item) == [("cars", None)]


def test_hosting_is_judged_by_what_rests_there(found):
    hoster, unwritten = found.hosting
    assert (hoster.site, hoster.datasets) == ("hoster", ("permits",))
    agreement = missed(hoster)["procurement.processing_agreement"]
    assert agreement.findings == ("the hosting contract lacks sub_processor_approval",)
    assert endangered(agreement) == [("permits", None)]
    assert (agreement.keeps_out, agreement.whatever_data) == (3, False)
    assert unwritten.clauses is None
    unknown = missed(unwritten)["procurement.hosting_contract_known"]
    assert (unknown.endangers, unknown.whatever_data, unknown.misses) == ((), True, True)
    clauses_of_some_data = missed(unwritten).get("transfer.third_country_operator_has_clauses")
    assert clauses_of_some_data is None  # the operator is from the Netherlands


def test_the_city_has_no_contract_with_itself(found):
    assert "townhall" not in [finding.site for finding in found.hosting]


def test_contracts_that_end_soon_and_contracts_that_nothing_uses(found):
    assert found.without_datasets == ("unused",)
    assert [(item.contract, item.days_left) for item in found.ending] == [
        ("poor", 92),
        ("sound", 92),
    ]


def test_a_contract_that_has_ended_fails_its_obligation_and_is_no_reminder(
    tmp_path, shipped_engine
):
    read = read_inputs(cases.request(tmp_path), silent)
    last_day = builders.AS_OF
    ended = cases.SOUND.model_copy(update={"end_date": last_day})
    catalog = read.catalog.model_copy(update={"contracts": (ended, cases.POOR, cases.UNUSED)})
    asked = checklist(shipped_policies(), local_settings())

    def judged(day):
        parameters = read.parameters.model_copy(update={"as_of": day})
        inputs = replace(read, catalog=catalog, parameters=parameters)
        return report_on(inputs, shipped_engine, asked, ending_within_days=0)

    on_the_day, after = judged(last_day), judged(last_day + timedelta(days=1))
    assert [(item.contract, item.days_left) for item in on_the_day.ending] == [("sound", 0)]
    assert missed(on_the_day.collection[1]) == {}
    assert after.ending == ()
    assert list(missed(after.collection[1])) == ["procurement.contract_in_force"]


def test_without_anything_missed_the_report_is_empty(tmp_path, shipped_engine):
    read = read_inputs(cases.request(tmp_path), silent)
    fields = {"contract": "sound", "collected_by": "contractor"}
    datasets = tuple(
        dataset.model_copy(update=fields if dataset.collected_by == "contractor" else {})
        for dataset in read.catalog.datasets
    )
    sites = tuple(
        site.model_copy(update={"clauses": tuple(Clause)}) for site in read.register.sites
    )
    sound = replace(
        read,
        catalog=read.catalog.model_copy(update={"datasets": datasets}),
        register=read.register.model_copy(update={"sites": sites}),
    )
    found = report_on(sound, shipped_engine, checklist(shipped_policies(), local_settings()))
    assert found.missed == ()
    assert [finding.missed for finding in found.collection] == [(), (), ()]
    assert [finding.missed for finding in found.hosting] == [(), ()]


def test_clauses_of_other_policies_are_refused(tmp_path, shipped_engine):
    read = read_inputs(cases.request(tmp_path), silent)
    asked = checklist(shipped_policies(), local_settings())
    other = asked.model_copy(update={"policy_revision": "0" * 64})
    with pytest.raises(PolicyRevisionMismatch):
        report_on(read, shipped_engine, other)


def test_files_and_a_service_report_alike(tmp_path, city, found):
    keep(
        city,
        cases.catalog(),
        cases.register(),
        PARAMETERS.model_copy(update={"as_of": found.as_of}),
    )
    board = caller("board", CityRole.GOVERNANCE_BOARD)
    there = city_report(city, board)
    assert there.missed == found.missed
    assert there.ending == found.ending
    assert city_checklist(city) == checklist(shipped_policies(), local_settings())
    here = report(cases.request(tmp_path), local_settings())
    assert here == found
    assert ProcurementReport.model_validate_json(here.model_dump_json()) == here


def test_whoever_sees_only_some_records_gets_no_report(city):
    steward = caller("green", CityRole.DATA_STEWARD, rows=RowFilter(departments=("Green",)))
    with pytest.raises(NotAllowed):
        city_report(city, steward)
