from __future__ import annotations

import json

import pytest

from models import Parameters
from placement.catalog import (
    load_catalog,
    load_parameters,
    load_plan,
    load_register,
    write_json,
)
from placement.errors import BadInput
from tests import builders

KINDS_OF_RELATION = (
    "\"near\" is no kind of relation: 'derived_from', 'co_located', 'separated', 'cumulated'"
)


def _plain(model, tmp_path):
    path = tmp_path / "plain.json"
    write_json(model, path)
    return json.loads(path.read_text())


def _catalog(tmp_path, *records, **changes):
    datasets = [builders.dataset(f"d{n}") for n in range(max(2, len(records)))]
    document = _plain(builders.catalog(*datasets), tmp_path)
    for dataset, change in zip(document["datasets"], records, strict=False):
        dataset.update(change)
    return document | changes


def _defects(load, tmp_path, document):
    path = tmp_path / "input.json"
    path.write_text(json.dumps(document))
    with pytest.raises(BadInput) as caught:
        load(path)
    assert {defect.file for defect in caught.value.defects} == {str(path)}
    return [(d.record, d.field, d.message) for d in caught.value.defects]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"volume_gb": "10 TB"}, 'a whole number of GB is expected, not "10 TB"'),
        ({"volume_gb": 1.5}, "a whole number of GB is expected, not 1.5"),
        ({"volume_gb": -1}, "a number of GB not below 0 is expected, not -1"),
        ({"volume_gb": True}, "a number is expected, not true or false (found true)"),
        ({"volume_gb": None}, "a whole number of GB is expected, not null"),
        ({"volume_gb": 10**13}, f"a number of GB not above {10**12} is expected, not {10**13}"),
        ({"monthly_read_gb": "5 TB"}, 'a number of GB is expected, not "5 TB"'),
        ({"monthly_read_gb": "NaN"}, 'a finite number of GB is expected, not "NaN"'),
        ({"monthly_read_gb": [1]}, "a number of GB is expected, not a list of 1"),
        ({"replicas": 0}, "a number not below 1 is expected, not 0"),
        ({"id": "dé"}, None),
        ({"high_value": "yes"}, 'true or false is expected, not "yes"'),
        ({"high_value": 1}, "true or false is expected, not 1"),
        ({"readers": "registrar"}, 'a list is expected, not "registrar"'),
        ({"readers": [7]}, None),
        ({"title": ""}, 'a text of at least 1 character(s) is expected, not ""'),
        ({"storage": "tape"}, "one of 'object' or 'block' is expected, not \"tape\""),
        ({"confidentiality": "secret"}, None),
        ({"volume": 5}, "unknown field; did you mean volume_gb?"),
        (
            {"technologies": [{"name": "x", "license": "MIT"}]},
            "unknown field; did you mean licence?",
        ),
    ],
)
def test_a_wrong_field_is_one_defect_with_record_and_field(tmp_path, change, message):
    (defect,) = _defects(load_catalog, tmp_path, _catalog(tmp_path, change))
    record, field, found = defect
    assert record == f"dataset {change.get('id', 'd0')}"
    assert field.split(".")[0] == next(iter(change))
    assert message is None or found == message


def test_positions_inside_a_record_count_from_one(tmp_path):
    document = _catalog(tmp_path, {"technologies": [{"name": "x"}, {"nam": "y", "name": "y"}]})
    ((_, field, _),) = _defects(load_catalog, tmp_path, document)
    assert field == "technologies.2.nam"


def test_an_unknown_field_far_from_any_lists_those_known(tmp_path):
    ((_, _, message),) = _defects(load_catalog, tmp_path, _catalog(tmp_path, zzz=1))
    assert message.startswith("unknown field; known fields are assumptions, contracts, datasets")


def test_a_record_without_an_id_is_named_by_its_position(tmp_path):
    document = _catalog(tmp_path)
    del document["datasets"][1]["id"]
    assert _defects(load_catalog, tmp_path, document) == [("dataset 2", "id", "is missing")]


def test_wrong_fields_and_dangling_references_are_reported_together(tmp_path):
    document = _catalog(
        tmp_path,
        {"volume_gb": "1 TB"},
        {"contract": "nobody"},
        relations=[
            {"kind": "derived_from", "derived": "d0", "source": "d9"},
            {"kind": "co_located", "members": ["d0"]},
            {"kind": "near", "members": ["d0", "d1"]},
            {"members": ["d0", "d1"]},
            {"kind": "separated", "members": ["d0", "d1"], "levl": "site"},
        ],
    )
    assert _defects(load_catalog, tmp_path, document) == [
        ("dataset d0", "volume_gb", 'a whole number of GB is expected, not "1 TB"'),
        ("dataset d1", "contract", "there is no contract nobody"),
        ("relation 1", "source", "there is no dataset d9"),
        ("relation 2", "members", "a list of at least 2 member(s) is expected, not a list of 1"),
        (
            "relation 3",
            "",
            KINDS_OF_RELATION,
        ),
        ("relation 4", "", "the kind of relation is missing"),
        ("relation 5", "levl", "unknown field; did you mean level?"),
    ]


def test_records_that_contradict_each_other(tmp_path):
    derived = {"kind": "derived_from", "derived": "d0", "source": "d1"}
    document = _catalog(
        tmp_path,
        {"readers": ["registrar", "registrar"], "interfaces": ["s3", "s3"]},
        {"replicas": 2},
        {"id": "d1"},
        relations=[
            derived,
            derived,
            derived | {"source": "d0"},
            {"kind": "co_located", "members": ["d0", "d1"]},
        ],
    )
    document["roles"] *= 2
    document["datasets"][2]["replicas"] = 2
    assert _defects(load_catalog, tmp_path, document) == [
        ("dataset d0", "interfaces", 'names "s3" more than once'),
        ("dataset d0", "readers", 'names "registrar" more than once'),
        ("dataset d1", "id", "is used more than once: by dataset 2 and dataset 3"),
        ("relation 2", "", "repeats an earlier relation of the same two datasets"),
        ("relation 3", "source", "a dataset cannot derive from itself"),
        (
            "relation 4",
            "members",
            "co-located datasets need equal replicas: d0 has 1, d1 has 2",
        ),
        ("role registrar", "id", "is used more than once: by role 1 and role 2"),
    ]


def test_a_register_is_checked_in_the_same_way(tmp_path):
    document = _plain(builders.register(builders.site("a"), builders.site("b")), tmp_path)
    document["sites"][0] |= {"operator": "nobody", "capacity_gb": "1 PB"}
    document["sites"][1] |= {
        "egress_price_eur_per_gb": -0.5,
        "clauses": ["audit_right", "audit_right"],
        "certifications": [{"scheme": "ISO27001", "valid_until": 1893456000}],
    }
    document["operators"] *= 2
    assert _defects(load_register, tmp_path, document) == [
        ("operator city", "id", "is used more than once: by operator 1 and operator 2"),
        ("site a", "capacity_gb", 'a whole number of GB is expected, not "1 PB"'),
        ("site a", "operator", "there is no operator nobody"),
        ("site b", "certifications.1.valid_until", _message_of_a_day()),
        ("site b", "clauses", 'names "audit_right" more than once'),
        (
            "site b",
            "egress_price_eur_per_gb",
            "a number of EUR per GB not below 0 is expected, not -0.5",
        ),
    ]


def _message_of_a_day():
    return "a day such as 2026-12-31 is expected (found 1893456000)"


@pytest.mark.parametrize(
    ("load", "document", "field"),
    [
        (load_catalog, {"municipality": "X", "datasets": []}, "datasets"),
        (load_register, {"operators": [], "sites": []}, "sites"),
    ],
)
def test_nothing_to_place_and_nowhere_to_place_it(tmp_path, load, document, field):
    ((record, place, message),) = _defects(load, tmp_path, document)
    assert (record, place) == ("", field)
    assert message.startswith("there is no")


@pytest.mark.parametrize("document", [[], 7, "x", None, {"datasets": 3}, {"datasets": [3, None]}])
def test_any_other_document_is_a_defect_too(tmp_path, document):
    for load in (load_catalog, load_register, load_plan):
        assert _defects(load, tmp_path, document)


def test_a_sites_file_is_no_catalogue(tmp_path):
    document = _plain(builders.register(), tmp_path)
    places = {field for _, field, _ in _defects(load_catalog, tmp_path, document)}
    assert {"format", "datasets", "municipality", "operators", "sites"} <= places


def test_parameters_have_defaults_and_are_checked(tmp_path):
    assert load_parameters(None) == Parameters()
    path = tmp_path / "parameters.json"
    path.write_text('{"gap": 0.01, "exit_budget_eur": "1000.50", "critical_level": "BBN3"}')
    loaded = load_parameters(path)
    assert (str(loaded.gap), str(loaded.exit_budget_eur)) == ("0.01", "1000.50")
    assert _defects(load_parameters, tmp_path, {"gap": 2, "moves_max": 1.5, "as_of": 20260101}) == [
        ("", "as_of", "a day such as 2026-12-31 is expected (found 20260101)"),
        ("", "gap", "a number not above 1 is expected, not 2"),
        ("", "moves_max", "a whole number is expected, not 1.5"),
    ]
