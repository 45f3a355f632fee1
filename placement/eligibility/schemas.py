"""Schemas of `input` for `opa check -s DIR`: a misspelt path in a rule fails before it runs.

Run as `python -m placement.eligibility.schemas DIR`. A rule's METADATA names what it reads:

| METADATA                      | file             | model            |
|-------------------------------|------------------|------------------|
| `- input: schema.authz`       | authz.json       | PermissionInput  |
| `- input: schema.input`       | input.json       | PolicyInput      |
| `- input: schema.batch`       | batch.json       | PolicyBatchInput |
| `- input: schema.segregation` | segregation.json | SegregationInput |

OPA's type checker reads less than JSON Schema says (measured on OPA 1.22): a type in which null
is one of several becomes "any", and any path below it passes. So references are resolved and null
is left out. In a rule, `is_null(input.site.mfa)` and `!= null` are well typed; `== null` is not.
OPA does not check the values of enums, nor the body of `every`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from models import Frozen, PermissionInput, PolicyBatchInput, PolicyInput
from placement.eligibility.questions import SegregationInput

MODELS: Mapping[str, type[Frozen]] = {
    "authz": PermissionInput,
    "input": PolicyInput,
    "batch": PolicyBatchInput,
    "segregation": SegregationInput,
}


def opa_schema(model: type[Frozen]) -> dict[str, Any]:
    """The schema of a model in the part of JSON Schema that OPA's type checker understands.

    Raises
    ------
    ValueError
        When a field's type has no form that OPA would check (a union other than with null).
    """
    schema = model.model_json_schema(mode="serialization")
    return _plain(schema, schema.get("$defs", {}))


def write_schemas(folder: Path) -> tuple[Path, ...]:
    """Write one file per model into the folder, creating it; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, model in MODELS.items():
        path = folder / f"{name}.json"
        text = json.dumps(opa_schema(model), indent=2, sort_keys=True) + "\n"
        path.write_text(text, encoding="utf-8")
        paths.append(path)
    return tuple(paths)


def _plain(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    if "$ref" in node:
        return _plain(definitions[node["$ref"].removeprefix("#/$defs/")], definitions)
    if "anyOf" in node:
        return _plain(_only_type_beside_null(node["anyOf"]), definitions)
    kind = node.get("type")
    if kind == "object" and "properties" in node:
        properties = {key: _plain(value, definitions) for key, value in node["properties"].items()}
        return {"type": kind, "properties": properties, "additionalProperties": False}
    if kind == "array" and "items" in node:
        return {"type": kind, "items": _plain(node["items"], definitions)}
    if kind in ("string", "integer", "number", "boolean"):
        return {"type": kind}
    raise ValueError(f"OPA would not check this type: {json.dumps(node)}")


def _only_type_beside_null(options: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    rest = [option for option in options if option.get("type") != "null"]
    if len(rest) != 1:
        raise ValueError(f"OPA would not check this union: {json.dumps(options)}")
    return rest[0]


def main(arguments: Sequence[str]) -> int:
    """Write the schemas into the one folder named; 2 when called otherwise."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m placement.eligibility.schemas DIR\n")
        return 2
    write_schemas(Path(arguments[0]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
