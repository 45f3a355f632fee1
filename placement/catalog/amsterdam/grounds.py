"""What Woo grounds and titles say of the data in a restricted dataset.

The Woo (Dutch Open Government Act) lists grounds for not publishing in art. 5.1 and 5.2.
Amsterdam labels 5.1.1d "contains personal data", which is wider than the Act's reading
(special categories and criminal data, par. 3.1 and 3.2 UAVG); the label is followed, and
special categories are recognised by words.
"""

from __future__ import annotations

import re

from models import GdprCategory, Level

PERSONAL_GROUNDS = frozenset({"5.1.1d", "5.1.1e", "5.1.2e"})
"""Special, criminal and identifying data; respect for private life."""
GRAVE_GROUNDS = frozenset({"5.1.1a", "5.1.1b", "5.1.2h"})
"""Unity of the Crown, security of the State, security of persons and companies."""

ASSUMED_GROUND = "5.1.2e"
"""For restricted data whose ground is not determined: the most careful reading is that it
touches private life."""

_GROUND = re.compile(
    r"\b(5\.\d)[\s.,]*(?:lid\s*)?(\d)?[\s.,]*(?:(?:onder|sub)\s*)?([a-i])?(?=[\s:.,;)]|$)",
    re.IGNORECASE,
)
_SPECIAL_WORDS = re.compile(
    r"\b(?:(?:jeugd|ouderen|thuis|mantel)?zorg|jeugd|wmo|(?:sociaal)?medisch|gezondheid"
    r"|gehandicapt|handicap|pati[eë]nt|leerlingenvervoer|religi|geloof|etnisch|seksue"
    r"|biometri|genetisch|vakbond|health|medical|care\b|youth)",
    re.IGNORECASE,
)
"""Dutch and English beginnings of words for the special categories of art. 9 GDPR: health and
care first, since that is what a city holds."""
_CRIMINAL_WORDS = re.compile(
    r"\b(?:strafrecht|strafbaar|strafza|strafbla|veroordel|detentie|reclassering|verdacht"
    r"|criminal|offence)",
    re.IGNORECASE,
)


def normalised(ground: str) -> str:
    """A ground as "5.1.2e" where it can be recognised, else as it is written."""
    match = _GROUND.search(ground)
    if match is None:
        return ground
    article, paragraph, letter = match.groups()
    return article + (f".{paragraph}{(letter or '').lower()}" if paragraph else "")


def is_recognised(ground: str) -> bool:
    """Whether a normalised ground is an article of the Woo."""
    return re.fullmatch(r"5\.\d(?:\.\d[a-i]?)?", ground) is not None


def gdpr_category(grounds: tuple[str, ...], words: str, *, whole_part: bool) -> GdprCategory:
    """The category of a restricted dataset with these normalised grounds.

    Undetermined grounds count as personal data. Words of art. 9 or 10 raise personal
    data to that category where a whole dataset or table is restricted (`whole_part`); where only
    fields are, the dataset's subject says nothing of them.
    """
    undetermined = not grounds or not all(map(is_recognised, grounds))
    if not undetermined and PERSONAL_GROUNDS.isdisjoint(grounds):
        return GdprCategory.NONE
    if whole_part and _SPECIAL_WORDS.search(words):
        return GdprCategory.SPECIAL
    if whole_part and _CRIMINAL_WORDS.search(words):
        return GdprCategory.CRIMINAL
    return GdprCategory.PERSONAL


def confidentiality(category: GdprCategory, grounds: tuple[str, ...]) -> Level:
    """BBN2 for what is not public; one level more for art. 9 and 10 data and for security."""
    grave = category.rank >= GdprCategory.CRIMINAL.rank or not GRAVE_GROUNDS.isdisjoint(grounds)
    return Level.HIGH if grave else Level.NORMAL
