"""A policy change on its whole way, on both databases: from a draft to what OPA runs, and back."""

from __future__ import annotations

import json
from datetime import timedelta
from types import SimpleNamespace

import pytest

from models import AuditAction, DraftReport, RevisionState, sha256_of
from placement.errors import NotAuthenticated, PolicyEngineError, PolicyRevisionMismatch
from placement.service.policies import note_status
from placement.store.policies import OpaStatus, Policies
from placement.store.tables import AuditRow
from tests import builders
from tests.decision_cases import catalog, certified, keep, sites
from tests.policy_cases import BOARD, OFFICE, REVIEWER, body, eventually, running, shipped, stricter

DRAFTS = "/v1/policies/drafts"


@pytest.fixture
def service(tmp_path, store_url):
    with running(tmp_path / "data", store_url) as service:
        assert eventually(lambda: active(service) == 1)
        yield service


def active(service):
    with service.city.store.reading() as tx:
        found = Policies(tx).active()
        return found and found.number


def actions(service):
    with service.city.store.reading() as tx:
        rows = tx.session.query(AuditRow).order_by(AuditRow.sequence)
        return [AuditAction(row.action) for row in rows]


def drafted(client, files, title="A change"):
    reply = client.post(DRAFTS, json=body(files, title))
    assert reply.status_code == 201, reply.text
    return reply.json()["id"]


def test_a_change_on_its_whole_way(service):
    with (
        service.client("anna", REVIEWER) as anna,
        service.client("bert", REVIEWER) as bert,
        service.client("cato", BOARD) as cato,
    ):
        first = anna.get("/v1/policies/current").json()
        assert first["number"] == 1
        assert first["state"] == "active"
        draft = drafted(anna, stricter())

        assert bert.post(f"{DRAFTS}/{draft}/review", json={"accept": True}).status_code == 409
        checked = anna.post(f"{DRAFTS}/{draft}/check").json()
        assert checked["report"]["defects"] == []
        assert checked["report"]["tests"] > 400
        own = anna.post(f"{DRAFTS}/{draft}/review", json={"accept": True})
        assert own.status_code == 403
        assert cato.post(f"{DRAFTS}/{draft}/approval").status_code == 409

        said = {"accept": True, "comment": "As the board wished"}
        assert bert.post(f"{DRAFTS}/{draft}/review", json=said).json()["state"] == "reviewed"
        assert bert.post(f"{DRAFTS}/{draft}/approval").status_code == 403
        assert bert.post(f"{DRAFTS}/{draft}/publication").status_code == 409
        assert cato.post(f"{DRAFTS}/{draft}/approval").json()["state"] == "approved"
        once = {"idempotency-key": "once"}
        published = cato.post(f"{DRAFTS}/{draft}/publication", headers=once)
        assert published.status_code == 201
        again = cato.post(f"{DRAFTS}/{draft}/publication", headers=once)
        assert again.json() == published.json()
        assert published.json()["number"] == 2

        assert eventually(lambda: active(service) == 2)
        now = anna.get("/v1/policies/current").json()
        assert now["revision"] == checked["revision"] != first["revision"]
        assert now["contents"] == stricter()
        assert anna.get("/v1/policies/1").json()["state"] == "withdrawn"
        assert service.city.engine(now["revision"]).revision == now["revision"]
        with pytest.raises(PolicyRevisionMismatch):
            service.city.opa.engine(first["revision"])

        assert anna.post("/v1/policies/1/rollback").status_code == 403
        back = cato.post("/v1/policies/1/rollback")
        assert back.json()["rollback_of"] == 1
        assert eventually(lambda: active(service) == 3)
        assert anna.get("/v1/policies/current").json()["revision"] == first["revision"]
        assert cato.post("/v1/policies/1/rollback").status_code == 409
        listed = anna.get("/v1/policies").json()["items"]
        assert [item["state"] for item in listed] == ["active", "withdrawn", "withdrawn"]
    policy_actions = [a for a in actions(service) if a.value.startswith("policy_")]
    assert policy_actions == [
        AuditAction.POLICY_PUBLISHED,
        AuditAction.POLICY_ACTIVATED,
        AuditAction.POLICY_DRAFTED,
        AuditAction.POLICY_CHECKED,
        AuditAction.POLICY_REVIEWED,
        AuditAction.POLICY_APPROVED,
        AuditAction.POLICY_PUBLISHED,
        AuditAction.POLICY_ACTIVATED,
        AuditAction.POLICY_ROLLED_BACK,
        AuditAction.POLICY_ACTIVATED,
    ]


@pytest.fixture
def clean_checks(monkeypatch):
    """Checks that find nothing: what they find is tested where they are, and takes its time."""

    def examine(settings, files):
        return DraftReport(digest=sha256_of(files), defects=(), tests=1)

    monkeypatch.setattr("placement.service.drafts.reviewing.examine", examine)


@pytest.mark.usefixtures("clean_checks")
def test_what_was_said_holds_for_one_version(service):
    with (
        service.client("anna", REVIEWER) as anna,
        service.client("bert", REVIEWER) as bert,
        service.client("cato", BOARD) as cato,
        service.client("dora", REVIEWER, BOARD) as dora,
    ):
        draft = drafted(anna, stricter())
        url = f"{DRAFTS}/{draft}"
        anna.post(f"{url}/check")
        assert bert.post(f"{url}/review", json={"accept": True}).status_code == 200
        seen = dora.get(url)
        assert seen.json()["contents"] == stricter()
        edit = body(stricter(), "Another title")
        assert dora.put(url, json=edit).status_code == 428
        assert dora.put(url, json=edit, headers={"if-match": '"1.0"'}).status_code == 412
        edited = dora.put(url, json=edit, headers={"if-match": seen.headers["etag"]})
        assert edited.status_code == 200
        second = edited.json()
        assert (second["version"], second["state"], second["report"]) == (2, "draft", None)
        assert len(second["authors"]) == 2
        assert cato.post(f"{url}/approval").status_code == 409
        dora.post(f"{url}/check")
        # Whoever wrote an earlier version, or the latest one, is an author of the draft.
        assert anna.post(f"{url}/review", json={"accept": True}).status_code == 403
        assert dora.post(f"{url}/review", json={"accept": True}).status_code == 403
        rejected = bert.post(f"{url}/review", json={"accept": False, "comment": "No"})
        assert rejected.json()["state"] == "rejected"
        assert bert.post(f"{url}/review", json={"accept": True}).status_code == 409
        assert cato.post(f"{url}/approval").status_code == 409


@pytest.mark.usefixtures("clean_checks")
def test_a_draft_on_an_old_basis_is_not_published(service):
    with (
        service.client("anna", REVIEWER) as anna,
        service.client("bert", REVIEWER) as bert,
        service.client("cato", BOARD) as cato,
    ):
        drafts = [drafted(anna, stricter()), drafted(anna, stricter(), "The same again")]
        for draft in drafts:
            anna.post(f"{DRAFTS}/{draft}/check")
            bert.post(f"{DRAFTS}/{draft}/review", json={"accept": True})
            assert cato.post(f"{DRAFTS}/{draft}/approval").status_code == 200
        assert cato.post(f"{DRAFTS}/{drafts[0]}/publication").status_code == 201
        late = cato.post(f"{DRAFTS}/{drafts[1]}/publication")
        assert late.status_code == 409
        assert "published since" in late.json()["detail"]
        etag = anna.get(f"{DRAFTS}/{drafts[0]}").headers["etag"]
        edit = anna.put(f"{DRAFTS}/{drafts[0]}", json=body(stricter()), headers={"if-match": etag})
        assert edit.status_code == 409


def test_a_draft_with_defects_tells_where_and_goes_no_further(service_of_one):
    with (
        service_of_one.client("anna", REVIEWER) as anna,
        service_of_one.client("bert", REVIEWER) as bert,
    ):
        text = "package residency\n\nenvironment := opa.runtime()\n"
        drafted(anna, stricter())
        draft = drafted(anna, {**shipped().files, "residency/leak.rego": text})
        report = anna.post(f"{DRAFTS}/{draft}/check").json()["report"]
        assert [(d["check"], d["file"], d["row"], d["column"]) for d in report["defects"]] == [
            ("capabilities", "residency/leak.rego", 3, 16)
        ]
        refused = bert.post(f"{DRAFTS}/{draft}/review", json={"accept": True})
        assert refused.status_code == 409
        page = anna.get(DRAFTS, params={"limit": 1}).json()
        assert page["items"][0]["id"] == draft
        rest = anna.get(DRAFTS, params={"limit": 1, "cursor": page["next"]}).json()
        assert rest["next"] is None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("../../etc/passwd.rego", "package x\n"),
        ("/etc/x.rego", "package x\n"),
        ("a\u202e.rego", "package x\n"),
        ("authz/rights.rego", "package authz\n"),
        ("residency/x.txt", "words"),
        ("residency/deep.rego", "package residency\n\nx := " + "[" * 100_000 + "]" * 100_000),
        ("residency/bom.rego", "\ufeffpackage residency\n"),
        ("residency/crlf.rego", "package residency\r\n"),
    ],
)
def test_what_no_program_should_look_at_is_refused_at_the_door(service_of_one, name, text):
    with service_of_one.client("anna", REVIEWER) as anna:
        reply = anna.post(DRAFTS, json=body({**shipped().files, name: text}, name))
        assert reply.status_code == 422
        assert reply.json()["code"] == "bad_input"
        found = anna.get(DRAFTS, params={"limit": 1000}).json()["items"]
        assert all(draft["title"] != name for draft in found)


def test_impact_and_usage_on_the_current_catalogue(service_of_one):
    uruguay = builders.site("montevideo", country="UY", certifications=certified())
    # A country without adequate protection, before and after.
    texas = builders.site("dallas", country="US", certifications=certified())
    keep(service_of_one.city, catalog(), builders.register(*sites(), texas, uruguay))
    with service_of_one.client("anna", REVIEWER) as anna:
        draft = drafted(anna, stricter())
        impact = anna.get(f"{DRAFTS}/{draft}/impact").json()
        assert impact["pairs"] == 5 * 5
        assert {shift["obligation"] for shift in impact["obligations"]} == {
            "residency.personal_data_in_safe_country"
        }
        assert impact["becomes_ineligible"] + impact["fails_otherwise"] > 0
        assert impact["becomes_eligible"] == 0
        assert {change["site"] for change in impact["examples"]} == {"montevideo"}
        assert all(change["lost"] == [] for change in impact["examples"])
        same = drafted(anna, shipped().files)
        unchanged = anna.get(f"{DRAFTS}/{same}/impact").json()
        assert unchanged["obligations"] == unchanged["examples"] == []
        used = {rule["obligation"]: rule for rule in anna.get("/v1/policies/usage").json()["rules"]}
    assert len(used) > 40
    assert any(rule["never_fires"] for rule in used.values())
    assert any(not rule["never_fires"] for rule in used.values())
    assert all(rule["never_fires"] == (rule["violations"] == 0) for rule in used.values())


def test_who_may_not_draft_and_who_may_not_see(service_of_one):
    with service_of_one.client("otto", OFFICE) as otto, service_of_one.client("eve") as eve:
        assert otto.post(DRAFTS, json=body(shipped().files)).status_code == 403
        assert eve.get("/v1/policies/current").status_code == 403


@pytest.fixture(scope="module")
def service_of_one(tmp_path_factory):
    folder = tmp_path_factory.mktemp("service")
    with running(folder, f"sqlite:///{folder / 'placement.sqlite3'}") as service:
        assert eventually(lambda: active(service) == 1)
        yield service


def test_bundles_are_for_opa_alone(service_of_one):
    with service_of_one.client("cato", BOARD) as cato:
        for path in ("/v1/bundles/policies.tar.gz", "/v1/bundles/authz.tar.gz"):
            assert cato.get(path).status_code == 401
        assert cato.post("/v1/opa/status", json={}).status_code == 401
    with service_of_one.opa_client() as opa:
        bundle = opa.get("/v1/bundles/policies.tar.gz")
        assert bundle.status_code == 200
        known = {"if-none-match": bundle.headers["etag"]}
        assert opa.get("/v1/bundles/policies.tar.gz", headers=known).status_code == 304
        assert opa.get("/v1/bundles/authz.tar.gz", headers=known).status_code == 200
        assert opa.get("/v1/bundles/other.tar.gz").status_code == 404
        assert opa.get("/v1/policies/current").status_code == 401


@pytest.mark.parametrize("report", [b"", b"[]", b"{}", b'{"labels": {"id": 1}}', b"\xff", b"[" * 9])
def test_a_status_report_that_is_none_is_refused(service_of_one, report):
    with service_of_one.opa_client() as opa:
        assert opa.post("/v1/opa/status", content=report).status_code == 422


def test_a_dead_opa_comes_back_and_its_question_fails(service_of_one):
    with service_of_one.city.store.reading() as tx:
        engine = service_of_one.city.engine(Policies(tx).active_revision())
    opa = service_of_one.city.opa
    with pytest.raises(PolicyEngineError, match="not known"), opa.asking():
        _kill(opa)
    assert eventually(lambda: _answers(engine))


def _kill(opa):
    child = opa._place._running[0]
    child._child.kill()
    assert eventually(child.ended)


def _answers(engine):
    try:
        engine._query("placement/batch", EMPTY, 10.0)
    except PolicyEngineError:
        return False
    return True


EMPTY = {"datasets": [], "sites": [], "duties": [], "as_of": "2000-01-01"}


TOKEN, RIGHTS = "t" * 40, "c" * 64


def city_of(store):
    opa = SimpleNamespace(feed=SimpleNamespace(token=TOKEN), authz_revision=RIGHTS)
    return SimpleNamespace(store=store, opa=opa)


def report(name, revision, rights=RIGHTS, **wrong):
    held = {
        "policies": {"active_revision": revision, **wrong},
        "authz": {"active_revision": rights},
    }
    return json.dumps({"labels": {"id": name}, "bundles": held, "metrics": {}}).encode()


@pytest.fixture
def two_published(store):
    with store.writing() as tx:
        policies = Policies(tx)
        files = policies.keep_files(shipped())
        policies.publish(files, "a" * 64, "cato")
        policies.activate("opa")
        policies.publish(files, "b" * 64, "cato")
    return store


def test_every_opa_that_lives_must_run_a_revision_before_it_is_active(two_published):
    city = city_of(two_published)
    with two_published.noting() as tx:
        long_ago = tx.now - timedelta(seconds=60)
        Policies(tx).opa_reported(OpaStatus("gone", "a" * 64, RIGHTS, "", long_ago))
    for told in (
        report("two", "a" * 64),
        report("one", "b" * 64),  # the other one does not yet
        report("two", "b" * 64, rights="d" * 64),  # with the rights of other software
        report("two", "b" * 64, code="bundle_error", message="does not compile"),
    ):
        assert note_status(city, told, TOKEN) is None
    with two_published.reading() as tx:
        assert Policies(tx).active_revision() == "a" * 64
        assert Policies(tx).served_revisions() == {"a" * 64, "b" * 64}
    active = note_status(city, report("two", "b" * 64), TOKEN)
    assert active is not None
    assert (active.number, active.state) == (2, RevisionState.ACTIVE)
    assert note_status(city, report("two", "b" * 64), TOKEN) is None
    with two_published.reading() as tx:
        assert [r.state for r in Policies(tx).revisions()] == [
            RevisionState.ACTIVE,
            RevisionState.WITHDRAWN,
        ]


def test_a_revision_that_never_became_active_is_withdrawn_by_the_next(two_published):
    with two_published.writing() as tx:
        policies = Policies(tx)
        policies.publish(policies.keep_files(shipped()), "a" * 64, "cato", rollback_of=1)
    assert note_status(city_of(two_published), report("one", "b" * 64), TOKEN) is None
    active = note_status(city_of(two_published), report("one", "a" * 64), TOKEN)
    assert active is not None
    assert active.number == 3
    with two_published.reading() as tx:
        states = [r.state.value for r in Policies(tx).revisions()]
    assert states == ["active", "withdrawn", "withdrawn"]


def test_nobody_else_reports(two_published):
    with pytest.raises(NotAuthenticated):
        note_status(city_of(two_published), report("one", "b" * 64), "x" * 40)
