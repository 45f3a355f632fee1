"""The set-up: what is pinned, what is accepted, and what happens when something is missing."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
CI = REPOSITORY / ".ci"
REQUIREMENT_FILES = [*REPOSITORY.glob("requirements*.txt"), *CI.glob("requirements*.txt")]


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"ci_{name}", CI / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up by name
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def setup(monkeypatch, tmp_path) -> ModuleType:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("PLACEMENT_OPA_BIN", raising=False)
    monkeypatch.delenv("PLACEMENT_REGAL_BIN", raising=False)
    return load("setup")


@pytest.fixture
def checks() -> ModuleType:
    return load("checks")


def fake_program(folder: Path, name: str, says: str, code: int = 0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\necho '{says}'\nexit {code}\n")
    program.chmod(0o755)
    return program


# --- what is pinned ----------------------------------------------------------------------------


@pytest.mark.parametrize("path", REQUIREMENT_FILES, ids=lambda path: path.name)
def test_every_requirement_is_one_version_with_hashes_and_no_address(path):
    entries = path.read_text().replace("\\\n", " ").splitlines()
    entries = [entry for entry in entries if entry and not entry.startswith("#")]
    assert entries
    for entry in entries:
        assert re.fullmatch(r"[a-z0-9.-]+==\S+( ; [^#]+?)?(\s+--hash=sha256:[0-9a-f]{64})+", entry)


def test_the_development_environment_runs_the_versions_that_users_get():
    def versions(name: str) -> set[str]:
        return set(re.findall(r"^\S+==\S+", (REPOSITORY / name).read_text(), re.MULTILINE))

    assert versions("requirements.txt") <= versions("requirements-dev.txt")


def test_the_licence_text_is_whole():
    text = (REPOSITORY / "LICENSE").read_text(encoding="utf-8")
    assert tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["license"] == (
        "EUPL-1.2"
    )
    assert text.startswith("EUROPEAN UNION PUBLIC LICENCE v. 1.2")
    assert [int(n) for n in re.findall(r"^(\d+)\.", text, re.MULTILINE)] == list(range(1, 16))
    assert "Appendix" in text
    assert text.endswith("require the production of a new EUPL version.\n")


def test_the_pinned_opa_is_one_that_an_installed_opa_must_match(setup):
    major, minor, _ = setup.numbers(setup.pinned_version("opa"))
    assert major == setup.OLDEST_OPA[0]
    assert (major, minor) >= setup.OLDEST_OPA


# --- where it goes -----------------------------------------------------------------------------


def test_the_cache_follows_xdg_and_ignores_a_relative_path(setup, monkeypatch, tmp_path):
    assert setup.cache_folder() == tmp_path / "cache" / "placement"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert setup.cache_folder() == tmp_path / "home" / ".cache" / "placement"


def test_a_cache_that_cannot_be_written_is_named(setup, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(setup.SetupError, match="XDG_CACHE_HOME"):
        setup.cache_folder()


PROJECT = '[project]\nname = "x"\n[tool.ruff]\nline-length = 100\n'


@pytest.mark.parametrize(
    ("changed", "text", "rebuilt"),
    [
        ("requirements.txt", "y==2\n", True),
        ("requirements-build.txt", "y==2\n", True),
        ("pyproject.toml", PROJECT.replace('"x"', '"y"'), True),
        ("pyproject.toml", PROJECT.replace("100", "99"), False),
    ],
)
def test_what_an_environment_is_made_from_decides_whether_it_is_built_again(
    setup, monkeypatch, tmp_path, changed, text, rebuilt
):
    (tmp_path / "requirements.txt").write_text("x==1\n")
    (tmp_path / "requirements-build.txt").write_text("x==1\n")
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    monkeypatch.setattr(setup, "REPOSITORY", tmp_path)
    monkeypatch.setattr(setup, "CI", tmp_path)
    monkeypatch.setattr(setup, "REQUIREMENTS", {"runtime": tmp_path / "requirements.txt"})
    before = setup.venv_folder("runtime")
    assert setup.venv_folder("runtime") == before
    (tmp_path / changed).write_text(text)
    assert (setup.venv_folder("runtime") != before) is rebuilt


# --- interrupted, finished, found --------------------------------------------------------------


def test_an_interrupted_set_up_is_never_taken_for_a_finished_one(setup, monkeypatch, tmp_path):
    opa = fake_program(tmp_path / "bin", "opa", "Version: 1.22.2")
    monkeypatch.setenv("PLACEMENT_OPA_BIN", str(opa))
    venv = setup.cache_folder() / setup.venv_folder("runtime")
    attempts = []

    def build(target: Path, kind: str) -> None:
        attempts.append(kind)
        target.mkdir(parents=True, exist_ok=True)
        if len(attempts) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(setup, "build_venv", build)
    with pytest.raises(KeyboardInterrupt):
        setup.prepare("runtime")
    assert venv.is_dir()
    setup.prepare("runtime")
    setup.prepare("runtime")
    assert attempts == ["runtime", "runtime"]  # begun, begun again, and then finished for good


def test_a_tool_whose_build_fails_leaves_nothing_behind(setup, tmp_path):
    go = fake_program(tmp_path / "bin", "go", "no such module", code=1)
    binary = tmp_path / "tools" / "opa"
    with pytest.raises(setup.SetupError, match="no such module"):
        setup.build_tool("opa", binary, str(go), tmp_path / "scratch")
    assert not binary.exists()


@pytest.mark.parametrize("says", ["Version: 0.70.0", "Version: 1.9.0", "Version: 2.0.0", "hello"])
def test_an_unfit_opa_on_the_path_is_passed_over_aloud(setup, monkeypatch, tmp_path, capsys, says):
    fake_program(tmp_path / "bin", "opa", says)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert setup.acceptable_installed("opa") is None
    assert "1.10 or a later 1.x is needed" in capsys.readouterr().err


def test_an_unfit_opa_that_was_named_is_refused(setup, monkeypatch, tmp_path):
    opa = fake_program(tmp_path / "bin", "opa", "Version: 1.9.0")
    monkeypatch.setenv("PLACEMENT_OPA_BIN", str(opa))
    with pytest.raises(setup.SetupError, match=r"version 1\.9"):
        setup.acceptable_installed("opa")
    monkeypatch.setenv("PLACEMENT_OPA_BIN", str(tmp_path / "absent"))
    with pytest.raises(setup.SetupError, match="cannot be run"):
        setup.acceptable_installed("opa")


def test_a_fit_opa_is_used_and_handed_on(setup, monkeypatch, tmp_path):
    opa = fake_program(tmp_path / "bin", "opa", "Version: 1.10.0")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(setup, "build_venv", lambda venv, kind: venv.mkdir(parents=True))
    environment = setup.prepare("runtime")
    assert environment["PLACEMENT_OPA_BIN"] == str(opa)
    assert environment["PATH"].split(os.pathsep)[1] == str(opa.parent)


def test_a_go_too_old_for_opa_is_replaced_by_the_pinned_one(setup, monkeypatch, tmp_path):
    fake_program(tmp_path / "bin", "go", "go version go1.19.8 linux/amd64")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    fetched = []

    def run(what: str, command: list[str], hint: str, **variables: str) -> None:
        fetched.append(what)
        Path(command[-1]).mkdir(parents=True)

    monkeypatch.setattr(setup, "run", run)
    go = setup.find_go(("opa",), tmp_path / "venv", setup.cache_folder())
    assert Path(go).is_relative_to(setup.cache_folder())
    assert fetched == ["fetching a Go toolchain (the machine has none of 1.26.0 or newer)"]


def test_a_python_too_old_is_answered_with_what_to_do(tmp_path):
    fake_program(tmp_path, "old-python", "Python 3.9.2", code=1)
    (tmp_path / "old-python").write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.2" || exit 1\n'
    )
    result = subprocess.run(
        [CI / "env", "dev", "true"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "PYTHON": "old-python"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "Python 3.11 or newer is needed" in result.stderr
    assert "old-python is Python 3.9.2" in result.stderr


# --- the checks themselves ---------------------------------------------------------------------


def test_a_failed_check_stops_no_other_and_is_named(checks, monkeypatch, capsys):
    ran = []

    def outcome(name: str, passed: bool):
        def passes() -> bool:
            ran.append(name)
            return passed

        return checks.Check(name, f"the {name} check", passes)

    monkeypatch.setattr(checks, "CHECKS", (outcome("lint", False), outcome("unit", True)))
    assert checks.main([]) == 1
    printed = capsys.readouterr().out
    assert ran == ["lint", "unit"]
    assert re.search(r"^FAILED +\S+ s  the lint check$", printed, re.MULTILINE)
    assert printed.endswith("\nchecks: 1 passed, 1 failed\n")


def test_a_missing_tool_fails_its_check(checks):
    assert not checks.run("no-such-tool-anywhere")


@pytest.mark.parametrize(
    ("line", "portable"),
    [
        ("index = https://" + "pypi." + "org/simple", False),
        ("root = '/" + "work/main'", False),
        ("see https://example.eu/work/main", True),
        ("placement/example/catalog.json", True),
    ],
)
def test_registry_hosts_and_local_paths_are_found(checks, monkeypatch, tmp_path, line, portable):
    (tmp_path / "notes.txt").write_text(line)
    monkeypatch.setattr(checks, "REPOSITORY", tmp_path)
    monkeypatch.setattr(checks, "committed_files", lambda: [tmp_path / "notes.txt"])
    assert checks.tree_is_portable() is portable


@pytest.mark.parametrize(("both", "passes"), [(True, True), (False, False)])
def test_a_policy_line_run_by_no_test_fails_the_coverage(
    checks, monkeypatch, tmp_path, capsys, both, passes
):
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "p.rego").write_text("package p\n\na if input.x\n\nb if input.y\n")
    calls = "a with input as {`x`: true}" + ("\n\tb with input as {`y`: true}" if both else "")
    (tmp_path / "policies" / "p_test.rego").write_text(
        f"package p_test\n\nimport data.p.a\nimport data.p.b\n\ntest_p if {{\n\t{calls}\n}}\n"
    )
    monkeypatch.setattr(checks, "REPOSITORY", tmp_path)
    assert checks.rego_coverage() is passes
    assert ("p.rego:5-5 is run by no test" in capsys.readouterr().out) is not both


# --- the wheel ---------------------------------------------------------------------------------


def test_the_wheel_carries_the_policies_and_the_example_and_runs_alone(tmp_path):
    def python(*arguments: str) -> str:
        return subprocess.run(
            [sys.executable, "-I", *arguments],
            cwd=REPOSITORY if "hatchling" in arguments else tmp_path,
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    python("-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path))
    (wheel,) = tmp_path.glob("placement-*.whl")
    site = tmp_path / "site"
    python("-m", "pip", "install", "-q", "--no-index", "--no-deps", "--target", site, str(wheel))

    def files(folder: Path) -> set[str]:
        return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}

    committed = {name for name in files(REPOSITORY / "policies") if "__pycache__" not in name}
    assert {name for name in committed if name.endswith(".rego")}
    assert files(site / "placement" / "_policies") == committed
    assert {"catalog.json", "sites.json"} <= files(site / "placement" / "example")
    # The installed files alone: the tree is not on this interpreter's path.
    helped = python(
        "-c",
        f"import sys; sys.path.remove({str(REPOSITORY)!r}); sys.path.insert(0, {str(site)!r});"
        "import placement.cli; assert placement.__file__.startswith(sys.path[0]);"
        "sys.argv = ['placement', '--help']; placement.cli.main()",
    )
    assert "decide" in helped


def test_the_image_is_made_of_files_that_exist_and_runs_without_root():
    lines = (REPOSITORY / "docker" / "Dockerfile").read_text().splitlines()
    copied = [line.split()[1:-1] for line in lines if re.match(r"COPY (?!--from)", line)]
    assert copied
    assert [name for names in copied for name in names if not (REPOSITORY / name).exists()] == []
    assert [line for line in lines if line.startswith("USER")] == ["USER 10001"]
    assert sum("pip install" in line for line in lines) == 3
    assert sum("--require-hashes" in line or "--no-index" in line for line in lines) == 3


# --- the rooms ---------------------------------------------------------------------------------

ROOMS = (
    *("cli", "service", "explaining", "reading", "settings", "steps", "errors"),
    *("catalog", "eligibility", "graph", "optimizer", "certificate", "store", "provision"),
    *("identity", "review", "client", "keys"),
)


@pytest.fixture
def city(tmp_path) -> Path:
    """A tree with the project's rooms, all empty, and its rules."""
    for package in ("models", "placement", "api", *(f"placement/{room}" for room in ROOMS)):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text('"""A room."""\n')
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    return tmp_path


def lint_imports(tree: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_rooms_that_keep_to_the_rules_pass(city):
    for room, library in [("graph", "networkx"), ("optimizer", "pulp"), ("store", "sqlalchemy")]:
        (city / "placement" / room / "inner.py").write_text(f"import {library}\n")
    (city / "placement" / "service" / "__init__.py").write_text(
        "import placement.graph.inner\nimport placement.optimizer.inner\n"
    )
    result = lint_imports(city)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("room", "imports"),
    [
        ("placement/graph", "pulp"),
        ("placement/service", "networkx"),
        ("placement/cli", "opa_client"),
        ("models", "placement.errors"),
        ("placement/graph", "placement.optimizer"),
        ("placement/catalog", "placement.service"),
        ("placement/graph", "placement.reading"),
        ("placement/reading", "placement.explaining"),
        ("placement/certificate", "scipy"),
        ("placement/certificate", "placement.optimizer"),
        ("placement/provision", "sqlalchemy"),
        ("placement/service", "litestar"),
        ("placement/review", "placement.store"),
        ("api", "placement.cli"),
        ("api", "sqlalchemy"),
    ],
)
def test_an_import_against_the_rules_is_found(city, room, imports):
    (city / room / "inner.py").write_text(f"import {imports}\n")
    result = lint_imports(city)
    assert result.returncode == 1, result.stdout
    assert "BROKEN" in result.stdout
