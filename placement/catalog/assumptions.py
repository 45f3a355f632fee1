"""What an importer had to assume: each thing once, with how often."""

from __future__ import annotations

_NAMED = 5


class Assumptions:
    """A ledger of assumptions, in the order in which they were first made."""

    def __init__(self) -> None:
        self._noted: dict[str, dict[str, None]] = {}
        self._kinds: dict[str, str] = {}

    def note(self, sentence: str, *records: str, of: str = "dataset") -> None:
        """Assume `sentence` for the records given; they are counted as `of` + "s"."""
        self._kinds.setdefault(sentence, of)
        self._noted.setdefault(sentence, {}).update(dict.fromkeys(records))

    def sentences(self) -> tuple[str, ...]:
        """One sentence an assumption, with the number of records and the first few names."""
        return tuple(
            self._sentence(sentence, list(records)) for sentence, records in self._noted.items()
        )

    def _sentence(self, sentence: str, records: list[str]) -> str:
        if not records:
            return f"{sentence}."
        kind = self._kinds[sentence]
        counted = f"{len(records)} {kind}{'s' if len(records) > 1 else ''}"
        names = ", ".join(records[:_NAMED]) if len(records) <= _NAMED else ""
        return f"{sentence} ({counted}{': ' + names if names else ''})."
