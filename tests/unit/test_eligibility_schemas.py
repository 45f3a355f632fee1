"""The schemas that `opa check` uses say all that the models say."""

from __future__ import annotations

import json
from enum import StrEnum

import jsonschema
import pytest

from models import Frozen, Level, PolicyBatchInput, PolicyInput, policy_dataset, policy_site
from placement.eligibility.schemas import MODELS, main, opa_schema, write_schemas
from tests import builders


def _question() -> PolicyInput:
    dataset = builders.dataset()
    effective = builders.problem((dataset,), (builders.site(),)).facts.effective[0]
    roles = {"registrar": builders.role(clearance=Level.HIGH)}
    return PolicyInput(
        dataset=policy_dataset(dataset, effective, roles, {}),
        site=policy_site(builders.site(), {"city": builders.operator()}, roles),
        as_of=builders.AS_OF,
    )


def _without_nulls(value):
    if isinstance(value, dict):
        return {k: _without_nulls(v) for k, v in value.items() if v is not None}
    return [_without_nulls(v) for v in value] if isinstance(value, list) else value


def test_one_file_a_question_stable_bytes(tmp_path):
    first = [path.read_bytes() for path in write_schemas(tmp_path / "a")]
    second = [path.read_bytes() for path in write_schemas(tmp_path / "b")]
    assert first == second
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == ["authz.json", "batch.json", "input.json", "segregation.json"]


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_object_is_closed_and_no_union_or_reference_is_left(name):
    def walk(node):
        assert not {"anyOf", "$ref", "oneOf"} & set(node)
        if node["type"] == "object":
            assert node["additionalProperties"] is False
            for child in node["properties"].values():
                walk(child)
        if node["type"] == "array":
            walk(node["items"])

    walk(opa_schema(MODELS[name]))


def test_a_real_question_fits_the_schema_and_a_misspelt_one_does_not():
    document = _without_nulls(_question().model_dump(mode="json"))
    jsonschema.validate(document, opa_schema(PolicyInput))
    document["dataset"]["confidentialty"] = 3
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, opa_schema(PolicyInput))


def test_a_batch_holds_the_same_dataset_and_site_as_a_single_question():
    single, batch = opa_schema(PolicyInput), opa_schema(PolicyBatchInput)
    assert batch["properties"]["datasets"]["items"] == single["properties"]["dataset"]
    assert batch["properties"]["sites"]["items"] == single["properties"]["site"]


def test_levels_are_the_ordinals_that_opa_gets_not_the_names_that_catalogues_use():
    dataset = opa_schema(PolicyInput)["properties"]["dataset"]["properties"]
    assert dataset["confidentiality"] == {"type": "integer"}


def test_a_union_that_opa_would_wave_through_is_refused():
    class Kind(StrEnum):
        A = "a"

    class Vague(Frozen):
        either: int | Kind | None

    with pytest.raises(ValueError, match="would not check this union"):
        opa_schema(Vague)


def test_a_map_with_free_keys_is_refused():
    class Free(Frozen):
        anything: dict[str, int]

    with pytest.raises(ValueError, match="would not check this type"):
        opa_schema(Free)


def test_called_as_a_command(tmp_path, capsys):
    assert main([str(tmp_path / "schemas")]) == 0
    assert json.loads((tmp_path / "schemas" / "input.json").read_text())["type"] == "object"
    assert main([]) == 2
    assert "usage" in capsys.readouterr().err
