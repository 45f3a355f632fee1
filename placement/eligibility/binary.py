"""Finds the OPA binary, and asks it for its version before anything is trusted to it."""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import IO

from placement.eligibility.answers import checked_version
from placement.errors import PolicyEngineError

_VERSION_SECONDS = 20.0
_VERSION_BYTES = 16 * 1024


def find_opa(opa_bin: str | None) -> Path:
    """The OPA to start: the one named, else `opa` on PATH; its version is checked.

    Raises
    ------
    PolicyEngineError
        When there is none, it is not OPA, or it is not a supported version.
    """
    found = shutil.which(opa_bin or "opa")
    if found is None and opa_bin is not None:
        raise PolicyEngineError(f"PLACEMENT_OPA_BIN names no program: {opa_bin}")
    if found is None:
        raise PolicyEngineError(
            "no OPA found: put `opa` on PATH, name it in PLACEMENT_OPA_BIN, "
            "or name a running one in PLACEMENT_OPA_URL"
        )
    binary = Path(found).resolve()
    told = re.search(r"^Version: (\S+)$", _version_text(binary), re.MULTILINE)
    if told is None:
        raise PolicyEngineError(f"{binary} is not OPA: `version` did not tell its version")
    checked_version(told[1])
    return binary


def _version_text(binary: Path) -> str:
    """What `opa version` prints, of a program that may print for ever, or nothing, and stay."""
    try:
        process = subprocess.Popen(
            [binary, "version"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            start_new_session=True,
        )
    except OSError as error:
        raise PolicyEngineError(f"{binary} cannot be started: {error.strerror}") from error
    assert process.stdout is not None
    try:
        return _read_some(process.stdout).decode("utf-8", errors="replace")
    finally:
        # The whole group: a script's children would hold the pipe open.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.stdout.close()
        process.wait()


def _read_some(pipe: IO[bytes]) -> bytes:
    end = time.monotonic() + _VERSION_SECONDS
    text = b""
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while len(text) < _VERSION_BYTES and selector.select(max(0.0, end - time.monotonic())):
            some = os.read(pipe.fileno(), _VERSION_BYTES)
            if not some:
                break
            text += some
    return text
