"""The policy bundle: which files of the policies' folder count, and the digest that names them.

What counts is what OPA's bundle loader reads: `*.rego`, `data.json`, `data.yaml` and the manifest's
roots. Tests (`*_test.rego`), hidden files, README and caches do not count: they change no verdict.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models import sha256_of
from placement.eligibility.decoding import strict_json
from placement.errors import PolicyEngineError

MANIFEST = ".manifest"
_DATA_FILES = ("data.json", "data.yaml", "data.yml")
_MANIFEST_KEYS = {"revision", "roots", "metadata", "rego_version"}


@dataclass(frozen=True)
class Bundle:
    """The bytes that decide verdicts, read once: the digest and the copy cannot differ."""

    files: Mapping[str, bytes]
    """Relative path with "/" -> bytes."""
    roots: tuple[str, ...]
    """The data paths that the bundle owns; nothing else may write there."""

    @property
    def digest(self) -> str:
        """SHA-256 over roots, relative paths and bytes; independent of order and times."""
        hashes = {path: hashlib.sha256(content).hexdigest() for path, content in self.files.items()}
        return sha256_of({"files": hashes, "roots": sorted(self.roots)})

    def write(self, folder: Path) -> None:
        """Copy the bundle into a new folder, its revision set to the digest."""
        write_bundle(folder, self.files, self.roots, self.digest)


def policy_digest(policies: Path) -> str:
    """The SHA-256 that names the policies in a folder, as hexadecimal text.

    Raises
    ------
    PolicyEngineError
        When the folder is not a readable bundle, or holds a symbolic link.
    """
    return read_bundle(policies).digest


def read_bundle(policies: Path) -> Bundle:
    """Read the policies' folder.

    Raises
    ------
    PolicyEngineError
        When it is missing, has no manifest with roots, has no rules, or holds a symbolic link.
    """
    try:
        root = policies.resolve(strict=True)
        roots = _roots(root / MANIFEST)
        files = {path.relative_to(root).as_posix(): path.read_bytes() for path in _files(root)}
    except OSError as error:
        raise PolicyEngineError(f"the policies in {policies} cannot be read: {error}") from error
    if not any(path.endswith(".rego") for path in files):
        raise PolicyEngineError(f"there are no rules (*.rego) in {policies}")
    return Bundle(files, roots)


def write_bundle(
    folder: Path, files: Mapping[str, bytes], roots: tuple[str, ...], revision: str
) -> None:
    """Write a bundle folder that only its owner can read."""
    folder.mkdir(mode=0o700)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_bytes(content)
    manifest = {"revision": revision, "roots": roots, "rego_version": 1}
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_symlink():
            raise PolicyEngineError(f"symbolic links are not followed in policies: {path}")
        if path.name.startswith(".") or path.name == "__pycache__":
            continue
        if path.is_dir():
            yield from _files(path)
        elif path.name in _DATA_FILES or _is_rule(path):
            if not path.is_file():
                raise PolicyEngineError(f"not a regular file: {path}")
            yield path


def _is_rule(path: Path) -> bool:
    return path.suffix == ".rego" and not path.name.endswith("_test.rego")


def _roots(path: Path) -> tuple[str, ...]:
    if path.is_symlink() or not path.is_file():
        raise PolicyEngineError(f"policies need a bundle manifest that names their roots: {path}")
    try:
        manifest: Any = strict_json(path.read_bytes())
    except ValueError as error:
        raise PolicyEngineError(f"{path}: {error}") from error
    if not isinstance(manifest, dict) or not manifest.keys() <= _MANIFEST_KEYS:
        raise PolicyEngineError(f"{path}: only {', '.join(sorted(_MANIFEST_KEYS))} are understood")
    if manifest.get("rego_version", 1) != 1:
        raise PolicyEngineError(f"{path}: only rego_version 1 is supported")
    roots = manifest.get("roots")
    if not isinstance(roots, list) or not roots or not all(_is_own_root(root) for root in roots):
        raise PolicyEngineError(
            f"{path}: `roots` must list the packages the policies own, `system` not among them"
        )
    return tuple(roots)


def _is_own_root(root: object) -> bool:
    """Whether a bundle may own it; `system` would let policies decide who may ask."""
    return isinstance(root, str) and root.strip("/").split("/")[0] not in ("", "system")
