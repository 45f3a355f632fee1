"""Answers leave here: bytes to standard output, and files that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from placement.cli.outcome import discard_standard_output
from placement.errors import StoreError

if TYPE_CHECKING:
    from models import Frozen


def emit(content: bytes) -> None:
    """Write an answer to standard output.

    A reader that closes the pipe early (`| head`) has seen enough: the answer stands.

    Raises
    ------
    StoreError
        When the answer cannot be written, such as to a full disk.
    """
    if sys.stdout is None:
        raise StoreError("the answer cannot be written: standard output is closed")
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        discard_standard_output()
    except OSError as error:
        discard_standard_output()
        raise StoreError(f"the answer cannot be written: {error.strerror}") from error


def check_target(out: Path, *, inputs: Sequence[Path | None]) -> None:
    """Refuse a file that could not be written, before any work is done for it.

    Raises
    ------
    typer.BadParameter
        For a folder, a device, a missing or read-only folder, or one of the inputs.
    """
    folder = out.resolve().parent
    if out.exists() and not out.is_file():
        raise typer.BadParameter(f"{out} is not a regular file", param_hint="--out")
    if not folder.is_dir():
        raise typer.BadParameter(f"the folder {folder} does not exist", param_hint="--out")
    if not os.access(folder, os.W_OK):
        raise typer.BadParameter(f"the folder {folder} is read-only", param_hint="--out")
    if any(
        source and source.exists() and out.exists() and out.samefile(source) for source in inputs
    ):
        raise typer.BadParameter(f"{out} is one of the inputs", param_hint="--out")


@contextmanager
def staged(model: Frozen, out: Path) -> Iterator[bytes]:
    """Write a model's file next to its place, hand out its bytes, and move it there at the end.

    Whatever goes wrong meanwhile, the place keeps what it held.

    Raises
    ------
    StoreError
        When the file cannot be written.
    """
    from placement.catalog import write_json
    from placement.errors import BadInput

    target = out.resolve()
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".placement-") as folder:
            draft = Path(folder) / target.name
            write_json(model, draft)
            if target.exists():
                shutil.copymode(target, draft)
            yield draft.read_bytes()
            draft.replace(target)
    except (OSError, BadInput) as error:
        raise StoreError(f"{out} cannot be written: {error}") from error


def file_bytes(model: Frozen) -> bytes:
    """The bytes of the file that `staged` would write."""
    with (
        tempfile.TemporaryDirectory(prefix="placement-") as folder,
        staged(model, Path(folder) / "answer.json") as content,
    ):
        return content


def new_folder(folder: Path, files: Mapping[str, str]) -> None:
    """Write files to a folder that is not there yet; whole or not at all.

    Raises
    ------
    typer.BadParameter
        When something is there already.
    StoreError
        When a file cannot be written, or its path leads out of the folder.
    """
    if folder.exists():
        raise typer.BadParameter(f"{folder} is there already", param_hint="--out")
    target = folder.resolve()
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".placement-") as draft:
            root = Path(draft).resolve() / target.name
            for name, text in files.items():
                path = (root / name).resolve()
                if not path.is_relative_to(root):
                    raise StoreError(f"{name}: a path that leads out of the folder")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8", newline="")
            root.replace(target)
    except OSError as error:
        raise StoreError(f"{folder} cannot be written: {error.strerror}") from error
