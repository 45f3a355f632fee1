"""The shipped policies behind the real engine: every road to a verdict leads to the same one."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from models import (
    AccessRights,
    Certification,
    Clause,
    CollectorKind,
    Dpia,
    GdprCategory,
    HandoverFormat,
    Interface,
    Level,
    PolicyComponent,
    PolicyContract,
    PolicyDataset,
    PolicyInput,
    PolicyOperator,
    PolicyRole,
    PolicySite,
    SiteKind,
    StorageKind,
)
from placement.eligibility import open_engine, policy_digest
from tests import builders
from tests.opa_fakes import opa_settings, site_view, view

POLICIES = Path(__file__).resolve().parents[2] / "policies"

# Anything the catalogue does not say is null.
unsure = st.none() | st.booleans()
levels = st.none() | st.sampled_from(Level)
countries = st.sampled_from(["NL", "DE", "FR", "CH", "US", "CN", "NO"])
names = st.sampled_from(["registrar", "steward", "officer", "vendor.admin"])
days = st.none() | st.dates(date(2024, 1, 1), date(2030, 1, 1))
counts = st.none() | st.integers(0, 400)


def some(values):
    return st.lists(st.sampled_from(list(values)), unique=True, max_size=4).map(tuple)


def up_to(strategy, size):
    return st.lists(strategy, max_size=size).map(tuple)


roles = st.builds(PolicyRole, id=names, country=st.none() | countries, clearance=levels)
components = st.builds(
    PolicyComponent,
    name=st.sampled_from(["PostgreSQL", "MinIO", "Oracle", "Orion-LD"]),
    licence=st.none()
    | st.sampled_from(
        ["AGPL-3.0-only", "PostgreSQL", "LicenseRef-proprietary", "MIT OR Apache-2.0"]
    ),
    open_standard=unsure,
    interfaces=some(Interface),
)
contracts = st.builds(
    PolicyContract,
    handover_format=st.none() | st.sampled_from(HandoverFormat),
    handover_interval_days=counts,
    public_ownership=unsure,
    exit_terms=unsure,
    end_date=days,
)
datasets = st.builds(
    PolicyDataset,
    confidentiality=levels,
    integrity=levels,
    availability=levels,
    gdpr_category=st.none() | st.sampled_from(GdprCategory),
    dpia=st.none() | st.sampled_from(Dpia),
    access_rights=st.none() | st.sampled_from(AccessRights),
    non_publication_grounds=some(["5.1.2e", "5.1.1d", "5.2"]),
    readers=up_to(roles, 2),
    writers=up_to(roles, 2),
    administrators=up_to(roles, 2),
    duties=some(["pay", "approve", "audit", "tax-assessment"]),
    collected_by=st.none() | st.sampled_from(CollectorKind),
    contract=st.none() | contracts,
    storage=st.sampled_from(StorageKind),
    interfaces=some(Interface),
    technologies=up_to(components, 2),
)
operators = st.builds(
    PolicyOperator,
    id=st.sampled_from(["city", "cloud", "hyperscaler"]),
    country=countries,
    parent_jurisdiction=st.none() | countries,
    extraterritorial_exposure=unsure,
    foreign_ownership_share=st.none() | st.sampled_from([0.0, 0.24, 0.25, 0.39, 0.4, 1.0]),
)
certifications = st.builds(
    Certification,
    scheme=st.sampled_from(["ISO27001", "C5", "SECNUMCLOUD", "EUCS", "ISO22301"]),
    level=st.none() | st.sampled_from(["Type 1", "Type 2", "high", "basic"]),
    valid_from=st.none(),
    valid_until=days,
)
sites = st.builds(
    PolicySite,
    id=names,
    kind=st.sampled_from(SiteKind),
    country=countries,
    operator=operators,
    certifications=up_to(certifications, 3),
    seal_level=st.none() | st.integers(0, 4),
    federation=unsure,
    mfa=unsure,
    customer_held_keys=unsure,
    audit_logging=unsure,
    administrators=up_to(roles, 2),
    segregated_administration=unsure,
    serves_roles=some(["*", "registrar", "steward", "officer"]),
    interfaces=some(Interface),
    stack=up_to(components, 2),
    exit_notice_days=counts,
    transfer_window_days=counts,
    clauses=st.none() | some(Clause),
)
site_lists = st.lists(sites, min_size=1, max_size=4).map(
    lambda some_sites: [s.model_copy(update={"id": f"s{n}"}) for n, s in enumerate(some_sites)]
)
real_opa = settings(
    deadline=None,
    phases=[Phase.explicit, Phase.generate],  # to shrink means to ask thousands of times
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.fixture(scope="module")
def engine():
    with open_engine(POLICIES, opa_settings()) as opened:
        yield opened


def test_it_holds_the_shipped_policies(engine):
    assert engine.revision == policy_digest(POLICIES)


@real_opa
@given(views=st.lists(datasets, min_size=1, max_size=4), sites=site_lists)
def test_the_batch_and_single_questions_agree_on_every_pair(engine, views, sites):
    table = engine.evaluate(named(views), sites, builders.AS_OF)
    for d, dataset in enumerate(views):
        for s, site in enumerate(sites):
            asked = PolicyInput(dataset=dataset, site=site, as_of=builders.AS_OF)
            assert engine.ask(asked) == table.verdict(d, s)
    named_codes = {v.obligation for row in table.verdicts for cell in row for v in cell.violations}
    assert {o.code for o in table.obligations} == named_codes


@real_opa
@given(views=st.lists(datasets, min_size=1, max_size=5), sites=site_lists)
def test_segregated_duties_agree_with_single_questions(engine, views, sites):
    table = engine.evaluate(named(views), sites, builders.AS_OF)
    duties = [duty for dataset in views for duty in dataset.duties]
    for site in sites:
        listed = {(p.duty, p.other) for p in table.segregated_duties if p.site == site.id}
        assert engine.ask_segregated(site, duties, builders.AS_OF) == listed


@real_opa
@given(
    views=st.lists(datasets, min_size=1, max_size=4),
    sites=site_lists,
    copies=st.lists(st.integers(0, 3), max_size=4),
    random=st.randoms(use_true_random=False),
)
def test_the_order_of_datasets_changes_nothing_but_their_places(
    engine, views, sites, copies, random
):
    together = named(views + [views[n % len(views)] for n in copies])
    shuffled = list(together)
    random.shuffle(shuffled)
    one = engine.evaluate(together, sites, builders.AS_OF)
    two = engine.evaluate(shuffled, sites, builders.AS_OF)
    for d, name in enumerate(one.datasets):
        for s in range(len(sites)):
            assert one.verdict(d, s) == two.verdict(two.datasets.index(name), s)
    assert len(one.verdicts) == len(two.verdicts) == len(set(views))
    assert one.profile_of == tuple(
        sorted(set(views), key=views.index).index(v) for _, v in together
    )
    assert (one.obligations, one.segregated_duties) == (two.obligations, two.segregated_duties)


@real_opa
@given(dataset=datasets, site=sites)
def test_knowing_less_of_a_site_never_turns_a_denial_into_a_permission(engine, dataset, site):
    asked = PolicyInput(dataset=dataset, site=site, as_of=builders.AS_OF)
    for field in ("federation", "mfa", "customer_held_keys", "audit_logging", "clauses"):
        less = site.model_copy(update={field: None})
        poorer = engine.ask(asked.model_copy(update={"site": less}))
        assert engine.ask(asked).eligible or not poorer.eligible


def test_the_same_question_has_the_same_answer_in_another_process(engine):
    sites = [site_view(), site_view(id="us", country="US", kind="public_cloud")]
    views = [("a", view()), ("b", view(duties=("pay", "approve")))]
    with open_engine(POLICIES, opa_settings()) as other:
        mine = engine.evaluate(views, sites, builders.AS_OF)
        assert other.evaluate(views, sites, builders.AS_OF) == mine


def test_the_day_counts(engine):
    """Certificates of the builders' site end in 2028."""
    asked = PolicyInput(dataset=view(), site=site_view(), as_of=date(2028, 1, 1))
    assert engine.ask(asked).eligible
    late = asked.model_copy(update={"as_of": date(2028, 1, 1) + timedelta(days=1)})
    assert not engine.ask(late).eligible


def named(views):
    return [(f"d{n}", dataset) for n, dataset in enumerate(views)]
