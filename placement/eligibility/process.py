"""An OPA of our own: a child process that answers only us, and never outlives us.

- It listens on a loopback port that the kernel chose, found by looking at the child's own sockets:
  no other program can be taken for it.
- It knows only the hash of a random token, so neither its arguments nor its files tell the token.
- A guard process, a two-line shell script, holds the reading end of a pipe to us. However we die,
  the pipe ends, and the guard kills OPA. (`PR_SET_PDEATHSIG` would do it on Linux alone, and
  already when the *thread* that started OPA ends.)
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

import psutil

from placement.eligibility.bundle import Bundle, write_bundle
from placement.eligibility.transport import Endpoint
from placement.errors import PolicyEngineError

_START_SECONDS = 30.0
_POLL_SECONDS = 0.01
_OUTPUT_CHARACTERS = 1500
_ENVIRONMENT = {"GOGC": "400", "GOMEMLIMIT": "512MiB"}
"""Nothing of ours: neither `opa.runtime().env` nor proxies. OPA's heap is small, and its garbage
collector runs far too often on it: up to the limit this takes a sixth off the cost of a query."""

# OPA begins only when the guard stands: were we killed between the two, nobody would end OPA.
_GATE = 'read -r _ && exec /usr/bin/env -i "$@" </dev/null'
_GUARD = 'read -r _; kill -9 "$1" 2>/dev/null; rm -rf -- "$2"'

_AUTHZ_POLICY = b"""package system.authz

default allow := false

allow if {
	crypto.sha256(input.identity) == data.system.authz.token_sha256
	input.method == "POST"
	input.path in {
		["v1", "data", "placement", "verdict"],
		["v1", "data", "placement", "batch"],
		["v1", "data", "placement", "segregated_duties"],
	}
}
"""
_AUTHZ_REVISION = hashlib.sha256(_AUTHZ_POLICY).hexdigest()

Prepare = Callable[[Path, str], Sequence[str]]
"""Given a private folder and the token, writes what OPA reads and tells its arguments."""


class OpaChild:
    """A running OPA child with its guard.

    Parameters
    ----------
    binary
        The OPA to run.
    prepare
        Fills the private folder, which is OPA's working directory.
    keeps_folder
        Whether OPA reads the folder again after it listens; it is removed when OPA ends.

    Raises
    ------
    PolicyEngineError
        When OPA ends or does not listen, telling what it printed: most often a policy error.
    """

    def __init__(self, binary: Path, prepare: Prepare, *, keeps_folder: bool = False) -> None:
        token = secrets.token_urlsafe(32)
        with contextlib.ExitStack() as undo:
            try:
                folder = Path(tempfile.mkdtemp(prefix="placement-opa-"))  # mode 0700
                undo.callback(shutil.rmtree, folder, ignore_errors=True)
                arguments = prepare(folder, token)
                self._output: IO[bytes] = undo.enter_context(tempfile.TemporaryFile())
                self._child = _start_opa(binary, folder, self._output, arguments)
                undo.callback(_kill, self._child)
                self._guard = _start_guard(self._child.pid, folder)
                undo.callback(_kill, self._guard)
                _open_gate(self._child)
            except OSError as error:
                raise PolicyEngineError(f"OPA cannot be started: {error}") from error
            port = self._listening_port()
            if not keeps_folder:  # what was given as files was read before OPA listens
                shutil.rmtree(folder, ignore_errors=True)
            undo.pop_all()
        self._folder = folder
        self.endpoint = Endpoint("127.0.0.1", port, tls=False, token=token)

    @property
    def pid(self) -> int:
        """Process id of OPA."""
        return self._child.pid

    def ended(self, patience_s: float = 0.0) -> bool:
        """Whether OPA has ended, waiting a little for an end that is on its way."""
        if patience_s:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(patience_s)
        return self._child.poll() is not None

    def last_words(self) -> str:
        """How OPA ended and the end of what it printed, on one line."""
        code = self._child.returncode
        if code is None:
            how = "OPA is running"
        elif code < 0:
            how = f"OPA was killed by {signal.Signals(-code).name}"
        else:
            how = f"OPA ended with exit code {code}"
        self._output.seek(0)
        text = self._output.read().decode("utf-8", errors="replace")
        lines = [line for line in text.splitlines() if not _is_only_a_warning(line)]
        said = " ".join(" ".join(lines).split())[-_OUTPUT_CHARACTERS:]
        return f"{how}: {said}" if said else how

    def stop(self) -> None:
        """Kill OPA, which keeps nothing, and then its guard. May be called twice."""
        # The guard knows OPA by its process id, which stays taken until it is waited for.
        self._child.kill()
        _kill(self._guard)
        self._child.wait()
        self._output.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def forget_output(self, above_bytes: int) -> None:
        """Drop what OPA printed so far, once it is long: a service runs for months."""
        with contextlib.suppress(OSError, ValueError):
            if self._output.seek(0, 2) > above_bytes:
                # OPA writes through the same open file: its position moves along.
                self._output.truncate(0)
                self._output.seek(0)

    def _listening_port(self) -> int:
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end:
            if self.ended(_POLL_SECONDS):
                raise PolicyEngineError(self.last_words())
            with contextlib.suppress(psutil.Error):
                for socket in psutil.Process(self.pid).net_connections("tcp"):
                    if socket.status == psutil.CONN_LISTEN:
                        return int(socket.laddr.port)
        raise PolicyEngineError(f"OPA did not start within {_START_SECONDS:.0f} s")


class OpaProcess(OpaChild):
    """An OPA child with the policies of one bundle, for as long as they are asked."""

    def __init__(self, binary: Path, bundle: Bundle) -> None:
        self.bundles: Mapping[str, str] = {"policies": bundle.digest, "authz": _AUTHZ_REVISION}

        def prepare(folder: Path, token: str) -> Sequence[str]:
            bundle.write(folder / "policies")
            _write_authz(folder / "authz", token)
            return ("--bundle", "policies", "authz")

        super().__init__(binary, prepare)


def _start_opa(
    binary: Path, folder: Path, output: IO[bytes], more: Sequence[str]
) -> subprocess.Popen[bytes]:
    arguments = [
        *(str(binary), "run", "--server"),
        *("--addr", "127.0.0.1:0"),
        *("--authentication", "token"),
        *("--authorization", "basic"),
        *("--log-level", "error"),
        "--skip-version-check",  # the one call to the outside that OPA makes by itself
        *more,
    ]
    return subprocess.Popen(
        ["/bin/sh", "-c", _GATE, "placement-opa-gate", *arguments],
        cwd=folder,
        env=_ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=output,  # bundle errors go there
        stderr=output,
        start_new_session=True,  # Ctrl-C is ours to handle
    )


def _open_gate(child: subprocess.Popen[bytes]) -> None:
    """Let OPA begin, under the process id that the guard knows."""
    assert child.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # it has ended already, and is found so
        child.stdin.write(b"\n")
        child.stdin.close()


def _start_guard(pid: int, folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["/bin/sh", "-c", _GUARD, "placement-opa-guard", str(pid), str(folder)],
        env={"PATH": "/usr/bin:/bin"},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # a signal to our process group must not take the guard along
    )


def _is_only_a_warning(line: str) -> bool:
    """Running as root, or a flag that OPA 1.10 and 1.22 name differently: never why OPA ended."""
    return '"level":"warning"' in line or line.startswith("Flag --skip-version-check")


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    if process.stdin is not None:
        process.stdin.close()


def _write_authz(folder: Path, token: str) -> None:
    digest = hashlib.sha256(token.encode()).hexdigest()
    files = {
        "authz.rego": _AUTHZ_POLICY,
        "system/authz/data.json": json.dumps({"token_sha256": digest}).encode(),
    }
    write_bundle(folder, files, ("system/authz",), _AUTHZ_REVISION)
