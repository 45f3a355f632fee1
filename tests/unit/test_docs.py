"""The README says what the code does: every code, constraint, command and parameter is in it."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

import placement.errors
from models import Parameters
from placement.cli.app import app
from placement.cli.options import CatalogFormat, Document, Format, SitesFormat
from placement.cli.outcome import INTERNAL, INTERRUPTED, USAGE
from placement.errors import PlacementError

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
POLICIES = ROOT / "policies"
PACKAGE = ROOT / "placement"
REGISTRIES = (
    "pypi" + ".org",
    "pythonhosted" + ".org",
    "golang" + ".org",
    "npmjs" + ".",
    "crates" + ".io",
)

# --- what the sources say ------------------------------------------------------------------------


def metadata_blocks(rego: str) -> Iterator[tuple[dict[str, Any], str]]:
    """Each METADATA of a Rego file, with the first line of the rule it is about."""
    lines = rego.splitlines()
    for number, line in enumerate(lines):
        if line == "# METADATA":
            end = next(i for i in range(number, len(lines)) if not lines[i].startswith("#"))
            text = "\n".join(comment[2:] for comment in lines[number + 1 : end])
            yield yaml.safe_load(text), lines[end]


def rules(kind: str) -> list[dict[str, Any]]:
    """METADATA of all rules of a kind, such as `violations`, by title."""
    found = [
        metadata
        for file in POLICIES.rglob("*.rego")
        if not file.name.endswith("_test.rego")
        for metadata, head in metadata_blocks(file.read_text(encoding="utf-8"))
        if head.startswith(f"{kind} contains ")
    ]
    return sorted(found, key=lambda metadata: metadata["title"])


def error_classes() -> list[type[PlacementError]]:
    """Every error of the tree, by exit code."""

    def below(base: type[PlacementError]) -> Iterator[type[PlacementError]]:
        yield base
        for child in base.__subclasses__():
            if child.__module__ == placement.errors.__name__:
                yield from below(child)

    return sorted(below(PlacementError), key=lambda error: (error.exit_code, error.code))


def constraint_families() -> set[str]:
    """Families that the optimizer and the certificate name in brackets in their docstrings."""
    sources = [
        file.read_text(encoding="utf-8")
        for room in ("optimizer", "certificate")
        for file in (PACKAGE / room).glob("*.py")
    ]
    documented = {
        family for text in sources for family in re.findall(r'"""\[([a-z_]+)(?:\[.+?\])?\] ', text)
    }
    built = {family for text in sources for family in re.findall(r'f"([a-z_]+)\[\{', text)}
    return documented | built


# --- tables that are made from them --------------------------------------------------------------


def table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A Markdown table."""
    columns = list(header)
    lines = [columns, ["---"] * len(columns), *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: object) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")


def obligations() -> str:
    """Code, requirement, sources and severity of every obligation."""
    return table(
        ("Code", "Requirement", "Source", "Severity"),
        (
            (
                f"`{rule['title']}`",
                rule["description"],
                "; ".join(
                    f"[{source['description']}]({source['ref']})"
                    for source in rule["related_resources"]
                ),
                rule["custom"]["severity"],
            )
            for rule in rules("violations")
        ),
    )


def host_obligations() -> str:
    """Code and requirement of everything hosts must do."""
    found = rules("host_obligations")
    return table(
        ("Code", "Requirement"), ((f"`{rule['title']}`", rule["description"]) for rule in found)
    )


def preferences() -> str:
    """Code, meaning and weight of every preference."""
    data = json.loads((POLICIES / "data.json").read_text(encoding="utf-8"))
    weights = data["thresholds"]["preferences"]["penalty_eur_per_year"]
    return table(
        ("Code", "Preference", "Weight"),
        (
            (f"`{rule['title']}`", rule["description"], weights[rule["title"]])
            for rule in rules("preferences")
        ),
    )


def errors() -> str:
    """Code, exit code, HTTP status and meaning of every error."""
    return table(
        ("Code", "Exit", "HTTP", "Meaning"),
        (
            (
                f"`{error.code}`",
                error.exit_code,
                error.http_status,
                (error.__doc__ or "").strip() if error is not PlacementError else "A defect.",
            )
            for error in error_classes()
        ),
    )


def parameters() -> str:
    """Name, default and meaning of every parameter."""
    return table(
        ("Parameter", "Default", "Meaning"),
        (
            (f"`{name}`", "none" if field.default is None else field.default, field.description)
            for name, field in Parameters.model_fields.items()
        ),
    )


TABLES: Mapping[str, Callable[[], str]] = {
    "parameters": parameters,
    "errors": errors,
    "obligations": obligations,
    "host obligations": host_obligations,
    "preferences": preferences,
}


@pytest.mark.parametrize("name", TABLES)
def test_table_is_what_the_sources_say(name: str) -> None:
    begin, end = f"<!-- begin: {name} -->\n", f"\n<!-- end: {name} -->"
    shown = README.split(begin, 1)[1].split(end, 1)[0].splitlines()
    expected = TABLES[name]().splitlines()
    assert len(expected) > 3
    missing = [line for line in expected if line not in shown]
    stale = [line for line in shown if line not in expected]
    assert (missing, stale) == ([], []), f"README, table of {name}: add the first, drop the second"
    assert shown == expected


# --- what is written by hand ---------------------------------------------------------------------


def section(title: str) -> str:
    """The text of a section of the README, with its subsections."""
    start = README.index(f"\n## {title}\n")
    end = README.find("\n## ", start + 1)
    return README[start:end]


def first_cells(text: str) -> set[str]:
    """What stands in the first column of the tables of a text."""
    return {line.split(" |", 1)[0].strip("| ") for line in text.splitlines() if line[:1] == "|"}


def test_every_constraint_has_its_row_and_no_other_does() -> None:
    rows = first_cells(section("Symbols and constraints"))
    named = {re.split(r"[\[`]", cell.strip("`"))[0] for cell in rows if cell.startswith("`")}
    families = constraint_families()
    assert {"assignment", "capacity", "exit_budget", "separation", "fixed"} <= families
    assert named == families


def test_every_cost_component_has_its_row() -> None:
    from models import Costs

    assert {f"`{name}`" for name in Costs.model_fields} <= first_cells(section("Costs"))


def test_every_command_has_its_row_and_no_other_does() -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    rows = first_cells(section("Commands and exit codes"))
    assert {cell for cell in rows if cell.startswith("`")} == {f"`placement {c}`" for c in commands}


def test_every_exit_code_is_explained() -> None:
    rows = first_cells(section("Commands and exit codes"))
    explained = {int(code) for cell in rows for code in re.findall(r"\b\d+\b", cell)}
    raised = {error.exit_code for error in error_classes()}
    assert explained == raised | {0, 1, USAGE, INTERNAL, INTERRUPTED, 129, 143}


def test_every_environment_variable_is_explained() -> None:
    read = {
        name
        for file in [PACKAGE / "settings.py", *(PACKAGE / "cli").rglob("*.py")]
        for name in re.findall(r"\bPLACEMENT_[A-Z_]+[A-Z]\b", file.read_text(encoding="utf-8"))
    }
    assert "PLACEMENT_OPA_URL" in read
    assert {f"`{name}`" for name in read} == {
        cell for cell in first_cells(section("Your own city")) if cell.startswith("`PLACEMENT_")
    }


@pytest.mark.parametrize("choices", [CatalogFormat, SitesFormat, Document, Format])
def test_every_choice_is_named(choices: Iterable[str]) -> None:
    assert [str(choice) for choice in choices if not re.search(rf"\b{choice}\b", README)] == []


def test_links_inside_the_readme_lead_somewhere() -> None:
    titles = re.findall(r"^#+ (.+)$", README, re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles}
    links = re.findall(r"\]\(#([^)]+)\)", README)
    assert links
    assert [link for link in links if link not in anchors] == []


def test_every_file_named_exists() -> None:
    named = set(re.findall(r"`((?:placement|policies|docker|models|tests)/[\w./-]+)`", README))
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md", "DECISIONS.md"])
def test_documents_name_no_registry_and_no_machine(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert [host for host in REGISTRIES if host in text] == []
    assert re.findall(r"(?<![\w.])/(?:work|root|tmp|home|Users)/\S*", text) == []


def test_changelog_names_every_obligation() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    codes = [rule["title"] for rule in rules("violations")]
    assert len(codes) == len(set(codes)) >= 30
    assert [code for code in codes if f"`{code}`" not in text] == []


def test_decisions_are_short_and_complete() -> None:
    text = (ROOT / "DECISIONS.md").read_text(encoding="utf-8")
    entries = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    assert len(entries) > 10
    for entry in entries:
        title, *lines = entry.strip().splitlines()
        assert len(lines) <= 15, title
        assert re.match(r"\d{4}-\d\d-\d\d: ", title), title
        for part in ("Context", "Choice", "Rejected", "Consequence"):
            assert f"**{part}.**" in entry, f"{title}: {part}"


def test_every_long_module_and_function_has_its_reason() -> None:
    reasons = (ROOT / "DECISIONS.md").read_text(encoding="utf-8").split("Modules over 400 lines")[1]
    unexplained = []
    for file in [*PACKAGE.rglob("*.py"), *(ROOT / "models").glob("*.py")]:
        source = file.read_text(encoding="utf-8")
        if len(source.splitlines()) > 400 and f"`{file.name}`" not in reasons:
            unexplained.append(file.name)
        functions = (n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef))
        for function in functions:
            length = (function.end_lineno or 0) - function.lineno + 1
            if length > 50 and f"`{function.name}`" not in reasons:
                unexplained.append(f"{file.name}: {function.name}")
    assert unexplained == []
