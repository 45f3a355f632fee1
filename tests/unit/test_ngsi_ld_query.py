"""`q`: what is read, what it means for an entity, and what is refused."""

from __future__ import annotations

import random
from typing import Any

import pytest

from placement.errors import BadInput
from placement.provision.ngsi_ld.matching import meets
from placement.provision.ngsi_ld.patterns import Budget
from placement.provision.ngsi_ld.query import read_query
from placement.provision.ngsi_ld.selection import read_selection

ENTITY: dict[str, Any] = {
    "id": "urn:ngsi-ld:Dataset:bomen",
    "type": "Dataset",
    "modifiedAt": "2026-03-01T10:00:00.000Z",
    "title": {"type": "Property", "value": 'Trees "old"; and, new'},
    "volume": {
        "type": "Property",
        "value": 40,
        "unitCode": "E34",
        "observedAt": "2026-01-31T12:00:00.000Z",
    },
    "price": {"type": "Property", "value": 0.1},
    "highValue": {"type": "Property", "value": True},
    "since": {"type": "Property", "value": "2026-01-31"},
    "daily": {"type": "Property", "value": "12:30:00Z"},
    "address": {"type": "Property", "value": {"city": {"name": "Soest"}, "number": 7}},
    "interfaces": {"type": "Property", "value": ["ogc_api", "s3"]},
    "accessRights": {"type": "Property", "value": "public"},
    "placedAt": {"type": "Relationship", "object": "urn:ngsi-ld:Site:townhall"},
    "derivedFrom": {
        "type": "Relationship",
        "object": ["urn:ngsi-ld:Dataset:a", "urn:ngsi-ld:Dataset:b"],
    },
}

HOLD = [
    "title",
    "volume==40",
    "volume==40.0",
    "volume==4e1",
    "volume>=40;volume<=40",
    "volume!=41",
    "volume==10..50",
    "volume!=50..60",
    "volume==1,2,40",
    "volume==1,30..45",
    "price==0.1",
    "volume!=40|price<1",
    "volume<1|volume>1",
    "volume>1;price>1|title",
    "(volume>1|missing);(price>1|title)",
    "((volume))",
    'title=="Trees \\"old\\"; and, new"',
    'title~="^Trees"',
    'title~="\\"old\\""',
    'title!~="Roads"',
    'title>"Trees"',
    "accessRights~=^pub.*$",
    "highValue==true",
    "highValue!=false",
    'highValue!="true"',
    'volume!="40"',
    "volume.unitCode",
    'volume.unitCode=="E34"',
    "volume.observedAt>=2026-01-31T12:00:00Z",
    "volume.observedAt==2026-01-31T13:00:00+01:00",
    "modifiedAt>2026-01-01T00:00:00Z",
    "since==2026-01-01..2026-12-31",
    "since<2026-02-01",
    "daily==12:00:00Z..13:00:00Z",
    'address[city.name]=="Soest"',
    "address[number]>6",
    "address[city]",
    'interfaces=="s3"',
    'interfaces!="wfs"',
    'interfaces~="^ogc"',
    "placedAt==urn:ngsi-ld:Site:townhall",
    'placedAt=="urn:ngsi-ld:Site:townhall"',
    "derivedFrom==urn:ngsi-ld:Dataset:b",
    'derivedFrom~="Dataset:a$"',
    'http://purl.org/dc/terms/title~="Trees"',
    'dct:accessRights=="public"',
    "urn:placement:vocabulary:volume==40",
    "urn:placement:vocabulary:volume.https://uri.etsi.org/ngsi-ld/unitCode",
]

FAIL = [
    "missing",
    "missing!=1",
    'missing!~="x"',
    "volume==41",
    "volume>40",
    'volume>"3"',
    "volume==true",
    "highValue==1",
    "highValue>0",
    'title=="trees"',
    "volume.unit",
    "volume[a]",
    "address[city.street]",
    'interfaces>"a"',
    "title>2026-01-01",
    "since>2026-01-01T00:00:00Z",
    "volume~=40",
    "id",
    'type=="Dataset"',
    "http://example.org/title",
    "http://purl.org/dc/terms/titles",
    "urn:ngsi-ld:unknown==40",
    "volume==40;missing",
    "volume>1;(missing|price>1)",
]

WRONG = [
    "",
    ";",
    "|a",
    "a;",
    "a|",
    "a b",
    "(a",
    "a)",
    "()",
    "a==",
    "a=1",
    "a==b",
    "a===1",
    "a==1,",
    "a==1..",
    "a==..1",
    "a==1..2..3",
    'a==1.."x"',
    "a==true..false",
    "a>1,2",
    "a>1..2",
    "a>true",
    "a~=",
    'a~="("',
    'a=="\\x"',
    'a=="open',
    'a=="\\ud800"',
    "a[",
    "a[]",
    "a[b",
    "a.",
    ".a",
    "a..b",
    "1a",
    "_a",
    "a==2026-13-01",
    "a==25:00:00Z",
    "a==1e999",
    "a==" + "9" * 40,
    "a==NaN",
    "a==Infinity",
    "(" * 18 + "a" + ")" * 18,
    ";".join(["a"] * 101),
    "a==" + ",".join(["1"] * 101),
    "a" * 2001,
]


def holds(q):
    return meets(ENTITY, read_query(q), Budget())


@pytest.mark.parametrize("q", HOLD)
def test_what_holds_of_an_entity(q):
    assert holds(q)


@pytest.mark.parametrize("q", FAIL)
def test_what_does_not(q):
    assert not holds(q)


@pytest.mark.parametrize("q", WRONG)
def test_what_is_no_query_is_refused_with_its_place(q):
    with pytest.raises(BadInput) as refused:
        read_query(q)
    assert {defect.field for defect in refused.value.defects} == {"q"}


def test_the_place_of_a_mistake_is_told():
    with pytest.raises(BadInput, match="q: at character 10: expected a number"):
        read_query("vol>1;a==b")


PIECES = (
    *HOLD,
    *WRONG[:40],
    *(";", "|", "(", ")", "[", "]", ".", "..", ",", "==", "!=", "~=", "!~=", ">", "<=", '"', "\\"),
    *("true", "1", "-", "e", "\x00", "é", "\u2028", "urn:", "http://", "%", " ", "\ud800"),
)


def test_ten_thousand_broken_queries_are_read_or_refused():
    """Nothing but BadInput ever comes out, and what is read can be asked."""
    chance, read = random.Random(42), 0
    for _ in range(10_000):
        parts = chance.choices(PIECES, k=chance.randint(1, 6))
        q = "".join(parts)
        if chance.random() < 0.5:
            at = chance.randrange(len(q) + 1)
            q = q[:at] + chr(chance.randrange(32, 127)) + q[at + chance.randint(0, 2) :]
        try:
            query = read_query(q)
        except BadInput:
            continue
        read += 1
        assert meets(ENTITY, query, Budget()) in (True, False)
    assert read > 500


def test_ten_thousand_broken_parameters_are_read_or_refused():
    chance, read = random.Random(43), 0
    words = (
        *("Dataset", "Site", "dcat:Dataset", "urn:ngsi-ld:Dataset:bomen", "http://x/y", ",", "|"),
        *(";", "(", "", " ", "\x00", "é", "*", "[", "^", "$", "\\", "a" * 300, "volume", "%00"),
    )
    for _ in range(10_000):
        given = [
            "".join(chance.choices(words, k=chance.randint(1, 4)))
            if chance.random() < 0.5
            else None
            for _ in range(5)
        ]
        try:
            selection = read_selection(*given)
            selection.takes_id(ENTITY["id"], Budget())
            if selection.takes(ENTITY, Budget()):
                assert selection.told(ENTITY)["id"] == ENTITY["id"]
        except BadInput:
            continue
        read += 1
    assert read > 100
