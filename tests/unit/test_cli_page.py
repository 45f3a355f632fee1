"""Pages: narrow and wide terminals, other locales, hostile titles, closed pipes."""

from __future__ import annotations

import io
import json
import sys
from decimal import Decimal
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import Parameters
from placement.cli import output, text
from placement.cli.options import Document, Format
from placement.cli.page import Column, Page
from placement.cli.views import plan as plan_view
from placement.cli.views import schemas
from placement.cli.views.machine import as_json
from placement.errors import StoreError
from tests import builders, cli_cases

FIGURES = (Column("Name"), Column("Kind"), Column("EUR", figures=True))


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Latin(io.StringIO):
    """A stream of a locale that has no UTF-8."""

    encoding = "ascii"


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch):
    for name in ("COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def rendered(page: Page) -> str:
    return page.content().decode()


def plan_of(number: int, **changes):
    datasets = (builders.dataset(f"dataset-{i}", **changes) for i in range(number))
    return cli_cases.plan(cli_cases.catalog(*datasets))


@pytest.mark.parametrize("columns", ["1", "40", "60", "80"])
def test_no_line_is_wider_than_the_terminal_and_no_name_is_cut(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    name = "a-very-long-dataset-name"
    page = Page(io.StringIO())
    page.say("words " * 40)
    page.items(["words " * 40])
    page.table(FIGURES, [(name, "one " * 30, "1,000,000.00")])
    lines = rendered(page).splitlines()
    assert max(map(len, lines)) <= max(int(columns), 40)
    assert any(name in line for line in lines)
    assert any("1,000,000.00" in line for line in lines)


def test_into_a_pipe_every_record_is_one_line():
    page = Page(io.StringIO())
    page.table(FIGURES, [("a" * 150, "one " * 60, "1.00")])
    assert len(rendered(page).splitlines()) == 2


def test_figures_stand_right():
    page = Page(io.StringIO())
    page.table(FIGURES, [("a", "b", "1.00"), ("c", "d", "1,000.00")])
    first, second = rendered(page).splitlines()[1:]
    assert len(first) == len(second)
    assert first.endswith("    1.00")


def test_a_terminal_gets_colour_unless_it_asks_for_none(monkeypatch):
    page = Page(Terminal())
    page.say("x", style="red")
    assert "\x1b[31m" in rendered(page)
    monkeypatch.setenv("NO_COLOR", "1")
    page = Page(Terminal())
    page.say("x", style="red")
    assert "\x1b[31m" not in rendered(page)


def test_a_pipe_gets_no_colour():
    page = Page(io.StringIO())
    page.heading("x")
    page.say("x", style="red")
    assert "\x1b" not in rendered(page)


def test_titles_are_text_and_not_markup_nor_escape_sequences():
    title = "[bold red]x[/] :smile: \x1b[2J\x07 \u202egnp.exe\nnext [link=http://x]y[/link]"
    page = Page(Terminal())
    page.say(title)
    page.table((Column("Title"), Column("")), [(title, "")])
    shown = rendered(page)
    assert "[bold red]x[/] :smile: \\x1b[2J\\x07 \\u202egnp.exe next [link=http://x]y" in shown
    assert "\x1b[2J" not in shown
    assert "\u202e" not in shown


@given(st.text())
def test_what_is_shown_is_one_line_of_printable_text(value):
    line = text.shown(value)
    assert line.splitlines() in ([line], [])
    assert line.encode().decode() == line
    assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in line)


def test_another_locale_gets_escapes_instead_of_a_crash():
    page = Page(Latin())
    page.say("Müllabfuhr 東京")
    page.table((Column("Größe"),), [("ß",)])
    assert page.content().isascii()
    assert b"M\\xfcllabfuhr" in page.content()


def test_wide_characters_keep_columns_aligned():
    page = Page(io.StringIO())
    page.table((Column("a"), Column("b")), [("東京", "x"), ("abcd", "y")])
    first, second = rendered(page).splitlines()[1:]
    assert first.index("x") == second.index("y") - 2  # each of the two takes two cells


def test_a_terminal_sees_the_first_forty_placements_and_hears_of_the_rest(monkeypatch):
    monkeypatch.setattr(sys, "stdout", Terminal())
    page = plan_view.render(plan_of(45), Format.TABLE, bytes).decode()
    assert "dataset-39 " in page
    assert "dataset-40 " not in page
    assert "5 more" in page


def test_a_pipe_gets_all_placements(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    page = plan_view.render(plan_of(45), Format.TABLE, bytes).decode()
    assert "dataset-44 " in page
    assert " more" not in page


def test_an_optimal_plan_is_called_the_cheapest(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    proven = cli_cases.plan(gap=Decimal(0), dual_bound_eur=Decimal("1234.50"))
    page = plan_view.render(proven, Format.TABLE, bytes).decode()
    assert "EUR 1,234.50 a year, the cheapest that any plan can be." in page


@pytest.mark.parametrize(
    ("share", "words"),
    [("0", "0 %"), ("0.001", "0.1 %"), ("0.000000001", "0.0001 %"), ("1", "100 %")],
)
def test_a_gap_is_never_shown_too_small(share, words):
    assert text.percent(Decimal(share)) == words


# --- leaving -------------------------------------------------------------------------------------


class Pipe(io.RawIOBase):
    """A pipe whose reader has left, or a disk without room."""

    def __init__(self, error: OSError | None) -> None:
        self.error = error

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        if self.error:
            raise self.error
        return len(content)


@pytest.fixture
def stdout_failing_with(monkeypatch):
    """Replaces standard output by one that fails."""
    pipes = []

    def install(error):
        pipes.append(Pipe(error))
        stream = io.TextIOWrapper(io.BufferedWriter(pipes[-1]), "utf-8")
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.setattr(output, "discard_standard_output", lambda: None)

    yield install
    for pipe in pipes:
        pipe.error = None  # what is still buffered may go


def test_a_reader_who_leaves_does_not_change_the_answer(stdout_failing_with):
    stdout_failing_with(BrokenPipeError(32, "Broken pipe"))
    output.emit(b"x" * 100_000)


def test_an_answer_that_cannot_be_delivered_is_a_store_error(stdout_failing_with):
    stdout_failing_with(OSError(28, "No space left on device"))
    with pytest.raises(StoreError, match="No space left"):
        output.emit(b"x")


def test_a_closed_standard_output_is_a_store_error(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(StoreError, match="closed"):
        output.emit(b"x")


def stage_and_fail(out):
    with output.staged(cli_cases.plan(), out) as content:
        assert json.loads(content)["municipality"] == "Testburg"
        raise StoreError("not delivered")


def test_a_staged_file_appears_only_when_all_went_well(tmp_path):
    out = tmp_path / "plan.json"
    out.write_text("old")
    with pytest.raises(StoreError, match="not delivered"):
        stage_and_fail(out)
    assert out.read_text() == "old"
    assert list(tmp_path.iterdir()) == [out]


def test_a_staged_file_is_written_through_a_link(tmp_path):
    real = tmp_path / "real.json"
    real.write_text("old")
    link = tmp_path / "link.json"
    link.symlink_to(real)
    with output.staged(Parameters(), link) as content:
        pass
    assert link.is_symlink()
    assert real.read_bytes() == content


# --- schemas -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "model"),
    [
        (Document.PLAN, cli_cases.plan()),
        (Document.CATALOG, cli_cases.catalog()),
        (Document.SITES, cli_cases.sites()),
        (Document.PARAMETERS, Parameters()),
    ],
)
def test_the_published_schema_describes_the_file(document, model):
    schema = json.loads(schemas.render(document))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    written = json.loads(as_json(model))
    assert list(validator.iter_errors(written)) == []
    assert list(validator.iter_errors({**written, "surprise": 1})) != []


def test_the_schemas_have_different_names():
    names = {json.loads(schemas.render(document))["$id"] for document in Document}
    assert len(names) == len(Document)
    titles = {json.loads(schemas.render(document))["title"] for document in Document}
    assert titles == {"Plan", "Catalog", "SiteRegister", "Parameters"}
