"""Records as entities: what they say, in each representation, and as linked data."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from rdflib import DCAT, DCTERMS, PROV, RDF, Literal, URIRef

from models import (
    AccessRights,
    ApprovedPlacement,
    Costs,
    DecisionState,
    HostedAt,
    HostObligation,
    Level,
    StorageKind,
)
from models.ngsi_ld import EntityType, Representation
from placement.provision.ngsi_ld.entities import (
    dataset_entity,
    operator_entity,
    placement_entity,
    record_of,
    site_entity,
    uri_of,
)
from placement.provision.ngsi_ld.representation import represented, with_attributes
from placement.provision.ngsi_ld.vocabulary import (
    ATTRIBUTES,
    NGSI_LD,
    OF_TYPE,
    OWN,
    TYPE_IRIS,
    context_document,
    is_our_context,
    name_of,
    type_of,
)
from tests import builders
from tests.ngsi_ld_cases import graph_of

AT = datetime(2026, 3, 1, 10, 30, tzinfo=UTC)
COSTS = Costs(
    storage=Decimal("10.50"),
    handling=Decimal(1),
    delivery=Decimal(0),
    reading=Decimal(0),
    lineage=Decimal(0),
    migration=Decimal(0),
    preference=Decimal(1000),
)


def placed(*sites):
    obligation = HostObligation(code="enc-1", requirement="Encrypt at rest.")
    hosts = tuple(HostedAt(site=s, operator="city", host_obligations=(obligation,)) for s in sites)
    return ApprovedPlacement(
        decision=3,
        dataset="permits",
        title="Permits",
        department="Civil affairs",
        sites=hosts,
        from_sites=("old",),
        confidentiality=Level.NORMAL,
        gdpr_category=None,
        access_rights=AccessRights.NON_PUBLIC,
        storage=StorageKind.OBJECT,
        volume_gb=12,
        readers=("registrar",),
        writers=(),
        administrators=(),
        cost_eur_per_year=COSTS,
    )


ENTITIES = {
    EntityType.DATASET: dataset_entity(
        builders.dataset("permits", description="All of them", current_site="old"),
        placed_at=("townhall", "hall-2"),
        placed_on=AT,
        sources=("b", "a"),
        modified_at=AT,
    ),
    EntityType.SITE: site_entity(builders.site("townhall", exit_notice_days=60), modified_at=AT),
    EntityType.OPERATOR: operator_entity(builders.operator("city"), modified_at=AT),
    EntityType.PLACEMENT: placement_entity(placed("townhall"), DecisionState.APPROVED, AT),
}


def values(entity, name):
    attribute = entity[name]
    found = attribute["value"] if "value" in attribute else attribute["object"]
    return found if isinstance(found, list) else [found]


# -- what entities say ---------------------------------------------------------------------------


def test_a_dataset_says_what_its_record_does():
    entity = ENTITIES[EntityType.DATASET]
    assert (entity["id"], entity["type"]) == ("urn:ngsi-ld:Dataset:permits", "Dataset")
    assert entity["modifiedAt"] == "2026-03-01T10:30:00.000Z"
    assert entity["title"] == {"type": "Property", "value": "Permits"}
    assert entity["volume"]["unitCode"] == "E34"
    assert entity["confidentiality"]["value"] == 2
    assert entity["ownedBy"] == {
        "type": "Relationship",
        "object": "urn:ngsi-ld:Department:Civil%20affairs",
    }
    assert entity["placedAt"] == {
        "type": "Relationship",
        "object": ["urn:ngsi-ld:Site:townhall", "urn:ngsi-ld:Site:hall-2"],
        "observedAt": "2026-03-01T10:30:00.000Z",
    }
    assert values(entity, "derivedFrom") == ["urn:ngsi-ld:Dataset:a", "urn:ngsi-ld:Dataset:b"]


def test_what_is_not_known_has_no_attribute():
    bare = dataset_entity(builders.dataset("x", owner_department=None, confidentiality=None))
    assert {"placedAt", "derivedFrom", "ownedBy", "confidentiality", "modifiedAt"}.isdisjoint(bare)
    assert None not in [part for each in bare.values() if isinstance(each, dict) for part in each]


def test_a_placement_says_what_it_costs_without_preferences_that_nobody_pays():
    entity = ENTITIES[EntityType.PLACEMENT]
    assert entity["costEurPerYear"]["value"] == 11.5
    assert entity["state"]["observedAt"] == "2026-03-01T10:30:00.000Z"
    assert entity["accessRights"]["value"] == "non-public"
    assert entity["ofDataset"]["object"] == "urn:ngsi-ld:Dataset:permits"
    assert values(entity, "hostObligations") == ["enc-1"]


def test_units_are_codes_of_un_cefact():
    site = ENTITIES[EntityType.SITE]
    assert (site["capacity"]["unitCode"], site["exitNotice"]["unitCode"]) == ("E34", "DAY")


@pytest.mark.parametrize("kind", EntityType)
def test_entities_have_declared_attributes_of_the_declared_kind(kind):
    for name, attribute in ENTITIES[kind].items():
        if name in ("id", "type", "modifiedAt"):
            continue
        assert name in OF_TYPE[kind]
        assert attribute["type"] == ATTRIBUTES[name].kind, name
        assert ("object" in attribute) == (attribute["type"] == "Relationship")


@pytest.mark.parametrize("ident", ["bomen", "a/b:c.d-e_f", "Dataset:Dataset"])
def test_uris_hold_the_record_and_give_it_back(ident):
    for kind in EntityType:
        assert record_of(uri_of(kind, ident)) == (kind, ident)
    for other in ("urn:ngsi-ld:Department:x", "urn:ngsi-ld:dataset:x", "x", ""):
        assert record_of(other) is None


# -- representations -----------------------------------------------------------------------------


def test_simplified_is_names_and_values():
    shown = represented(ENTITIES[EntityType.DATASET], Representation.KEY_VALUES)
    assert shown["title"] == "Permits"
    assert shown["placedAt"] == ["urn:ngsi-ld:Site:townhall", "urn:ngsi-ld:Site:hall-2"]
    assert shown == represented(ENTITIES[EntityType.DATASET], Representation.SIMPLIFIED)
    assert "modifiedAt" not in shown


def test_concise_leaves_out_what_can_be_told_from_the_rest():
    shown = represented(ENTITIES[EntityType.DATASET], Representation.CONCISE, system=True)
    assert shown["title"] == "Permits"
    assert shown["volume"] == {"value": 100, "unitCode": "E34"}
    assert shown["restsAt"] == {"object": "urn:ngsi-ld:Site:old"}
    assert shown["modifiedAt"] == "2026-03-01T10:30:00.000Z"


def test_some_attributes_alone_or_none_of_them():
    entity = ENTITIES[EntityType.DATASET]
    shown = with_attributes(entity, {"title", "no"})
    assert shown is not None
    assert set(shown) == {"id", "type", "modifiedAt", "title"}
    assert with_attributes(entity, {"no"}) is None


# -- linked data ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", EntityType)
def test_every_attribute_expands_to_a_term_with_its_value(kind):
    entity = ENTITIES[kind]
    graph, subject = graph_of(entity), URIRef(entity["id"])
    assert graph.value(subject, RDF.type) == URIRef(TYPE_IRIS[kind])
    told = {name for name in entity if name not in ("id", "type", "modifiedAt")}
    assert len(told) > 5
    for name in told:
        node = graph.value(subject, URIRef(ATTRIBUTES[name].iri))
        assert node is not None, name
        assert graph.value(node, RDF.type) == URIRef(NGSI_LD + entity[name]["type"])
        if entity[name]["type"] == "Relationship":
            found = set(graph.objects(node, URIRef(NGSI_LD + "hasObject")))
            assert found == {URIRef(each) for each in values(entity, name)}
        else:
            found = set(graph.objects(node, URIRef(NGSI_LD + "hasValue")))
            assert {each.toPython() for each in found if isinstance(each, Literal)} == set(
                values(entity, name)
            ), name
        for part in ("unitCode", "observedAt"):
            stated = graph.value(node, URIRef(NGSI_LD + part))
            assert (str(stated) if stated else None) == entity[name].get(part)
    modified = graph.value(subject, URIRef(NGSI_LD + "modifiedAt"))
    assert modified == Literal("2026-03-01T10:30:00.000Z", datatype=URIRef(NGSI_LD + "DateTime"))


def test_datasets_are_of_dcat_and_simplified_relationships_lead_somewhere():
    entity = represented(ENTITIES[EntityType.DATASET], Representation.SIMPLIFIED)
    graph, subject = graph_of(entity), URIRef(entity["id"])
    assert (subject, RDF.type, DCAT.Dataset) in graph
    assert (subject, DCTERMS.title, Literal("Permits")) in graph
    assert (subject, PROV.wasDerivedFrom, URIRef("urn:ngsi-ld:Dataset:a")) in graph
    assert (subject, URIRef(OWN + "placedAt"), URIRef("urn:ngsi-ld:Site:townhall")) in graph


def test_the_context_at_its_path_never_changes():
    """Clients keep it for ever: whoever needs other terms serves them at another path."""
    digest = hashlib.sha256(json.dumps(context_document(), sort_keys=True).encode()).hexdigest()
    assert digest == "28563c9b0145eea81040b48ed313fb27d7ce1ecfbe0061a1cc37685b0f65b8ea"


@pytest.mark.parametrize(
    ("given", "short"),
    [
        ("title", "title"),
        ("http://purl.org/dc/terms/title", "title"),
        ("dct:title", "title"),
        ("urn:placement:vocabulary:volume", "volume"),
        ("https://uri.etsi.org/ngsi-ld/observedAt", "observedAt"),
        ("ngsi-ld:modifiedAt", "modifiedAt"),
        ("http://example.org/title", "http://example.org/title"),
        ("ex:title", "ex:title"),
    ],
)
def test_full_and_prefixed_names_are_the_short_ones(given, short):
    assert name_of(given) == short


def test_types_by_their_names():
    for name in ("Dataset", "dcat:Dataset", "http://www.w3.org/ns/dcat#Dataset"):
        assert type_of(name) is EntityType.DATASET
    assert [type_of(each) for each in ("dataset", "title", "", "http://x/Dataset")] == [None] * 4


@pytest.mark.parametrize(
    ("context", "ours"),
    [
        (None, True),
        ("https://city.example/ngsi-ld/v1/jsonldContexts/placement.jsonld", True),
        ("https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.6.jsonld", True),
        (["https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context.jsonld", None], True),
        ("https://example.org/context.jsonld", False),
        ({"title": "http://example.org/title"}, False),
        (["https://example.org/context.jsonld"], False),
    ],
)
def test_only_our_context_and_the_core_are_understood(context, ours):
    assert is_our_context(context) is ours
