from __future__ import annotations

import json
from decimal import Decimal

import pytest

from models import DerivedFrom
from placement.catalog import lineage_of, load_lineage, with_lineage
from placement.errors import BadInput
from tests import builders


def named(*names):
    return [{"namespace": "pg", "name": name} for name in names]


def run(inputs=(), outputs=(), state="COMPLETE", run_id="r1", **more):
    return {
        "eventType": state,
        "eventTime": "2026-01-01T00:00:00Z",
        "run": {"runId": run_id},
        "job": {"namespace": "etl", "name": "job"},
        "inputs": named(*inputs),
        "outputs": named(*outputs),
        "producer": "https://producer.example/",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
    } | more


CATALOG = builders.catalog(*(builders.dataset(name) for name in ("a", "b", "c", "d")))


def content(*events, lines=True):
    if lines:
        return "\n".join(map(json.dumps, events)).encode()
    return json.dumps(events, indent=1).encode()


def merged(*events, catalog=CATALOG):
    return with_lineage(catalog, lineage_of(content(*events), "events"))


def pairs(*events, catalog=CATALOG):
    found = merged(*events, catalog=catalog).relations
    return {(r.source, r.derived) for r in found if isinstance(r, DerivedFrom)}


def defects(raw):
    with pytest.raises(BadInput) as caught:
        lineage_of(raw, "events")
    return [(d.record, d.field, d.message) for d in caught.value.defects]


@pytest.mark.parametrize("lines", [True, False])
def test_a_complete_run_makes_its_outputs_derive_from_its_inputs(lines):
    raw = content(run("ab", "c"), run("c", "d", run_id="r2"), lines=lines)
    found = with_lineage(CATALOG, lineage_of(raw, "e")).relations
    assert all(isinstance(relation, DerivedFrom) for relation in found)
    ends = {(r.source, r.derived) for r in found if isinstance(r, DerivedFrom)}
    assert ends == {("a", "c"), ("b", "c"), ("c", "d")}


def test_one_event_on_several_lines_is_read(tmp_path):
    path = tmp_path / "event.json"
    path.write_text(json.dumps(run("a", "b"), indent=2))
    assert len(with_lineage(CATALOG, load_lineage(path)).relations) == 1


def test_inputs_and_outputs_of_a_run_come_in_several_events():
    assert pairs(run("a", state="START"), run("", "b")) == {("a", "b")}
    assert pairs(run("a", state="START"), run("", "b", run_id="r2")) == set()


@pytest.mark.parametrize("state", ["START", "RUNNING", "ABORT", "FAIL", "OTHER"])
def test_runs_that_did_not_complete_say_nothing(state):
    catalog = merged(run("a", "b", state=state))
    assert catalog.relations == ()
    assert "lineage: runs not known to be complete, left out (1)." in catalog.assumptions


def test_a_job_by_itself_is_a_statement():
    event = {"job": {"namespace": "etl", "name": "j"}, "inputs": named("a"), "outputs": named("b")}
    assert pairs(event) == {("a", "b")}
    other = event | {"inputs": named("c"), "outputs": named("d")}
    assert pairs(event, other) == {("a", "b"), ("c", "d")}


def test_column_lineage_adds_sources():
    facets = {
        "columnLineage": {"fields": {"x": {"inputFields": named("d")}}, "dataset": named("c")}
    }
    dataset = named("b")[0] | {"facets": facets}
    assert pairs({"dataset": dataset}) == {("d", "b"), ("c", "b")}
    assert pairs(run("a") | {"outputs": [dataset]}) == {
        ("a", "b"), ("d", "b"), ("c", "b"),
    }  # fmt: skip


def test_repeated_events_and_relations_that_are_there_count_once():
    there = DerivedFrom(derived="b", source="a", monthly_transfer_gb=Decimal(7))
    catalog = CATALOG.model_copy(update={"relations": (there,)})
    found = merged(run("a", "b"), run("a", "b", run_id="r2"), catalog=catalog)
    assert found.relations == (there,)


def test_datasets_are_found_by_id_by_slug_by_iri_and_by_other_names():
    catalog = builders.catalog(
        builders.dataset("pg/orders"),
        builders.dataset("s3-bucket-raw.orders"),
        builders.dataset("x", uri="kafka://bus/topic"),
        builders.dataset("plain"),
    )
    events = [
        run()
        | {
            "inputs": [
                {"namespace": "pg", "name": "orders"},
                {"namespace": "s3://bucket", "name": "raw.orders"},
                {"namespace": "kafka://bus", "name": "topic"},
                {
                    "namespace": "hive",
                    "name": "unknown",
                    "facets": {"symlinks": {"identifiers": named("plain")}},
                },
            ],
            "outputs": named("target"),
        }
    ]
    target = builders.dataset("target")
    catalog = catalog.model_copy(update={"datasets": (*catalog.datasets, target)})
    assert pairs(*events, catalog=catalog) == {
        (name, "target") for name in ("pg/orders", "s3-bucket-raw.orders", "x", "plain")
    }


def test_what_is_not_in_the_catalogue_is_passed_through_and_counted():
    found = merged(
        run("a", ["t1"]), run(["t1"], ["t2"], run_id="r2"), run(["t2"], "b", run_id="r3")
    )
    assert [(r.source, r.derived) for r in found.relations] == [("a", "b")]
    assert "lineage: datasets that are not here, passed through (2: pg/t1, pg/t2)." in (
        found.assumptions
    )


def test_a_circle_of_unknown_datasets_is_nothing():
    assert pairs(run(["t1"], ["t2"]), run(["t2"], ["t1", "a"], run_id="r2")) == set()


def test_a_dataset_that_a_run_rewrites_does_not_derive_from_itself():
    assert pairs(run("a", "ab")) == {("a", "b")}


def test_a_circle_is_a_defect_that_names_it():
    with pytest.raises(BadInput) as caught:
        merged(run("a", "b"), run("b", "c", run_id="r2"), run("c", "a", run_id="r3"))
    (defect,) = caught.value.defects
    assert defect.file == "events"
    assert "circle" in defect.message
    assert all(name in defect.message for name in "abc")
    assert "d" not in defect.message.partition("circle:")[2]


def test_a_circle_with_relations_that_are_there_is_one_too():
    there = DerivedFrom(derived="a", source="b")
    catalog = CATALOG.model_copy(update={"relations": (there,)})
    with pytest.raises(BadInput, match="circle"):
        merged(run("a", "b"), catalog=catalog)


def test_a_run_with_many_inputs_and_outputs_takes_no_memory_for_their_pairs():
    inputs, outputs = [f"i{n}" for n in range(3000)], [f"o{n}" for n in range(3000)]
    lineage = lineage_of(content(run(inputs, outputs)), "e")
    assert len(lineage.edges) == 6000
    assert with_lineage(CATALOG, lineage).relations == ()


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (7, ""),
        ({}, ""),
        ({"run": 7}, "run"),
        ({"run": {}}, "run.runId"),
        ({"run": {"runId": ""}}, "run.runId"),
        (run(state="DONE"), "eventType"),
        (run(eventType=7), "eventType"),
        (run() | {"inputs": 7}, "inputs"),
        (run() | {"inputs": [7]}, "inputs.1"),
        (run() | {"outputs": [{"name": "x"}]}, "outputs.1.namespace"),
        (run() | {"outputs": [{"namespace": "x", "name": ["y"]}]}, "outputs.1.name"),
        ({"dataset": "x"}, "dataset"),
    ],
)
def test_what_is_no_event_is_a_defect_with_its_place(event, field):
    assert any(
        place == "event 1" and f == field for place, f, _ in defects(json.dumps([event]).encode())
    )


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        (b"{", ""),
        (b"", ""),
        (b"\xff\xfe{}", ""),
        (b'{"job": {}}\n{', "line 2"),
        (b'{"job": {}}\n\n[1', "line 3"),
        (b"[" * 100_000, ""),
        (b'{"job": {}}\n' + b"[" * 100_000, "line 2"),
        (b'{"a": NaN}', ""),
    ],
)
def test_what_is_no_json_is_a_defect(raw, place):
    assert defects(raw)[0][0] == place


def test_a_file_of_defects_stops_after_the_first_hundred():
    assert len(defects(b"[" + b"7," * 5000 + b"7]")) == 100
