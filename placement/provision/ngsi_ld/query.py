"""`q`: the query language of NGSI-LD (ETSI GS CIM 009, clause 4.9), read into a tree.

    term       attribute | attribute operator value | attribute ~= pattern | attribute !~= pattern
    attribute  name.name...[name.name...]     in brackets: a way into a value that is an object
    value      12.5 | "text" | true | 2026-01-31T12:00:00Z | 2026-01-31 | 12:00:00Z | urn:...
    for == !=  also lists of values (one, two) and ranges (low..high)

`;` is *and*, `|` is *or* and binds less; parentheses group. Names are those of our @context, or
full IRIs. Length and depth are bounded; what is not a query is refused with its place.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal

from models.ngsi_ld import LONGEST_QUERY
from placement.errors import BadInput, Defect
from placement.provision.ngsi_ld.patterns import Pattern
from placement.provision.ngsi_ld.vocabulary import PREFIXES, iri_at, name_of

DEEPEST = 16
MOST_TERMS = 100
MOST_VALUES = 100

Moment = datetime | date | time


@dataclass(frozen=True)
class Text:
    """A quoted text, or a URI: equal to texts and to what relationships lead to."""

    text: str


Value = Text | Decimal | bool | Moment


@dataclass(frozen=True)
class Range:
    """Both ends belong to it; they are of one kind."""

    low: Value
    high: Value


@dataclass(frozen=True)
class Term:
    """One condition. Without an operator: that the attribute is there."""

    path: tuple[str, ...]
    """An attribute, and attributes of attributes such as observedAt."""
    inside: tuple[str, ...] = ()
    """A way into the value."""
    operator: str = ""
    values: tuple[Value | Range, ...] = ()
    pattern: Pattern | None = None


@dataclass(frozen=True)
class AllOf:
    """Every part holds."""

    parts: tuple[Query, ...]


@dataclass(frozen=True)
class AnyOf:
    """One part holds."""

    parts: tuple[Query, ...]


Query = Term | AllOf | AnyOf


def read_query(text: str, place: str = "q") -> Query:
    """The tree of a query.

    Parameters
    ----------
    place
        What it is called in a defect.

    Raises
    ------
    BadInput
        When it is no query, or too long, too deep or too large a one.
    """
    if len(text) > LONGEST_QUERY:
        raise BadInput([Defect("", "", place, f"is longer than {LONGEST_QUERY} characters")])
    return _Reader(text, place).whole()


class _Reader:
    """Recursive descent; every method leaves `_at` behind what it read."""

    def __init__(self, text: str, place: str) -> None:
        self._text = text
        self._place = place
        self._at = 0
        self._terms = 0

    def whole(self) -> Query:
        found = self._any_of(0)
        if self._at < len(self._text):
            raise self._wrong("expected ;, | or the end")
        return found

    def _any_of(self, depth: int) -> Query:
        parts = [self._all_of(depth)]
        while self._take("|"):
            parts.append(self._all_of(depth))
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def _all_of(self, depth: int) -> Query:
        parts = [self._part(depth)]
        while self._take(";"):
            parts.append(self._part(depth))
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _part(self, depth: int) -> Query:
        if depth > DEEPEST:
            raise self._wrong(f"more than {DEEPEST} parentheses inside of one another")
        if not self._take("("):
            return self._term()
        found = self._any_of(depth + 1)
        if not self._take(")"):
            raise self._wrong("expected )")
        return found

    def _term(self) -> Term:
        self._terms += 1
        if self._terms > MOST_TERMS:
            raise self._wrong(f"more than {MOST_TERMS} terms")
        path = self._names()
        inside: tuple[str, ...] = ()
        if self._take("["):
            inside = self._names()
            if not self._take("]"):
                raise self._wrong("expected ]")
        operator = self._operator()
        if operator in ("~=", "!~="):
            pattern = Pattern(self._pattern_text(), self._place)
            return Term(path, inside, operator, pattern=pattern)
        return Term(path, inside, operator, self._values(operator) if operator else ())

    def _names(self) -> tuple[str, ...]:
        names = [self._name()]
        while self._take("."):
            names.append(self._name())
        return tuple(names)

    def _name(self) -> str:
        known = iri_at(self._text, self._at)
        if known is None:
            found = _PREFIXED.match(self._text, self._at)
            if found is None or found[1] not in PREFIXES:
                found = _UNKNOWN_IRI.match(self._text, self._at) or _NAME.match(
                    self._text, self._at
                )
            if found is None:
                raise self._wrong("expected the name of an attribute")
            known = found[0]
        self._at += len(known)
        return name_of(known)

    def _operator(self) -> str:
        found = _OPERATOR.match(self._text, self._at)
        if found is None:
            return ""
        self._at = found.end()
        return found[0]

    def _values(self, operator: str) -> tuple[Value | Range, ...]:
        values = [self._value_or_range(operator)]
        while self._take(","):
            values.append(self._value_or_range(operator))
        if len(values) > MOST_VALUES:
            raise self._wrong(f"more than {MOST_VALUES} values")
        if operator in ("==", "!="):
            return tuple(values)
        if len(values) > 1 or isinstance(values[0], bool):
            raise self._wrong(f"{operator} compares with one number, text or time")
        return tuple(values)

    def _value_or_range(self, operator: str) -> Value | Range:
        low = self._value()
        if not self._take(".."):
            return low
        high = self._value()
        if operator not in ("==", "!=") or isinstance(low, bool) or type(low) is not type(high):
            raise self._wrong("a range has == or != before it, and two ends of one kind")
        return Range(low, high)

    def _value(self) -> Value:
        quoted = _QUOTED.match(self._text, self._at)
        if quoted is not None:
            return Text(self._unquoted(quoted))
        bare = _BARE.match(self._text, self._at)
        value = None if bare is None else _bare_value(bare[0])
        if bare is None or value is None:
            raise self._wrong('expected a number, "text", true, false, a time or a URI')
        self._at = bare.end()
        return value

    def _pattern_text(self) -> str:
        quoted = _QUOTED.match(self._text, self._at)
        if quoted is not None:
            return self._unquoted(quoted, escapes=False)
        bare = _BARE_PATTERN.match(self._text, self._at)
        if bare is None:
            raise self._wrong('expected a pattern: "..."')
        self._at = bare.end()
        return bare[0]

    def _unquoted(self, quoted: re.Match[str], *, escapes: bool = True) -> str:
        """A JSON text; in a pattern, backslashes are the pattern's, but for one before a quote."""
        self._at = quoted.end()
        inside = quoted[0][1:-1]
        if not escapes:
            return inside.replace('\\"', '"')
        try:
            text = json.loads(quoted[0])
            text.encode()
        except ValueError:
            raise self._wrong("a text is not quoted as in JSON") from None
        return str(text)

    def _take(self, sign: str) -> bool:
        if not self._text.startswith(sign, self._at):
            return False
        self._at += len(sign)
        return True

    def _wrong(self, message: str) -> BadInput:
        return BadInput([Defect("", "", self._place, f"at character {self._at + 1}: {message}")])


def _bare_value(text: str) -> Value | None:
    """What an unquoted text stands for; none where it stands for nothing."""
    if text in ("true", "false"):
        return text == "true"
    if _NUMBER.fullmatch(text):
        return Decimal(text)
    moment = moment_of(text)
    if moment is not None:
        return moment
    return Text(text) if _URI.fullmatch(text) else None


def moment_of(text: str) -> Moment | None:
    """A date and time with its zone, a day or a time of day as in ISO 8601; none: it is none."""
    for form, read in _MOMENTS:
        if form.fullmatch(text):
            try:
                return read(text)
            except ValueError:
                return None
    return None


_PREFIXED = re.compile(r"([a-z-]+):[^\W\d_]\w*")
_UNKNOWN_IRI = re.compile(r"(?:https?://|urn:)[^\s;|()\[\]=!<>~,\"]+")
_NAME = re.compile(r"[^\W\d_]\w*")
_OPERATOR = re.compile(r"==|!=|!~=|~=|>=|<=|>|<")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_BARE = re.compile(r"(?:(?!\.\.)[^\s;|()\[\],\"])+")
_BARE_PATTERN = re.compile(r"[^\s;|()\"]+")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,30})(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,2})?")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]+")
_ZONE = r"(?:Z|[+-][0-9]{2}:[0-9]{2})"
_CLOCK = r"[0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,6})?"
_MOMENTS = (
    (re.compile(rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T{_CLOCK}{_ZONE}"), datetime.fromisoformat),
    (re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"), date.fromisoformat),
    (re.compile(rf"{_CLOCK}{_ZONE}"), time.fromisoformat),
)
