"""The latest signed end of the audit log, kept in a file outside the database.

A log that is cut off, with its heads, to an earlier end looks whole from inside. Only somebody who
remembers a later end can tell; this file does, at most about a second behind.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from models import SignedHead
from placement.errors import StoreError

PAUSE_S = 1.0
"""Seconds between two writes of the file."""


class HeadFile:
    """One process' hold on the file. Safe to use from several threads and processes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._latest: SignedHead | None = None
        self._written = 0
        self._failed = False
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._closing = threading.Event()
        self._writer: threading.Thread | None = None

    def require(self) -> None:
        """Nothing new may be written to a log whose end cannot be remembered. Raises StoreError."""
        if self._failed:
            self._write()

    def note(self, head: SignedHead) -> None:
        """Remember a head that was committed; it reaches the file within about a second."""
        with self._lock:
            if self._latest is None or head.sequence > self._latest.sequence:
                self._latest = head
            if self._writer is None or not self._writer.is_alive():
                self._closing.clear()
                self._writer = threading.Thread(target=self._run, name="audit-head", daemon=True)
                self._writer.start()
        self._news.set()

    def close(self) -> None:
        """Write what is not written yet. Raises StoreError."""
        with self._lock:
            writer = self._writer
            self._closing.set()
            self._news.set()
        if writer is not None:
            writer.join()
        self._write()

    def _run(self) -> None:
        while True:
            self._news.wait()
            self._news.clear()
            if self._closing.is_set():
                return
            with contextlib.suppress(StoreError):
                self._write()  # a failure is kept, and stops the next transaction
            self._closing.wait(PAUSE_S)

    def _write(self) -> None:
        with self._lock:
            head = self._latest
        if head is None or head.sequence <= self._written:
            return
        try:
            with _locked(self.path):
                known = read_head(self.path)
                if known is None or known.sequence < head.sequence:
                    _replace(self.path, head.model_dump_json().encode() + b"\n")
        except OSError as error:
            self._failed = True
            raise StoreError(f"{self.path}: the end of the audit log cannot be kept") from error
        except StoreError:
            self._failed = True
            raise
        self._written = head.sequence
        self._failed = False


def read_head(path: Path) -> SignedHead | None:
    """The head in a file; none where there is no file.

    Raises
    ------
    StoreError
        When it cannot be read, or holds something else.
    """
    try:
        return SignedHead.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise StoreError(f"{path}: not a signed end of an audit log") from error


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process at a time, so that an older head never replaces a newer one."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _replace(path: Path, content: bytes) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
