"""What is told of types and attributes, and how entities are wanted.

Source: ETSI GS CIM 009, clauses 5.2.24 to 5.2.28 and 6.3.7.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from api.problems import BadRequest
from models.ngsi_ld import EntityType, Representation
from placement.provision.ngsi_ld.vocabulary import ATTRIBUTES, OF_TYPE, TYPE_IRIS

_SYSTEM = "sysAttrs"


def form_of(options: str | None, form: str | None) -> tuple[Representation, bool]:
    """The representation that `options` and `format` ask for, and whether with modifiedAt.

    Raises
    ------
    BadRequest
        For what is not offered, and for two that differ.
    """
    words = [*(options.split(",") if options else ()), *([form] if form is not None else ())]
    forms = {word for word in words if word != _SYSTEM}
    unknown = forms - {one.value for one in Representation}
    if unknown or form == _SYSTEM:
        raise BadRequest("options and format: normalized, concise, keyValues, simplified, sysAttrs")
    if len(forms) > 1:
        raise BadRequest("options and format name several representations")
    return Representation(forms.pop() if forms else "normalized"), _SYSTEM in words


def type_list(kinds: Sequence[EntityType]) -> dict[str, Any]:
    """EntityTypeList."""
    return {
        "id": "urn:ngsi-ld:EntityTypeList:placement",
        "type": "EntityTypeList",
        "typeList": [kind.value for kind in kinds],
    }


def type_details(kinds: Sequence[EntityType]) -> list[dict[str, Any]]:
    """An EntityType each."""
    return [
        {
            "id": TYPE_IRIS[kind],
            "type": "EntityType",
            "typeName": kind.value,
            "attributeNames": list(OF_TYPE[kind]),
        }
        for kind in kinds
    ]


def type_info(kind: EntityType, count: int) -> dict[str, Any]:
    """EntityTypeInfo."""
    return {
        "id": TYPE_IRIS[kind],
        "type": "EntityTypeInfo",
        "typeName": kind.value,
        "entityCount": count,
        "attributeDetails": [
            {
                "id": ATTRIBUTES[name].iri,
                "type": "Attribute",
                "attributeName": name,
                "attributeTypes": [ATTRIBUTES[name].kind],
            }
            for name in OF_TYPE[kind]
        ],
    }


def attribute_list(found: Mapping[str, Sequence[EntityType]], *, details: bool) -> Any:
    """AttributeList, or an Attribute each."""
    if not details:
        return {
            "id": "urn:ngsi-ld:AttributeList:placement",
            "type": "AttributeList",
            "attributeList": list(found),
        }
    return [
        {
            "id": ATTRIBUTES[name].iri,
            "type": "Attribute",
            "attributeName": name,
            "typeNames": [kind.value for kind in kinds],
        }
        for name, kinds in found.items()
    ]
