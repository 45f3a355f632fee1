"""OpenLineage 2-0-2 events: which dataset was made from which.

A RunEvent may name inputs at its start and outputs at its end, so those of one run are put
together, and count only when the run completed. JobEvents and DatasetEvents are statements without
a run and always count. Every input of a run is taken as a source of every output: the column
lineage facet can add sources, never take one away, since it may be incomplete.

Only what is used is checked: https://openlineage.io/spec/2-0-2/OpenLineage.json
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from placement.catalog.places import shown
from placement.catalog.strict_json import decode_json, read_bytes
from placement.errors import BadInput, Defect

Record = dict[str, Any]
Name = tuple[str, str]
"""Namespace and name of a dataset."""
Node = Name | int
"""A dataset, or the number of a run or job that stands between its inputs and its outputs."""

MAX_BYTES = 256 * 2**20
_DEFECTS_MAX = 100
_TEXT_MAX = 2_000
_STATES = ("START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER")


@dataclass(frozen=True)
class Lineage:
    """What events say."""

    file: str
    edges: frozenset[tuple[Node, Node]]
    """From source to derived; as many as the events have words, since runs stand between."""
    other_names: dict[Name, frozenset[Name]]
    """What a dataset is called elsewhere, from the symlinks facet."""
    unfinished_runs: int
    """Runs that are not known to have completed; nothing of them is taken."""


@dataclass
class _Said:
    """Inputs and outputs of a run, or of a statement."""

    inputs: set[Name] = field(default_factory=set)
    outputs: set[Name] = field(default_factory=set)
    columns: set[tuple[Name, Name]] = field(default_factory=set)
    complete: bool = False

    def edges(self, number: int) -> Iterator[tuple[Node, Node]]:
        yield from self.columns
        if self.inputs and self.outputs:
            yield from ((source, number) for source in self.inputs)
            yield from ((number, made) for made in self.outputs)


def load_lineage(path: Path) -> Lineage:
    """The events of a file: JSON lines, a list, or one event. Raises BadInput."""
    return lineage_of(read_bytes(path, max_bytes=MAX_BYTES), str(path))


def lineage_of(content: bytes, file: str) -> Lineage:
    """The events in bytes.

    Parameters
    ----------
    content
        JSON lines, a JSON list of events, or one event.
    file
        What to call it in defects.

    Raises
    ------
    BadInput
        With the first defects of the events.
    """
    reading = _Reading(file)
    for place, event in _events(content, file):
        reading.take(event, place)
        if len(reading.defects) >= _DEFECTS_MAX:
            break
    if reading.defects:
        raise BadInput(reading.defects)
    said = [*reading.runs.values(), *reading.statements]
    complete = [each for each in said if each.complete]
    edges = {edge for number, each in enumerate(complete) for edge in each.edges(number)}
    return Lineage(
        file,
        frozenset(edges),
        {name: frozenset(others) for name, others in reading.other_names.items()},
        sum(not run.complete for run in reading.runs.values()),
    )


def _events(content: bytes, file: str) -> Iterator[tuple[str, Any]]:
    lines = [(n, line) for n, line in enumerate(content.split(b"\n"), start=1) if line.strip()]
    if len(lines) > 1 and _is_object(lines[0][1], file):
        for number, line in lines:
            yield f"line {number}", _decoded_line(line, number, file)
        return
    document = decode_json(content, file)
    listed = document if isinstance(document, list) else [document]
    for number, event in enumerate(listed, start=1):
        yield f"event {number}", event


def _is_object(line: bytes, file: str) -> bool:
    """Whether a first line is an object by itself, as in JSON lines."""
    if not (line.lstrip().startswith(b"{") and line.rstrip().endswith(b"}")):
        return False
    try:
        return isinstance(decode_json(line, file), dict)
    except BadInput:
        return False


def _decoded_line(line: bytes, number: int, file: str) -> Any:
    try:
        return decode_json(line, file)
    except BadInput as error:
        raise BadInput(
            [
                Defect(d.file, f"line {number}", d.field, d.message.replace(" at line 1,", " at"))
                for d in error.defects
            ]
        ) from None


class _Reading:
    """Events, one after the other."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.defects: list[Defect] = []
        self.runs: dict[str, _Said] = {}
        self.statements: list[_Said] = []
        """Of jobs by themselves, and of datasets."""
        self.other_names: dict[Name, set[Name]] = {}
        self._place = ""

    def take(self, event: Any, place: str) -> None:
        self._place = place
        if not isinstance(event, dict):
            self._wrong("", f"an event is expected, not {shown(event)}")
        elif "run" in event:
            self._run(event)
        elif "job" in event:
            self.statements.append(self._read(event, _Said(complete=True)))
        elif "dataset" in event:
            self.statements.append(said := _Said(complete=True))
            self._dataset(event["dataset"], "dataset", said.columns)
        else:
            self._wrong("", "a run, a job or a dataset is expected")

    def _run(self, event: Record) -> None:
        run = event["run"]
        key = self._text(run, "runId", "run.runId") if isinstance(run, dict) else ""
        if not isinstance(run, dict):
            self._wrong("run", f"an object is expected, not {shown(run)}")
        state = event.get("eventType", "OTHER")
        if state not in _STATES:
            self._wrong("eventType", f"one of {', '.join(_STATES)} is expected, not {shown(state)}")
        if key:
            said = self._read(event, self.runs.setdefault(key, _Said()))
            said.complete = said.complete or state == "COMPLETE"

    def _read(self, event: Record, said: _Said) -> _Said:
        for key, found in (("inputs", said.inputs), ("outputs", said.outputs)):
            listed = event.get(key)
            if listed is None:
                continue
            if not isinstance(listed, list):
                self._wrong(key, f"a list is expected, not {shown(listed)}")
                continue
            for number, dataset in enumerate(listed, start=1):
                name = self._dataset(dataset, f"{key}.{number}", said.columns)
                found.update(() if name is None else (name,))
        return said

    def _dataset(self, dataset: Any, field: str, columns: set[tuple[Name, Name]]) -> Name | None:
        name = self._name(dataset, field)
        if name is None:
            return None
        facets = dataset.get("facets")
        if isinstance(facets, dict):
            columns |= {(source, name) for source in self._columns(facets, field)}
            others = _inside(facets, "symlinks", "identifiers")
            if isinstance(others, list):
                place = f"{field}.facets.symlinks"
                named = (self._name(other, place) for other in others)
                self.other_names.setdefault(name, set()).update(filter(None, named))
        return name

    def _columns(self, facets: Record, field: str) -> Iterator[Name]:
        """Datasets that the column lineage facet names as inputs."""
        place = f"{field}.facets.columnLineage"
        fields = _inside(facets, "columnLineage", "fields")
        told = list(fields.values()) if isinstance(fields, dict) else []
        for inputs in [
            *(_inside(column, "inputFields") for column in told),
            _inside(facets, "columnLineage", "dataset"),
        ]:
            for source in inputs if isinstance(inputs, list) else ():
                name = self._name(source, place)
                if name is not None:
                    yield name

    def _name(self, dataset: Any, field: str) -> Name | None:
        if not isinstance(dataset, dict):
            self._wrong(field, f"an object is expected, not {shown(dataset)}")
            return None
        namespace = self._text(dataset, "namespace", f"{field}.namespace")
        name = self._text(dataset, "name", f"{field}.name")
        return (namespace, name) if namespace and name else None

    def _text(self, record: Record, key: str, field: str) -> str:
        value = record.get(key)
        if isinstance(value, str) and 0 < len(value.strip()) <= _TEXT_MAX:
            return value.strip()
        self._wrong(field, f"a text is expected, not {shown(value)}")
        return ""

    def _wrong(self, field: str, message: str) -> None:
        self.defects.append(Defect(self.file, self._place, field, message))


def _inside(value: Any, *path: str) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value
