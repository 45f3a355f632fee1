"""Certificates as price lists name them, in the register's spelling."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date

from models import Certification

_ISO = re.compile(r"\bISO[ /-]?(?:IEC[ -]?)?(\d{4,5})\b", re.IGNORECASE)
_C5 = re.compile(r"\bC5\b(?:.*\b(Type [12])\b)?", re.IGNORECASE)
_PCI = re.compile(r"\bPCI[ -]DSS\b(?: (v[\d.]{1,10})(?![\d.]))?", re.IGNORECASE)
_SOC = re.compile(r"\bSOC ?([123])\b(?:.*\b(Type [12])\b)?", re.IGNORECASE)


def certifications(
    named: Iterable[str], detailed: Iterable[str], valid_until: date
) -> tuple[Certification, ...]:
    """Certificates a provider names, with the level where a more detailed list states one."""
    levels = {scheme: level for scheme, level in map(_read, detailed) if scheme}
    found: dict[str, Certification] = {}
    for text in named:
        scheme, level = _read(text)
        if scheme:
            level = level or levels.get(scheme)
            found[scheme] = Certification(scheme=scheme, level=level, valid_until=valid_until)
    return tuple(found[scheme] for scheme in sorted(found))


def _read(text: str) -> tuple[str, str | None]:
    """Scheme and level: "BSI C5 Type 2" is ("C5", "Type 2"); "" where nothing can be read."""
    if match := _ISO.search(text):
        return f"ISO{match.group(1)}", None
    if match := _C5.search(text):
        return "C5", match.group(1) and match.group(1).capitalize()
    if match := _PCI.search(text):
        return "PCI-DSS", match.group(1)
    if match := _SOC.search(text):
        return f"SOC{match.group(1)}", match.group(2) and match.group(2).capitalize()
    slug = re.sub(r"[^A-Z0-9.+]+", "-", text.upper()).strip("-.+")
    return slug[:40].strip("-.+"), None
