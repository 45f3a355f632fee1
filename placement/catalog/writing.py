"""Writing a file whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

from models import Frozen, decimal_text
from placement.errors import BadInput, Defect


def write_json(model: Frozen, path: Path) -> None:
    """Write a model as indented JSON in the order of its fields; exact decimals as texts.

    The file appears whole (temporary file, fsync, rename) or stays as it was. A link is written
    through; an existing file keeps its permissions, a new one gets those of the umask.

    Raises
    ------
    BadInput
        Where nothing can be written: a folder, a device, a missing folder, no permission.
    """
    text = json.dumps(
        model.model_dump(), default=_plain, indent=2, ensure_ascii=False, allow_nan=False
    )
    with replacing(path) as stream:
        stream.write((text + "\n").encode("utf-8"))


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A stream whose content becomes the file at `path` when all of it is written.

    The file appears whole (temporary file, fsync, rename) or stays as it was. A link is written
    through; an existing file keeps its permissions, a new one gets those of the umask.

    Raises
    ------
    BadInput
        Where nothing can be written: a folder, a device, a missing folder, no permission.
    """
    try:
        target = path.resolve()
        with _temporary(target, _mode(target)) as stream:
            yield stream
    except (OSError, RuntimeError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise BadInput([Defect(str(path), "", "", f"cannot be written: {reason}")]) from error


@contextmanager
def _temporary(target: Path, mode: int) -> Iterator[BinaryIO]:
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:100]}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        Path(name).replace(target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _mode(target: Path) -> int:
    """Permissions for the new file; OSError where the target is no regular file."""
    try:
        status = target.stat()
    except FileNotFoundError:
        umask = os.umask(0)
        os.umask(umask)
        return 0o666 & ~umask
    if not stat.S_ISREG(status.st_mode):
        raise OSError(0, "it is not a regular file")
    return stat.S_IMODE(status.st_mode)


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, date):  # a datetime is a date, too
        return value.isoformat()
    raise TypeError(f"no JSON form for {type(value).__name__}")
