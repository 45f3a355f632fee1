"""Runs one program on hostile files: no network, no environment, no more than it is given."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from placement.review.launcher import REFUSED

_LAUNCHER = Path(__file__).with_name("launcher.py")
_CHUNK_BYTES = 64 * 1024
_POLL_S = 0.005
_CRASHES = (b"fatal error: ", b"SIGSEGV: ", b"cannot allocate memory", b"MemoryError")
"""How a program of Go, or our launcher, ends when it gets no more memory."""


@dataclass(frozen=True)
class Limits:
    """What one program may take."""

    memory_bytes: int = 512 * 1024 * 1024
    cpu_s: int = 60
    """Of all its threads together."""
    wall_s: float = 60.0
    file_bytes: int = 16 * 1024 * 1024
    """Of each file that it writes."""
    open_files: int = 256
    output_bytes: int = 8 * 1024 * 1024
    network: bool = False
    """True where no sandbox is wanted: the program may reach whatever we reach."""


@dataclass(frozen=True)
class Ran:
    """How a program ended."""

    code: int
    out: bytes
    err: bytes
    stopped: str = ""
    """Which limit ended it; empty when it ended by itself."""

    @property
    def text(self) -> str:
        """All it printed, as far as it is text."""
        return (self.out + b"\n" + self.err).decode("utf-8", errors="replace").strip()


class SandboxError(Exception):
    """The sandbox cannot be built, or the program not started: nothing was run."""


def run(
    command: Sequence[str | Path],
    folder: Path,
    limits: Limits,
    environment: Mapping[str, str] | None = None,
) -> Ran:
    """Run a program inside `folder` until it ends or reaches a limit; then nothing of it is left.

    Parameters
    ----------
    command
        Absolute path of the program, and its arguments.
    environment
        All of it: nothing of ours is handed on.

    Raises
    ------
    SandboxError
    """
    locked = {
        "memory_bytes": limits.memory_bytes,
        "cpu_s": limits.cpu_s,
        "file_bytes": limits.file_bytes,
        "open_files": limits.open_files,
        "network": limits.network,
    }
    child = _start(
        [sys.executable, "-I", "-S", str(_LAUNCHER), json.dumps(locked), *map(str, command)],
        folder,
        environment or {},
    )
    try:
        out, err, stopped = _listen(child, limits)
    finally:
        _end(child)
    if child.returncode == REFUSED and not out:
        raise SandboxError(err.decode("utf-8", errors="replace")[:500])
    return Ran(child.returncode, out, err, stopped or _ended_by(child.returncode, err))


def _start(
    command: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # a process group of its own, to be killed as one
        )
    except OSError as error:
        raise SandboxError(f"the sandbox cannot be started: {error.strerror}") from error


def _listen(child: subprocess.Popen[bytes], limits: Limits) -> tuple[bytes, bytes, str]:
    """What it prints until it ends, and which limit it reached."""
    assert child.stdout is not None
    assert child.stderr is not None
    printed = {child.stdout: bytearray(), child.stderr: bytearray()}
    end = time.monotonic() + limits.wall_s
    stopped = ""
    with selectors.DefaultSelector() as selector:
        for pipe in printed:
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map() and not stopped:
            ready = selector.select(max(0.0, end - time.monotonic()))
            if not ready:
                stopped = f"it ran for more than {limits.wall_s:g} s"
            for key, _ in ready:
                some = os.read(key.fd, _CHUNK_BYTES)
                if not some:
                    selector.unregister(key.fileobj)
                printed[key.fileobj] += some  # type: ignore[index]  # one of the two pipes
            if sum(map(len, printed.values())) > limits.output_bytes:
                stopped = f"it printed more than {limits.output_bytes} bytes"
    # It may have closed its pipes and gone on.
    while not stopped and not _is_over(child.pid):
        time.sleep(_POLL_S)
        if time.monotonic() > end:
            stopped = f"it ran for more than {limits.wall_s:g} s"
    return bytes(printed[child.stdout]), bytes(printed[child.stderr]), stopped


def _is_over(pid: int) -> bool:
    """Whether our child has ended. It is not waited for yet: its number stays its own."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return True


def _end(child: subprocess.Popen[bytes]) -> None:
    """Kill the whole group. Its number is the child's, which was not waited for: still theirs."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    for pipe in (child.stdout, child.stderr):
        if pipe is not None:
            pipe.close()


def _ended_by(code: int, err: bytes) -> str:
    if code > 0 and any(crash in err[:4096] for crash in _CRASHES):
        return "it used more memory than it may"
    if code >= 0:
        return ""
    if -code in (signal.SIGXCPU, signal.SIGKILL):
        return "it used more processor time or memory than it may"
    return f"it was ended by {signal.Signals(-code).name}"
