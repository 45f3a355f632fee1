"""Failures told: the first few by name, the rest by number."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from models.columns import Flags, Integers

MOST_NAMED = 20


def told(found: Integers, sentence: Callable[[int], str]) -> list[str]:
    """A sentence on each of the first failures, and how many more there are."""
    sentences = [sentence(int(row)) for row in found[:MOST_NAMED]]
    more = len(found) - len(sentences)
    return [*sentences, f"and {more:,} more"] if more else sentences


def cut(sentences: Iterable[str]) -> list[str]:
    """The first sentences, and how many more there are."""
    all_of_them = list(sentences)
    more = len(all_of_them) - MOST_NAMED
    return [*all_of_them[:MOST_NAMED], f"and {more:,} more"] if more > 0 else all_of_them


def listed(flags: Flags, names: tuple[str, ...]) -> str:
    """The names that are flagged."""
    return ", ".join(name for name, there in zip(names, flags, strict=True) if there) or "none"
