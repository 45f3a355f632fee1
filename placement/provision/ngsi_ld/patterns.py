r"""Regular expressions of strangers, matched in time that is bounded by their length.

Python's `re` goes back and tries again: `(a+)+$` takes years on forty letters, and neither a limit
on the length nor a ban on nested repetition prevents it (`.*.*.*=` is polynomial). So an expression
becomes an automaton (Thompson's construction) that reads each character once; sets of states are
kept as they are found. What only backtracking can match, references and looking around, is refused.

Known: literals, `.`, `[a-z]`, `[^...]`, `\d \w \s` and their opposites, groups, `|`,
`* + ? {m,n}`, `^` and `$`. A pattern is found anywhere in a text unless it is anchored, as context
brokers do it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from models.ngsi_ld import LONGEST_PATTERN
from placement.errors import BadInput, Defect

MOST_STATES = 1000
DEEPEST = 32
MOST_REPEATED = 255
"""In {m,n}, as POSIX has it."""
MOST_STEPS = 20_000_000
"""Characters that one request may read; a set of states not met before counts for its size."""
_KEPT = 5000

Test = Callable[[str], bool]


class Budget:
    """What all patterns of one request may cost together."""

    def __init__(self, steps: int = MOST_STEPS) -> None:
        self._left = steps

    def spend(self, steps: int) -> None:
        """Take steps. Raises BadInput where none are left."""
        self._left -= steps
        if self._left < 0:
            raise BadInput(
                [Defect("", "", "", "the patterns take too long on this city; ask for less")]
            )


@dataclass
class _States:
    """An automaton: for each state its moves by a character, and those without one."""

    moves: list[tuple[Test, int] | None] = field(default_factory=list)
    free: list[list[tuple[str, int]]] = field(default_factory=list)
    """(condition, state): "" always, "^" at the beginning alone, "$" at the end alone."""

    def new(self) -> int:
        if len(self.moves) >= MOST_STATES:
            raise _Wrong("is too large: fewer or smaller repetitions, please")
        self.moves.append(None)
        self.free.append([])
        return len(self.moves) - 1


class _Wrong(Exception):
    """What is wrong with a pattern."""


class Pattern:
    """A compiled pattern.

    Parameters
    ----------
    text
        The expression.
    place
        What it is called in a defect, such as idPattern.

    Raises
    ------
    BadInput
        When it is too long, not an expression, or needs more than an automaton.
    """

    def __init__(self, text: str, place: str) -> None:
        try:
            if len(text) > LONGEST_PATTERN:
                raise _Wrong(f"is longer than {LONGEST_PATTERN} characters")
            reader = _Reader(text)
            self._first, self._last = reader.whole()
        except _Wrong as wrong:
            raise BadInput([Defect("", "", place, f"the pattern {wrong}")]) from None
        self._states = reader.states
        self._again = self._closed({self._first}, "")
        self._kept = 0
        self._forget()

    def found_in(self, text: str, budget: Budget) -> bool:
        """Whether it matches somewhere in a text. Raises BadInput where the budget ends."""
        budget.spend(len(text) + 1)
        now = 0
        for character in text:
            if self._found[now]:
                return True
            after = self._moves[now].get(character)
            now = self._read(now, character, budget) if after is None else after
        ends = "$" if text else "^$"
        return self._found[now] or self._last in self._closed(self._sets[now], ends)

    def _forget(self) -> None:
        """Know the beginning alone."""
        self._numbers: dict[frozenset[int], int] = {}
        self._sets: list[frozenset[int]] = []
        self._moves: list[dict[str, int]] = []
        self._found: list[bool] = []
        self._number(self._closed({self._first}, "^"))

    def _number(self, states: frozenset[int]) -> int:
        """The number of a set of states."""
        number = self._numbers.get(states)
        if number is None:
            number = self._numbers[states] = len(self._sets)
            self._sets.append(states)
            self._moves.append({})
            self._found.append(self._last in states)
        return number

    def _read(self, now: int, character: str, budget: Budget) -> int:
        """What a character leads to, from a set that it was not read in before."""
        states = self._sets[now]
        budget.spend(10 * len(states))
        moved = {
            move[1]
            for state in states
            if (move := self._states.moves[state]) is not None and move[0](character)
        }
        found = self._closed(moved, "") | self._again
        if self._kept >= _KEPT:
            self._forget()
            self._kept = 0
            return self._number(found)
        self._kept += 1
        self._moves[now][character] = self._number(found)
        return self._moves[now][character]

    def _closed(self, states: Iterable[int], conditions: str) -> frozenset[int]:
        """These states and all that are reached from them without reading anything."""
        found = set(states)
        waiting = list(found)
        while waiting:
            for condition, state in self._states.free[waiting.pop()]:
                if state not in found and (not condition or condition in conditions):
                    found.add(state)
                    waiting.append(state)
        return frozenset(found)


class _Reader:
    """Reads an expression and builds its automaton; each part is (first state, last state)."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self.states = _States()

    def whole(self) -> tuple[int, int]:
        found = self._choice(0)
        if self._at < len(self._text):
            raise _Wrong("closes a group that it did not open")
        return found

    def _choice(self, depth: int) -> tuple[int, int]:
        if depth > DEEPEST:
            raise _Wrong("has groups too deep inside of one another")
        parts = [self._row(depth)]
        while self._take("|"):
            parts.append(self._row(depth))
        if len(parts) == 1:
            return parts[0]
        first, last = self.states.new(), self.states.new()
        for begin, end in parts:
            self._link(first, begin)
            self._link(end, last)
        return first, last

    def _row(self, depth: int) -> tuple[int, int]:
        first = last = self.states.new()
        while self._at < len(self._text) and self._text[self._at] not in "|)":
            begin = self._at
            part = self._one(depth)
            lows = self._times()
            if lows is None:
                self._link(last, part[0])
                last = part[1]
            else:
                last = self._repeated(last, begin, lows, depth)
        return first, last

    def _repeated(self, last: int, begin: int, times: tuple[int, int | None], depth: int) -> int:
        """What was read from `begin`, again and again: each time as states of its own."""
        low, high = times
        behind = self._at
        copies = low if high is None else high
        end = self.states.new()
        if low == 0:
            self._link(last, end)
        for number in range(1, max(copies, 1) + 1):
            self._at = begin
            first, after = self._one(depth)
            if high == 0:
                break
            self._link(last, first)
            last = after
            if number >= low:
                self._link(last, end)
            if high is None and number == max(copies, 1):
                self._link(last, first)
        self._at = behind
        return end

    def _one(self, depth: int) -> tuple[int, int]:
        character = self._next()
        if character == "(":
            return self._group(depth)
        if character in "*+?{":
            raise _Wrong(f"repeats nothing with {character}")
        if character in "^$":
            first, last = self.states.new(), self.states.new()
            self.states.free[first].append((character, last))
            return first, last
        return self._reading(self._test(character))

    def _group(self, depth: int) -> tuple[int, int]:
        if self._take("?") and not self._take(":"):
            raise _Wrong("looks around or sets flags: (?:...) is the only such group known")
        found = self._choice(depth + 1)
        if not self._take(")"):
            raise _Wrong("leaves a group open")
        return found

    def _test(self, character: str) -> Test:
        if character == ".":
            return _anything
        if character == "[":
            return self._set()
        if character == "\\":
            return _escaped(self._next())
        return character.__eq__

    def _set(self) -> Test:
        negated = self._take("^")
        tests: list[Test] = []
        while not self._take("]") or not tests:
            if self._text[self._at - 1 : self._at] == "]" and not tests:
                tests.append("]".__eq__)  # as the first one it stands for itself
                continue
            tests.append(self._member())
        chosen = tuple(tests)
        return lambda character: any(test(character) for test in chosen) != negated

    def _member(self) -> Test:
        low = self._next()
        if low == "[" and self._text[self._at : self._at + 1] in (":", ".", "="):
            raise _Wrong("has a class such as [:alpha:]; write [A-Za-z] or \\w")
        if low == "\\":
            escaped = self._next()
            if escaped in _CLASSES:
                return _CLASSES[escaped]
            low = _literal(escaped)
        follows = self._text[self._at + 1 : self._at + 2]
        if self._text[self._at : self._at + 1] != "-" or follows in ("]", ""):
            return low.__eq__
        self._at += 1
        high = self._next()
        high = _literal(self._next()) if high == "\\" else high
        if high < low:
            raise _Wrong(f"has a range that ends before it begins: {low}-{high}")
        return lambda character: low <= character <= high

    def _times(self) -> tuple[int, int | None] | None:
        found = _TIMES.match(self._text, self._at)
        if found is None:
            return None
        self._at = found.end()
        self._take("?")  # lazy or not: whether it matches is the same
        if _TIMES.match(self._text, self._at):
            raise _Wrong("repeats a repetition; put it into a group")
        sign = found[0]
        if sign[0] != "{":
            return {"*": (0, None), "+": (1, None), "?": (0, 1)}[sign]
        low = int(found[1])
        high = low if found[2] is None else int(found[3]) if found[3] else None
        if max(low, high or 0) > MOST_REPEATED or (high is not None and high < low):
            raise _Wrong(f"repeats {sign}: at most {MOST_REPEATED} times, the smaller number first")
        return low, high

    def _reading(self, test: Test) -> tuple[int, int]:
        first, last = self.states.new(), self.states.new()
        self.states.moves[first] = (test, last)
        return first, last

    def _link(self, here: int, there: int) -> None:
        self.states.free[here].append(("", there))

    def _take(self, character: str) -> bool:
        if self._text[self._at : self._at + 1] != character:
            return False
        self._at += 1
        return True

    def _next(self) -> str:
        if self._at >= len(self._text):
            raise _Wrong("ends too early")
        self._at += 1
        return self._text[self._at - 1]


def _anything(_character: str) -> bool:
    return True


def _escaped(character: str) -> Test:
    return _CLASSES.get(character) or _literal(character).__eq__


def _literal(character: str) -> str:
    """What an escaped character stands for, where that is one character."""
    if character in _CONTROLS:
        return _CONTROLS[character]
    if character.isalnum():
        raise _Wrong(f"has \\{character}, which only backtracking or nothing could match")
    return character


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _not(test: Test) -> Test:
    return lambda character: not test(character)


_TIMES = re.compile(r"[*+?]|\{(\d{1,4})(,(\d{1,4})?)?\}")
_CONTROLS = {"n": "\n", "t": "\t", "r": "\r"}
_CLASSES: dict[str, Test] = {
    "d": str.isdigit,
    "w": _is_word,
    "s": str.isspace,
    "D": _not(str.isdigit),
    "W": _not(_is_word),
    "S": _not(str.isspace),
}
