"""Which entities a client asks for: types, ids, attributes and `q`, read from a request's words.

Source: ETSI GS CIM 009, clauses 4.17 (entity type selection) and 5.7.2 (query entities).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from models.ngsi_ld import LONGEST_QUERY, MOST_NAMES, EntityType, JsonEntity
from placement.errors import BadInput, Defect
from placement.provision.ngsi_ld.matching import meets
from placement.provision.ngsi_ld.patterns import Budget, Pattern
from placement.provision.ngsi_ld.query import AllOf, AnyOf, Query, read_query
from placement.provision.ngsi_ld.representation import SYSTEM, attributes_of, with_attributes
from placement.provision.ngsi_ld.vocabulary import is_name, name_of, type_of

EVERY_TYPE = frozenset(EntityType)
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]+")


@dataclass(frozen=True)
class Selection:
    """What is asked for; an entity meets it that meets every part."""

    types: frozenset[EntityType] = EVERY_TYPE
    ids: frozenset[str] | None = None
    """URIs; none: any."""
    id_pattern: Pattern | None = None
    attributes: frozenset[str] = frozenset()
    """An entity has one of them, and is shown with these alone; empty: any."""
    query: Query | None = None

    @property
    def by_content(self) -> bool:
        """Whether more than type and id decides."""
        return bool(self.attributes) or self.query is not None

    @property
    def by_system(self) -> bool:
        """Whether `q` asks for what the service keeps of an entity, such as modifiedAt."""
        return self.query is not None and not names_in(self.query).isdisjoint(SYSTEM)

    @property
    def needed(self) -> frozenset[str]:
        """Attributes that decide whether an entity is one that is asked for."""
        return self.attributes | (frozenset() if self.query is None else names_in(self.query))

    def takes_id(self, uri: str, budget: Budget) -> bool:
        """Whether an entity's URI is one that is asked for. Raises BadInput for the budget."""
        if self.ids is not None and uri not in self.ids:
            return False
        return self.id_pattern is None or self.id_pattern.found_in(uri, budget)

    def takes(self, entity: JsonEntity, budget: Budget) -> bool:
        """Whether an entity has what is asked for. Raises BadInput for the budget.

        Parameters
        ----------
        entity
            Normalized, with those at least of its attributes that are needed.
        """
        if self.attributes and self.attributes.isdisjoint(attributes_of(entity)):
            return False
        return self.query is None or meets(entity, self.query, budget)

    def told(self, entity: JsonEntity) -> JsonEntity:
        """An entity that is asked for, with what is asked of it."""
        shown = with_attributes(entity, self.attributes) if self.attributes else None
        return shown or entity


def read_selection(
    types: str | None = None,
    ids: str | None = None,
    id_pattern: str | None = None,
    attributes: str | None = None,
    q: str | None = None,
) -> Selection:
    """A selection from the parameters `type`, `id`, `idPattern`, `attrs` and `q`.

    Raises
    ------
    BadInput
        Naming the parameter and what is wrong with it.
    """
    if all(part is None for part in (types, ids, id_pattern, attributes, q)):
        raise BadInput([Defect("query", "", "type", "or id, idPattern, attrs or q is needed")])
    return Selection(
        EVERY_TYPE if types is None else read_types(types),
        None if ids is None else read_ids(ids),
        None if id_pattern is None else Pattern(id_pattern, "idPattern"),
        frozenset() if attributes is None else read_attributes(attributes),
        None if q is None else read_query(q),
    )


def read_types(text: str) -> frozenset[EntityType]:
    """Types in `A,B`, `A|B` or `A;B`, where `;` asks for entities of both: ours have one type."""
    found: set[EntityType] = set()
    for alternative in re.split(r"[,|]", _within(text, "type")):
        named = [type_of(name) for name in _names(alternative, "type", ";", is_name)]
        both = set(named)
        if len(both) == 1 and None not in both:
            found |= {kind for kind in named if kind is not None}
    return frozenset(found)


def read_ids(text: str) -> frozenset[str]:
    """URIs in a list."""
    return frozenset(_names(text, "id", ",", is_uri))


def read_attributes(text: str) -> frozenset[str]:
    """Short names of the attributes in a list; what we do not know stays as it is."""
    return frozenset(name_of(name) for name in _names(text, "attrs", ",", is_name))


def is_uri(text: str) -> bool:
    """Whether a text can be the URI of an entity."""
    return bool(_URI.fullmatch(text))


def _names(text: str, place: str, separator: str, fits: Callable[[str], bool]) -> list[str]:
    names = _within(text, place).split(separator)
    if len(names) > MOST_NAMES:
        raise BadInput([Defect("query", "", place, f"has more than {MOST_NAMES} parts")])
    if not all(fits(name) for name in names):
        raise BadInput([Defect("query", "", place, "has a part that is no name and no IRI")])
    return names


def _within(text: str, place: str) -> str:
    if len(text) > LONGEST_QUERY:
        raise BadInput([Defect("query", "", place, f"is longer than {LONGEST_QUERY} characters")])
    return text


def names_in(query: Query) -> frozenset[str]:
    """The attributes that a query is about."""
    if isinstance(query, AllOf | AnyOf):
        return frozenset().union(*(names_in(part) for part in query.parts))
    return frozenset({query.path[0]})
