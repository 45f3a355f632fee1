"""What a draft may hold before any program looks at it: names, sizes, depth, text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from models import DraftDefect, PolicyFiles

MANIFEST = ".manifest"
MAX_FILES = 300
MAX_FILE_BYTES = 256 * 1024
MAX_TOTAL_BYTES = 1024 * 1024
MAX_NAME = 200
MAX_FOLDERS = 8
MAX_DEPTH = 64
"""Brackets inside one another. OPA's parser recurses, and takes gigabytes for 100,000."""
MAX_LINE = 4_000
"""Characters. A reviewer has to read it."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", re.ASCII)
_TOKENS = re.compile(
    r"""(?P<skip>"(?:[^"\\\n]|\\.)*"|`[^`]*`|\#[^\n]*)|(?P<open>[\[({])|(?P<close>[\])}])"""
)
_RESERVED = ("authz", "system")


def limit_defects(policies: PolicyFiles) -> tuple[DraftDefect, ...]:
    """Every limit that a draft exceeds; empty when programs may look at it."""
    files = policies.files
    if len(files) > MAX_FILES:
        return (_defect("", f"{len(files)} files; at most {MAX_FILES} are allowed"),)
    sizes = {name: len(text.encode("utf-8", "surrogatepass")) for name, text in files.items()}
    found = list(_total(sizes))
    for name, text in files.items():
        found += _name(name)
        if sizes[name] > MAX_FILE_BYTES:
            found.append(_defect(name, f"larger than {MAX_FILE_BYTES} bytes"))
        elif not found:
            found += _text(name, text)
    found += _same_on_disk(files)
    if MANIFEST not in files:
        found.append(_defect(MANIFEST, "missing: it lists the packages that the policies own"))
    return tuple(found)


def _total(sizes: Mapping[str, int]) -> Iterator[DraftDefect]:
    if sum(sizes.values()) > MAX_TOTAL_BYTES:
        yield _defect("", f"larger than {MAX_TOTAL_BYTES} bytes altogether")


def _name(name: str) -> Iterator[DraftDefect]:
    """Relative, plain, and of a kind that belongs into a bundle."""
    shown = name[:MAX_NAME].encode("ascii", "backslashreplace").decode()
    *folders, last = name.split("/")
    if name == MANIFEST:
        return
    if len(name) > MAX_NAME or len(folders) > MAX_FOLDERS:
        yield _defect(shown, f"a path of at most {MAX_NAME} characters in {MAX_FOLDERS} folders")
    elif not all(_NAME.fullmatch(part) for part in (*folders, last)):
        yield _defect(shown, "a relative path of letters, digits and _ . - is expected")
    elif "__pycache__" in folders:
        yield _defect(shown, "caches are not policies")
    elif not (last.endswith(".rego") or last == "data.json"):
        yield _defect(shown, "only Rego (*.rego) and data (data.json) belong into policies")
    elif name.startswith(_RESERVED):
        yield _defect(shown, "who may do what is not up to policies that decide placements")


def _same_on_disk(files: Mapping[str, str]) -> Iterator[DraftDefect]:
    """Names that one disk or the other takes for the same, or a file that is a folder, too."""
    seen: dict[str, str] = {}
    folders = {
        "/".join(parts[:count]).lower()
        for parts in (name.split("/") for name in files)
        for count in range(1, len(parts))
    }
    for name in files:
        key = name.lower()
        if key in seen or key in folders:
            yield _defect(name, "there is another file or folder of the same name")
        seen[key] = name


def _text(name: str, text: str) -> Iterator[DraftDefect]:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        yield _defect(name, "not UTF-8 text")
        return
    for number, line in enumerate(text.split("\n"), start=1):
        bad = next((c for c in line if c not in "\t" and not c.isprintable() and c != " "), None)
        if bad is not None:
            # A byte order mark, CR, NUL, or an override that shows a reviewer other text than OPA.
            yield _defect(name, f"the character U+{ord(bad):04X} is not allowed", number)
        elif len(line) > MAX_LINE:
            yield _defect(name, f"a line of more than {MAX_LINE} characters", number)
    deep = _deepest(text) if name.endswith(".rego") else _json_depth(text)
    if deep > MAX_DEPTH:
        yield _defect(name, f"brackets nested more than {MAX_DEPTH} deep")
    if not name.endswith(".rego"):
        yield from _json(name, text, deep)


def _deepest(text: str) -> int:
    depth = deepest = 0
    for token in _TOKENS.finditer(text):
        if token["open"]:
            depth += 1
            deepest = max(deepest, depth)
        elif token["close"]:
            depth = max(0, depth - 1)
    return deepest


def _json_depth(text: str) -> int:
    """The same for JSON, whose strings are all of one kind."""
    return _deepest(text.replace("`", " ").replace("#", " "))


def _json(name: str, text: str, depth: int) -> Iterator[DraftDefect]:
    if depth > MAX_DEPTH:
        return
    try:
        value: Any = json.loads(text, object_pairs_hook=_distinct, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        yield _defect(name, f"not JSON: {error.msg}", error.lineno, error.colno)
        return
    except (ValueError, RecursionError) as error:
        yield _defect(name, f"not JSON: {error}")
        return
    if name == MANIFEST:
        yield from _manifest(value)
    elif not isinstance(value, dict):
        yield _defect(name, "an object is expected")
    elif "/" not in name:
        for key in value:
            if key.startswith(_RESERVED):
                yield _defect(name, f"data.{key} is not up to policies that decide placements")


def _manifest(value: Any) -> Iterator[DraftDefect]:
    roots = value.get("roots") if isinstance(value, dict) else None
    if not isinstance(roots, list) or not roots or not set(value) <= {"roots", "rego_version"}:
        yield _defect(MANIFEST, "an object with `roots`, a list, and `rego_version` is expected")
        return
    if value.get("rego_version", 1) != 1 or isinstance(value.get("rego_version"), bool):
        yield _defect(MANIFEST, "only rego_version 1 is supported")
    for root in roots:
        if not isinstance(root, str) or not all(_NAME.fullmatch(part) for part in root.split("/")):
            yield _defect(MANIFEST, "a root is a path of packages, such as residency")
        elif root.startswith(_RESERVED):
            yield _defect(MANIFEST, f"{root} is not up to policies that decide placements")


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    decoded = dict(pairs)
    if len(decoded) != len(pairs):
        raise ValueError("a key is repeated")
    return decoded


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is not a number")


def _defect(file: str, message: str, row: int = 0, column: int = 0) -> DraftDefect:
    return DraftDefect(check="limits", file=file, row=row, column=column, message=message)
