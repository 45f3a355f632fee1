"""Classification levels: one ordinal for the Dutch BIO and the German BSI scales.

| ordinal | name      | BIO (BBN) | BSI Schutzbedarf | meaning                                   |
|---------|-----------|-----------|------------------|-------------------------------------------|
| 0       | open      | -         | -                | no need for protection (published data)    |
| 1       | basic     | BBN1      | -                | minimum level, not confidential            |
| 2       | normal    | BBN2      | normal           | confidential, the default for a city       |
| 3       | high      | BBN2+     | hoch             | municipal add-on, serious harm             |
| 4       | very_high | BBN3      | sehr hoch        | departmentally confidential, grave harm    |

The order is what matters: controls are cumulative (BIO 2.0, part 1), and inheritance takes the
maximum (BSI-Standard 200-2, 8.2.4).  BSI "normal" starts where BIO asks for confidentiality
at all, hence BBN2; BBN1 and "open" have no BSI counterpart of their own and read "normal" only
when a catalogue says so.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema


class Level(IntEnum):
    """Ordinal of protection, lowest first."""

    OPEN = 0
    BASIC = 1
    NORMAL = 2
    HIGH = 3
    VERY_HIGH = 4

    @property
    def bbn(self) -> str:
        """The BIO name of the level ("-" where BIO has none)."""
        return {0: "-", 1: "BBN1", 2: "BBN2", 3: "BBN2+", 4: "BBN3"}[int(self)]

    @property
    def schutzbedarf(self) -> str:
        """The BSI name of the level ("-" where BSI has none)."""
        return {0: "-", 1: "-", 2: "normal", 3: "hoch", 4: "sehr hoch"}[int(self)]


_NAMES = {
    "open": Level.OPEN,
    "basic": Level.BASIC,
    "bbn1": Level.BASIC,
    "normal": Level.NORMAL,
    "bbn2": Level.NORMAL,
    "high": Level.HIGH,
    "hoch": Level.HIGH,
    "bbn2+": Level.HIGH,
    "very_high": Level.VERY_HIGH,
    "sehr hoch": Level.VERY_HIGH,
    "sehr_hoch": Level.VERY_HIGH,
    "bbn3": Level.VERY_HIGH,
}

LEVEL_NAMES = tuple(_NAMES)


def parse_level(value: Any) -> Level:
    """Read a level from its ordinal (0..4) or a BIO, BSI or English name, any case.

    Raises
    ------
    ValueError
        Naming every accepted form.
    """
    if isinstance(value, Level):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 4:
        return Level(value)
    if isinstance(value, str) and value.strip().lower() in _NAMES:
        return _NAMES[value.strip().lower()]
    raise ValueError(f"not a level: use 0 to 4 or one of {', '.join(LEVEL_NAMES)}")


ClassificationLevel = Annotated[
    Level,
    BeforeValidator(parse_level),
    PlainSerializer(int, return_type=int),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 4}, {"enum": [*LEVEL_NAMES]}]},
        mode="validation",
    ),
    WithJsonSchema({"type": "integer", "minimum": 0, "maximum": 4}, mode="serialization"),
]
"""A level as catalogues write it; serialised as its ordinal."""
