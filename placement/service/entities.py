"""Entities of a context broker: found, read, and what there is of them (NGSI-LD).

They are made from the records at the time they are asked for: there is no second copy that could
say something else than /v1 does.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

from models.ngsi_ld import EntityType, JsonEntity
from placement.errors import NotFound
from placement.provision.ngsi_ld.entities import record_of
from placement.provision.ngsi_ld.patterns import Budget
from placement.provision.ngsi_ld.representation import with_attributes
from placement.provision.ngsi_ld.selection import Selection
from placement.provision.ngsi_ld.vocabulary import OF_TYPE
from placement.service.city import City
from placement.service.entity_view import Candidate, Sight, View


@dataclass(frozen=True)
class Asked:
    """A page of what is selected."""

    selection: Selection
    limit: int
    offset: int = 0
    counted: bool = False
    """How many there are in all is asked for, too."""
    system: bool = False
    """So is when each was modified."""


@dataclass(frozen=True)
class Found:
    """The entities of a page, normalized."""

    entities: tuple[JsonEntity, ...]
    total: int | None
    """How many there are in all; none: nobody asked."""
    more: bool
    """Others follow."""


def find(city: City, sight: Sight, asked: Asked) -> Found:
    """Entities that meet a selection, in order of types and ids.

    Raises
    ------
    BadInput
        When the patterns of the selection cost too much on this city.
    StoreError
    """
    selection, budget = asked.selection, Budget()
    needed = selection.needed
    end = asked.offset + asked.limit
    page: list[JsonEntity] = []
    number = 0
    with city.store.reading() as tx:
        view = View(tx, city, sight, stamped=asked.system or selection.by_system)
        for uri, make in _candidates(view, selection):
            if not selection.takes_id(uri, budget):
                continue
            if selection.by_content and not selection.takes(make(needed), budget):
                continue
            if asked.offset <= number < end:
                page.append(selection.told(make(None)))
            number += 1
            if number > end and not asked.counted:
                break
    return Found(tuple(page), number if asked.counted else None, number > end)


def read(
    city: City, sight: Sight, uri: str, attributes: frozenset[str], *, system: bool = False
) -> JsonEntity:
    """One entity, with these attributes alone where some are named.

    Raises
    ------
    NotFound
        When there is none that is seen, or it has none of these attributes.
    """
    place = record_of(uri)
    with city.store.reading() as tx:
        view = View(tx, city, sight, stamped=system)
        found = None if place is None else view.one(*place)
        entity = None if found is None else found[1](None)
    if entity is not None and attributes:
        entity = with_attributes(entity, attributes)
    if entity is None:
        raise NotFound(f"there is no entity {uri} with what was asked for")
    return entity


def types(city: City, sight: Sight) -> tuple[EntityType, ...]:
    """Types that there are entities of, as far as they are seen."""
    with city.store.reading() as tx:
        view = View(tx, city, sight, stamped=False)
        return tuple(kind for kind in EntityType if next(view.of(kind), None) is not None)


def count(city: City, sight: Sight, kind: EntityType) -> int:
    """How many entities of a type are seen.

    Raises
    ------
    NotFound
        When there are none.
    """
    with city.store.reading() as tx:
        found = View(tx, city, sight, stamped=False).count(kind)
    if not found:
        raise NotFound(f"there are no entities of the type {kind.value}")
    return found


def attributes(city: City, sight: Sight) -> dict[str, tuple[EntityType, ...]]:
    """Attributes that entities of the types that are seen may have, and these types."""
    seen = types(city, sight)
    names = sorted({name for kind in seen for name in OF_TYPE[kind]})
    return {name: tuple(kind for kind in seen if name in OF_TYPE[kind]) for name in names}


def _candidates(view: View, selection: Selection) -> chain[Candidate]:
    if selection.ids is None:
        return chain.from_iterable(view.of(kind) for kind in EntityType if kind in selection.types)
    places = sorted(place for uri in selection.ids if (place := record_of(uri)) is not None)
    found = (view.one(*place) for place in places if place[0] in selection.types)
    return chain(one for one in found if one is not None)
