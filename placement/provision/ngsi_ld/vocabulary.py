"""What our NGSI-LD names stand for: the @context that we serve, and both ways through it.

| prefix | vocabulary                                                                     |
|--------|--------------------------------------------------------------------------------|
| dcat   | Data Catalog Vocabulary, W3C                                                   |
| dct    | DCMI Metadata Terms                                                            |
| prov   | PROV-O, W3C                                                                    |
| own    | `urn:placement:vocabulary:`: what none of these has, such as a site's SEAL     |

Names of dataset properties follow the FIWARE Smart Data Model `dataModel.DCAT-AP/Dataset`
(https://github.com/smart-data-models/dataModel.DCAT-AP) where it has one: `title`, `accessRights`
with its values `public`, `restricted` and `non-public`, `publisher`, `contactPoint`. The standard's
own terms stand in the @context, too, as its core @context has them, so that nobody needs a network
to expand an entity. Source: ETSI GS CIM 009, clauses 4.5 and 5.5.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models.ngsi_ld import EntityType

CONTEXT_PATH = "/ngsi-ld/v1/jsonldContexts/placement.jsonld"
CORE_CONTEXT = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.8.jsonld"
CONTEXT_REL = "http://www.w3.org/ns/json-ld#context"

NGSI_LD = "https://uri.etsi.org/ngsi-ld/"
OWN = "urn:placement:vocabulary:"
PREFIXES = {
    "ngsi-ld": NGSI_LD,
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "prov": "http://www.w3.org/ns/prov#",
}
PROPERTY = "Property"
RELATIONSHIP = "Relationship"

TYPE_IRIS: Mapping[EntityType, str] = {
    EntityType.DATASET: PREFIXES["dcat"] + "Dataset",
    EntityType.OPERATOR: OWN + "Operator",
    EntityType.PLACEMENT: OWN + "Placement",
    EntityType.SITE: OWN + "Site",
}


@dataclass(frozen=True)
class Attribute:
    """One attribute: its IRI, and whether it is a Property or a Relationship."""

    iri: str
    kind: str = PROPERTY


_TAKEN = {
    "title": Attribute(PREFIXES["dct"] + "title"),
    "description": Attribute(PREFIXES["dct"] + "description"),
    "publisher": Attribute(PREFIXES["dct"] + "publisher"),
    "accessRights": Attribute(PREFIXES["dct"] + "accessRights"),
    "contactPoint": Attribute(PREFIXES["dcat"] + "contactPoint"),
    "derivedFrom": Attribute(PREFIXES["prov"] + "wasDerivedFrom", RELATIONSHIP),
}
_RELATIONSHIPS = ("ownedBy", "restsAt", "placedAt", "placedFrom", "operatedBy", "ofDataset")
_CLASS = ("confidentiality", "gdprCategory", "accessRights")
_RIGHTS = ("readers", "writers", "administrators")
OF_TYPE: Mapping[EntityType, tuple[str, ...]] = {
    EntityType.DATASET: (
        *("title", "description", "publisher", "ownedBy", "contactPoint"),
        *_CLASS,
        *("integrity", "availability", "lawfulBasis", "dpia", "nonPublicationGrounds"),
        *("highValue", "collectedBy", "volume", "monthlyReadVolume", "monthlyEgressVolume"),
        *("storage", "interfaces", "replicas", *_RIGHTS, "restsAt", "placedAt", "derivedFrom"),
    ),
    EntityType.OPERATOR: (
        *("title", "country", "parentJurisdiction", "extraterritorialExposure"),
        *("foreignOwnershipShare", "municipal"),
    ),
    EntityType.PLACEMENT: (
        *("title", "publisher", "ofDataset", "placedAt", "placedFrom", "operatedBy", "decision"),
        *("state", *_CLASS, "storage", "volume", *_RIGHTS, "hostObligations", "costEurPerYear"),
    ),
    EntityType.SITE: (
        *("title", "operatedBy", "kind", "country", "certifications", "sealLevel", "federation"),
        *("mfa", "customerHeldKeys", "auditLogging", "interfaces", "capacity"),
        *("objectPriceEurPerGbMonth", "blockPriceEurPerGbMonth", "egressPriceEurPerGb"),
        *("exitNotice", "transferWindow", "clauses"),
    ),
}
"""Attributes that entities of a type may have; which ones, depends on what is known."""

ATTRIBUTES: Mapping[str, Attribute] = {
    name: _TAKEN.get(name)
    or Attribute(OWN + name, RELATIONSHIP if name in _RELATIONSHIPS else PROPERTY)
    for names in OF_TYPE.values()
    for name in names
}

_DATE_TIMES = ("observedAt", "createdAt", "modifiedAt", "deletedAt", "notifiedAt")
_WORDS = (
    *("Property", "Relationship", "DateTime", "Notification", "Subscription"),
    *("EntityTypeList", "EntityType", "EntityTypeInfo", "Attribute", "AttributeList"),
    *("unitCode", "data", "typeName", "attributeName", "entityCount", "attributeDetails"),
)
_REFERENCES = ("subscriptionId", "datasetId")
_VOCABULARY = ("typeList", "typeNames", "attributeNames", "attributeList", "attributeTypes")


def context_document() -> dict[str, Any]:
    """The @context that our names are meant by, as a JSON-LD document."""
    context: dict[str, Any] = {
        "@version": 1.1,
        **PREFIXES,
        "id": "@id",
        "type": "@type",
        "value": NGSI_LD + "hasValue",
        "object": {"@id": NGSI_LD + "hasObject", "@type": "@id"},
        **{word: NGSI_LD + word for word in _WORDS},
        **{word: {"@id": NGSI_LD + word, "@type": NGSI_LD + "DateTime"} for word in _DATE_TIMES},
        **{word: {"@id": NGSI_LD + word, "@type": "@id"} for word in _REFERENCES},
        **{word: {"@id": NGSI_LD + word, "@type": "@vocab"} for word in _VOCABULARY},
        **{kind.value: iri for kind, iri in TYPE_IRIS.items()},
        **{name: _defined(attribute) for name, attribute in ATTRIBUTES.items()},
    }
    return {"@context": context}


def name_of(name: str) -> str:
    """The short name for a short name, a prefixed one or a full IRI; else what was given."""
    prefix, _, rest = name.partition(":")
    if prefix in PREFIXES and not rest.startswith("//"):
        name = PREFIXES[prefix] + rest
    return _SHORT.get(name, name)


def type_of(name: str) -> EntityType | None:
    """The type for a short name or a full IRI; none where we have no such type."""
    return _TYPES.get(name_of(name))


def is_name(text: str) -> bool:
    """Whether a text can be the name of a type or of an attribute: short, prefixed, or an IRI."""
    return bool(_NAME.fullmatch(text) or _IRI.fullmatch(text))


def is_our_context(context: Any) -> bool:
    """Whether an @context is none, the core one or ours, wherever a client reaches us.

    Nobody else's is fetched: what a client could make the service ask for must not depend on it.
    """
    parts = context if isinstance(context, list) else [context]
    return all(
        part is None
        or (isinstance(part, str) and (part.startswith(_CORE) or part.endswith(CONTEXT_PATH)))
        for part in parts
    )


def iri_at(text: str, start: int) -> str | None:
    """The longest of our IRIs that begins at a place of a text and ends there as a name does."""
    for iri in _BY_LENGTH:
        end = start + len(iri)
        if text.startswith(iri, start) and not _NAME_CHAR.match(text, end):
            return iri
    return None


_CORE = NGSI_LD + "v1/ngsi-ld-core-context"
_TYPES: Mapping[str, EntityType] = {kind.value: kind for kind in EntityType}
_NAME_CHAR = re.compile(r"\w")
_NAME = re.compile(r"[^\W\d_]\w*(?::[^\W\d_]\w*)?")
_IRI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]+")
_SHORT: Mapping[str, str] = {
    **{attribute.iri: name for name, attribute in ATTRIBUTES.items()},
    **{iri: kind.value for kind, iri in TYPE_IRIS.items()},
    **{NGSI_LD + word: word for word in (*_DATE_TIMES, *_WORDS)},
}
_BY_LENGTH = sorted(_SHORT, key=len, reverse=True)


def _defined(attribute: Attribute) -> Any:
    """A relationship's simplified value is an IRI, too."""
    if attribute.kind == RELATIONSHIP:
        return {"@id": attribute.iri, "@type": "@id"}
    return attribute.iri
