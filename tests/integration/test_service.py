"""The use cases over the shipped example, with a real OPA and a real solver."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from pathlib import Path

import pytest

from models import Decided, Parameters, Plan, SiteKind, Termination
from placement import service
from placement.catalog import load_plan, write_json
from placement.certificate import certify
from placement.certificate.verify import claims_in
from placement.eligibility import open_engine
from placement.errors import BadInput, CertificateError, GapNotReached, SolverError
from placement.example import CATALOG, PARAMETERS, SITES
from placement.optimizer import solve
from placement.service import deciding
from placement.settings import read_settings, shipped_policies

REQUEST = service.Request(catalog=CATALOG, sites=SITES, parameters=PARAMETERS)
MOVED = "polling-stations"
TO = "polder-groningen"


@pytest.fixture(scope="module")
def plan() -> Plan:
    decision = service.decide(REQUEST, read_settings())
    assert isinstance(decision, Decided)
    return decision.plan


def test_a_plan_is_certified_and_says_what_it_was_made_of(plan):
    assert plan.certificate.holds
    assert plan.termination is Termination.WITHIN_GAP
    assert plan.gap <= plan.parameters.gap
    assert plan.certificate.price_bound_eur <= plan.dual_bound_eur <= plan.objective_eur
    assert len(plan.placements) == len(plan.inputs.catalog.datasets) == 109


def test_cloud_and_on_premise_both_win(plan):
    kinds = {site.id: site.kind for site in plan.inputs.sites.sites}
    used = {kinds[site] for placed in plan.placements for site in placed.sites}
    assert used == set(SiteKind)


def test_the_price_of_another_site_is_what_the_certificate_sums_up_there(plan):
    answer = service.explain(plan, MOVED)
    (there,) = [item for item in answer.why_not if item.site == TO]
    assert there.others_stay
    assert there.extra_eur_per_year is not None
    claims = claims_in(plan)
    moved = dataclasses.replace(
        claims,
        placements=tuple((d, (TO,) if d == MOVED else at) for d, at in claims.placements),
    )
    with open_engine(shipped_policies(), read_settings()) as engine:
        certified = certify(
            plan.inputs.catalog,
            plan.inputs.sites,
            plan.parameters,
            moved,
            engine.ask,
            engine.ask_segregated,
        )
    assert certified.certificate.objective_eur - plan.objective_eur == there.extra_eur_per_year
    assert there.extra_eur_per_year > 0


def test_a_site_is_priced_blocked_or_violates_and_never_nothing(plan):
    for dataset in ("wmo-cases", "civil-registry", "lidar-raw"):
        answer = service.explain(plan, dataset)
        others = set(plan.eligibility.sites) - set(answer.placement.sites)
        assert {item.site for item in answer.why_not} == others
        for item in answer.why_not:
            given = [item.violations, item.blocked_by, item.extra_eur_per_year is not None]
            assert sum(map(bool, given)) == 1, item


def test_a_full_site_is_priced_by_deciding_the_whole_plan_again(plan):
    alone = service.explain(plan, "wmo-cases")
    (full,) = [item for item in alone.why_not if item.site == "zichtenburg-dc"]
    assert full.blocked_by == ("capacity[zichtenburg-dc]",)
    assert full.extra_eur_per_year is None
    (again,) = service.explain(plan, "wmo-cases", "zichtenburg-dc").why_not
    assert not again.others_stay
    assert again.extra_eur_per_year is not None
    assert again.extra_eur_per_year >= -plan.gap * plan.objective_eur


def test_who_asks_about_something_unknown_is_offered_near_names(plan):
    with pytest.raises(BadInput, match="did you mean wmo-cases"):
        service.explain(plan, "wmo-case")


def test_deciding_again_from_where_the_plan_is_moves_nothing_needlessly(plan, tmp_path):
    file = tmp_path / "plan.json"
    write_json(plan, file)
    again = service.decide(dataclasses.replace(REQUEST, current=file), read_settings())
    assert isinstance(again, Decided)
    before = {placed.dataset: placed.sites for placed in plan.placements}
    stayed = [p for p in again.plan.placements if p.sites == before[p.dataset]]
    assert all(p.cost_eur_per_year.migration == 0 for p in stayed)
    assert any(len(p.sites) > 1 for p in stayed)  # further replicas are no moves either
    costs = plan.costs_eur_per_year
    assert again.plan.objective_eur <= (plan.objective_eur - costs.migration) * (1 + plan.gap)
    proof = service.verify(
        _written(again.plan, tmp_path / "again.json"),
        dataclasses.replace(REQUEST, current=file),
        read_settings(),
    )
    assert [c for c in proof.checks if not c.holds] == []


def test_a_current_plan_of_another_city_is_refused(plan, tmp_path):
    other = plan.model_copy(
        update={"placements": (plan.placements[0].model_copy(update={"dataset": "elsewhere"}),)}
    )
    request = dataclasses.replace(REQUEST, current=_written(other, tmp_path / "plan.json"))
    with pytest.raises(BadInput, match="dataset elsewhere: not in the catalogue"):
        service.decide(request, read_settings())


def test_defects_of_all_files_are_reported_together(tmp_path):
    bad_catalog, bad_sites = tmp_path / "catalog.json", tmp_path / "sites.json"
    bad_catalog.write_text('{"municipality": "X"}')
    bad_sites.write_text('{"sites": []}')
    with pytest.raises(BadInput) as caught:
        service.decide(service.Request(bad_catalog, bad_sites), read_settings())
    assert {defect.file for defect in caught.value.defects} == {str(bad_catalog), str(bad_sites)}


def test_a_lineage_cycle_names_the_catalogue_it_stands_in(tmp_path):
    text = CATALOG.read_text()
    end = text.rindex("]")
    cycle = (
        '{"kind": "derived_from", "derived": "bag", "source": "trees"},'
        '{"kind": "derived_from", "derived": "trees", "source": "bag"}'
    )
    relations = text.rindex('"relations"')
    opening = text.index("[", relations)
    assert end > opening
    file = tmp_path / "catalog.json"
    file.write_text(f"{text[: opening + 1]}{cycle},{text[opening + 1 :]}")
    with pytest.raises(BadInput) as caught:
        service.check(dataclasses.replace(REQUEST, catalog=file), read_settings())
    assert {defect.file for defect in caught.value.defects} == {str(file)}


def test_a_solution_that_fails_its_certificate_is_not_released(monkeypatch):
    true_solve = solve

    def lying(problem, **options):
        solution = true_solve(problem, **options)
        sites = (("indus-bengaluru",), *solution.placements[1:])
        return solution.model_copy(update={"placements": sites})

    monkeypatch.setattr(deciding, "solve", lying)
    with pytest.raises(CertificateError, match="indus-bengaluru"):
        service.decide(REQUEST, read_settings())


def test_a_plan_that_is_not_proven_in_time_is_refused(monkeypatch):
    true_solve = solve

    def late(problem, **options):
        solution = true_solve(problem, **options)
        return solution.model_copy(update={"termination": Termination.TIME_LIMIT, "gap": 0.05})

    monkeypatch.setattr(deciding, "solve", late)
    with pytest.raises(GapNotReached, match=r"within 5\.0000% of the cheapest; 0\.1000% was asked"):
        service.decide(REQUEST, read_settings())


def test_choices_on_the_command_line_override_the_file_and_are_checked(monkeypatch):
    seen: list[Parameters] = []

    def stopping(problem, **_options):
        seen.append(problem.parameters)
        raise SolverError("seen enough")

    monkeypatch.setattr(deciding, "solve", stopping)
    with pytest.raises(SolverError, match="seen enough"):
        service.decide(
            dataclasses.replace(REQUEST, gap=Decimal("0.02"), time_limit_s=7), read_settings()
        )
    assert (seen[0].gap, seen[0].time_limit_s) == (Decimal("0.02"), 7)


def test_an_import_writes_a_native_file_that_says_what_was_assumed(real_data, tmp_path):
    out = tmp_path / "catalog.json"
    source = real_data / "amsterdam-schema"
    assumptions = service.import_file("amsterdam-schema", source, out)
    assert any("synthetic" in sentence for sentence in assumptions)
    sites = tmp_path / "sites.json"
    service.import_file("eu-cloud-prices", real_data / "eu-cloud-prices", sites)
    report = service.check(service.Request(out, sites), read_settings())
    assert len(report.table.datasets) == 112
    assert report.unplaceable == ()


def _written(plan: Plan, file: Path) -> Path:
    write_json(plan, file)
    assert load_plan(file) == plan
    return file
