"""Commands on drills: arguments, progress, the table, exit codes; without a service."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from models import (
    DecisionOutcome,
    Drill,
    DrillBasis,
    DrillPart,
    ExitDrill,
    FrontierDrill,
    FrontierParameter,
    JobState,
    Parameters,
    drill_state,
)
from placement.cli import drilling
from placement.cli.app import app
from placement.cli.options import Format
from placement.cli.views.drills import render_drill
from placement.errors import (
    BadInput,
    GapNotReached,
    JobCancelled,
    NotFound,
    PlacementError,
    ServiceError,
    SolverError,
)
from placement.service.drills import parts_of
from tests import builders, drill_cases

BASIS = DrillBasis(catalog_version=3, policies="0" * 64, standing=7)
DECIDED = DrillPart(
    name="hoster",
    job="b" * 32,
    state=JobState.DONE,
    outcome=DecisionOutcome.DECIDED,
    objective_eur=Decimal("12345.60"),
    gap=Decimal("0.0005"),
    difference_eur=Decimal("1234.50"),
    datasets_moved=1200,
    basis=BASIS,
    report="/v1/what-ifs/" + "1" * 64,
)
STUCK = DECIDED.model_copy(
    update={
        "name": "costly",
        "outcome": DecisionOutcome.INFEASIBLE,
        "objective_eur": None,
        "gap": None,
        "difference_eur": None,
        "datasets_moved": None,
        "core": ("moves", "assignment[trees]"),
    }
)
HOMELESS = STUCK.model_copy(
    update={
        "name": "local",
        "outcome": DecisionOutcome.NO_ELIGIBLE_SITE,
        "core": (),
        "unplaceable": ("bag", "zones"),
        "unplaceable_datasets": 1002,
    }
)
RUNNING = DrillPart(name="slow", job="c" * 32, state=JobState.RUNNING)
BROKEN = DrillPart(
    name="broken",
    job="d" * 32,
    state=JobState.FAILED,
    problem={"code": "gap_not_reached", "detail": "too late"},
)
CANCELLED = DrillPart(name="given-up", job="e" * 32, state=JobState.CANCELLED)


def drill(*parts: DrillPart, asked: Any = None, one_basis: bool = True) -> Drill:
    return Drill(
        id="a" * 32,
        created_at=datetime(2026, 11, 23, tzinfo=UTC),
        author="issuer office",
        asked=asked or ExitDrill(kind="exit"),
        catalog_version=3,
        state=drill_state(part.state for part in parts),
        parts_ended=sum(part.state.final for part in parts),
        parts_asked=len(parts),
        one_basis=one_basis,
        parts=parts,
    )


def table(found: Drill) -> str:
    return render_drill(found, Format.TABLE).decode()


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines end where the text does, whatever the terminal of whoever runs the tests."""
    monkeypatch.setenv("COLUMNS", "200")


# --- the table -----------------------------------------------------------------------------------


def test_the_table_has_a_line_for_each_operator():
    text = table(drill(DECIDED, STUCK, HOMELESS, BROKEN, CANCELLED, RUNNING))
    lines = {line.split()[0]: line for line in text.splitlines() if line.startswith("  ")}
    assert "Leaving one operator at a time: 6 what-ifs, running: 5 of 6 ended." in text
    assert "Against decision 7." in text
    assert lines["hoster"].split() == ["hoster", "12,345.60", "+1,234.50", "1,200"]
    assert lines["costly"].endswith("cannot all hold: moves, assignment[trees]")
    assert lines["local"].endswith("no eligible site for bag, zones, and 1,000 more")
    assert lines["broken"].endswith("gap_not_reached: too late")
    assert lines["given-up"].split() == ["given-up", "cancelled"]
    assert lines["slow"].split() == ["slow", "running"]


def test_the_table_of_a_frontier_has_values():
    asked = FrontierDrill(
        kind="frontier", parameter=FrontierParameter.MOVES_MAX, values=(Decimal(5),)
    )
    text = table(drill(DECIDED.model_copy(update={"name": "5"}), asked=asked))
    assert text.startswith("Values of moves_max: 1 what-if, done.")
    assert "Value" in text


def test_parts_that_cannot_be_compared_are_not_passed_off_as_alike():
    assert "cannot be compared" in table(drill(DECIDED, one_basis=False))
    assert "cannot be compared" not in table(drill(DECIDED))


def test_less_is_shown_as_less():
    cheaper = DECIDED.model_copy(update={"difference_eur": Decimal("-3.50")})
    assert "-3.50" in table(drill(cheaper))


def test_csv_and_json_have_all_of_it():
    found = drill(DECIDED, STUCK)
    rows = list(csv.DictReader(io.StringIO(render_drill(found, Format.CSV).decode())))
    assert [row["part"] for row in rows] == ["hoster", "costly"]
    assert (rows[0]["difference_eur"], rows[0]["datasets_moved"]) == ("1234.50", "1200")
    assert rows[1]["why_not"] == "cannot all hold: moves, assignment[trees]"
    assert Drill.model_validate(json.loads(render_drill(found, Format.JSON))) == found


# --- exit codes and states -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ((DECIDED,), 0),
        ((DECIDED, RUNNING), 0),
        ((DECIDED, STUCK), 1),
        ((HOMELESS, DECIDED), 1),
        ((STUCK, BROKEN), GapNotReached.exit_code),
        ((DECIDED, CANCELLED), JobCancelled.exit_code),
    ],
)
def test_the_exit_code_is_that_of_the_worst_part(parts, code):
    assert drilling.exit_code_of(drill(*parts)) == code


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ("queued queued", "queued"),
        ("queued done", "running"),
        ("running queued", "running"),
        ("done done", "done"),
        ("done cancelled", "cancelled"),
        ("failed cancelled done", "failed"),
        ("failed running", "running"),
    ],
)
def test_the_state_of_a_drill_follows_from_its_jobs(states, expected):
    assert drill_state(map(JobState, states.split())) is JobState(expected)


# --- arguments -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "value"), [("0.3", "0.3"), ("30%", "0.3"), ("5000", "5000")])
def test_values_are_read_as_people_write_them(text, value):
    assert drilling.number(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", "nan", "inf", "-1", "many", "%"])
def test_what_is_no_value_is_refused(text):
    with pytest.raises(typer.BadParameter):
        drilling.number(text)


@pytest.mark.parametrize(
    "arguments",
    [
        ("exit", "--operator", "no blanks"),
        ("exit", *(f"--operator=o{n}" for n in range(65))),
        ("frontier", "--parameter", "moves_max"),
        ("frontier", "--value", "1"),
        ("frontier", "--parameter", "gap", "--value", "0.1"),
        ("frontier", "--parameter", "moves_max", "--value", "many"),
        ("frontier", "--parameter", "exit_budget_eur", "--value", "1e15"),
        ("show",),
        ("exit",),
    ],
)
def test_usage_errors_are_exit_2_in_one_line(arguments):
    result = CliRunner(env={"PLACEMENT_SERVER": None}).invoke(app, ["drill", *arguments])
    assert result.exit_code == 2, result.stderr
    assert len(result.stderr.splitlines()) == 1


def exits(*operators: str) -> ExitDrill:
    return ExitDrill(kind="exit", operators=operators)


def values(parameter: str, *given: str) -> FrontierDrill:
    return FrontierDrill(
        kind="frontier",
        parameter=FrontierParameter(parameter),
        values=tuple(map(Decimal, given)),
    )


def test_everybody_but_the_city_is_left_with_all_sites():
    parts = parts_of(exits(), drill_cases.register(), Parameters())
    assert [(part.name, part.asked.sites_out) for part in parts] == [
        ("costly", ("costly-east", "costly-west")),
        ("hoster", ("hoster",)),
    ]
    assert {part.asked.parameters for part in parts} == {None}


def test_those_named_are_left_in_the_order_named():
    parts = parts_of(exits("hoster", "city"), drill_cases.register(), Parameters())
    assert [part.name for part in parts] == ["hoster", "city"]
    assert parts[1].asked.sites_out == ("archive", "townhall")


def test_operators_without_sites_are_not_left():
    sites = drill_cases.register()
    idle = sites.model_copy(update={"operators": (*sites.operators, builders.operator("idle"))})
    assert [p.name for p in parts_of(exits(), idle, Parameters())] == ["costly", "hoster"]
    with pytest.raises(BadInput, match="runs no site"):
        parts_of(exits("idle"), idle, Parameters())


def test_nobody_to_leave_and_too_many_are_refused():
    with pytest.raises(BadInput, match="0 run sites"):
        parts_of(exits(), builders.register(), Parameters())
    many = builders.register(*(builders.site(f"s{n}", operator=f"o{n}") for n in range(65)))
    with pytest.raises(BadInput, match="65 run sites"):
        parts_of(exits(), many, Parameters())
    assert len(parts_of(exits("o1", "o64"), many, Parameters())) == 2


def test_a_frontier_changes_one_parameter_and_keeps_the_others():
    own = Parameters(amortisation_years=9)
    parts = parts_of(values("moves_max", "10", "0"), drill_cases.register(), own)
    assert [part.asked.parameters for part in parts] == [
        own.model_copy(update={"moves_max": 10}),
        own.model_copy(update={"moves_max": 0}),
    ]
    for part in parts:
        given = part.asked.parameters
        assert given is not None
        assert Parameters.model_validate(given.model_dump()) == given


# --- following one -------------------------------------------------------------------------------


class Drills:
    """A client whose drill is told in two steps, or does not come to its end."""

    def __init__(self, ending: BaseException | None = None, cancelling: Any = None) -> None:
        self.ending, self.cancelling = ending, cancelling
        self.cancelled: list[str] = []
        self.drills = self

    def wait(self, ident, report):
        report(drill(DECIDED, RUNNING))
        if self.ending is not None:
            raise self.ending
        ended = drill(DECIDED, STUCK)
        report(ended)
        return ended

    def cancel(self, ident):
        self.cancelled.append(ident)
        if isinstance(self.cancelling, PlacementError):
            raise self.cancelling


def following(client: Any, *, quiet: bool = False) -> Drill:
    return drilling._ended(client, "a" * 32, quiet=quiet)


def test_progress_says_how_far_it_is(capsys):
    following(Drills())
    assert capsys.readouterr().err.splitlines() == [
        "drill: 1 of 2 ended; under way: slow",
        "drill: 2 of 2 ended; under way: none",
    ]
    following(Drills(), quiet=True)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("ending", [KeyboardInterrupt(), SystemExit(143)])
def test_whoever_interrupts_the_command_cancels_the_drill(capsys, ending):
    client = Drills(ending)
    with pytest.raises(type(ending)):
        following(client, quiet=True)
    assert client.cancelled == ["a" * 32]
    assert capsys.readouterr().err == f"drill {'a' * 32} is cancelled\n"


def test_a_drill_that_cannot_be_cancelled_is_named(capsys):
    with pytest.raises(KeyboardInterrupt):
        following(Drills(KeyboardInterrupt(), NotFound("gone")), quiet=True)
    assert "could not be cancelled: gone" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "said"), [(ServiceError("away"), True), (SolverError("x"), False)]
)
def test_a_drill_whose_service_is_lost_is_not_taken_for_ended(capsys, error, said):
    client = Drills(error)
    with pytest.raises(type(error)):
        following(client, quiet=True)
    assert client.cancelled == []
    assert ("placement drill show" in capsys.readouterr().err) is said
