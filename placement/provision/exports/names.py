"""Names as other tools allow them, for ids that allow more; two ids never share a name."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping

_MARK_DIGITS = 16
_MARKED = re.compile(rf"-[0-9a-f]{{{_MARK_DIGITS}}}$")
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_OBJECT = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
LABEL_LONGEST = 63
OBJECT_LONGEST = 200


def apart(wanted: Mapping[str, str]) -> dict[str, str]:
    """A name for each id: the wanted one, unless several ids want it.

    Then each of them gets a digest of its id behind it, and nobody gets the plain name: what was
    written for one of them must not come to mean another.

    Parameters
    ----------
    wanted
        The wanted name of each id.
    """
    marked: set[str] = set()
    while True:
        names = {
            key: f"{name}_{_digest(key)}" if key in marked else name for key, name in wanted.items()
        }
        often = Counter(names.values())
        clashing = {key for key, name in names.items() if often[name] > 1} - marked
        if not clashing:
            return names
        marked |= clashing


def label(text: str) -> str:
    """A label's value, or the name in its key, as Kubernetes allows it.

    It depends on the id alone: people write it on their nodes by hand.
    """
    return _fitting(text, _LABEL, r"[^A-Za-z0-9._-]", LABEL_LONGEST)


def object_name(text: str) -> str:
    """The name of a Kubernetes object, or the last part of one; it depends on the id alone."""
    return _fitting(text, _OBJECT, r"[^a-z0-9]", OBJECT_LONGEST)


def _fitting(text: str, allowed: re.Pattern[str], replaced: str, longest: int) -> str:
    """The text itself where it is allowed; else what is left of it, and a digest of it.

    What looks like the latter is never left as it is: so no two texts come out alike.
    """
    if allowed.fullmatch(text) and len(text) <= longest and not _MARKED.search(text):
        return text
    lower = text if "A-Z" in replaced else text.lower()
    left = re.sub(replaced, "-", lower)[: longest - _MARK_DIGITS - 1]
    return f"{left.strip('-._')}-{_digest(text)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_MARK_DIGITS]
