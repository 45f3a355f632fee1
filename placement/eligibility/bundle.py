"""The policy bundle: which files of the policies' folder count, and the digest that names them.

What counts is what OPA's bundle loader reads: `*.rego`, `data.json`, `data.yaml` and the manifest's
roots. Tests (`*_test.rego`), hidden files, README and caches do not count: they change no verdict.

The folder holds two bundles. `authz` is every root and every top folder whose name begins so: who
may do what. It travels with the software, and no change of policies touches it. Everything else
decides verdicts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models import PolicyFiles, sha256_of
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
    """Read the policies that decide verdicts: everything in the folder but authz.

    Raises
    ------
    PolicyEngineError
        When it is missing, has no manifest with roots, has no rules, or holds a symbolic link.
    """
    return _read(policies, authz=False)


def read_authz_bundle(policies: Path) -> Bundle:
    """Read the policies that decide who may do what. Raises PolicyEngineError, as read_bundle."""
    return _read(policies, authz=True)


def read_policy_files(policies: Path) -> PolicyFiles:
    """The decision policies of a folder as they are reviewed: with tests and the manifest.

    Raises
    ------
    PolicyEngineError
        As read_bundle; also for a file that is not UTF-8 text.
    """
    bundle = read_bundle(policies)
    root = policies.resolve()
    manifest = json.dumps({"roots": sorted(bundle.roots), "rego_version": 1}, indent=2) + "\n"
    files = {MANIFEST: manifest}
    try:
        for path in _files(root, tests=True):
            name = path.relative_to(root).as_posix()
            if not is_authz(name):
                files[name] = path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyEngineError(f"the policies in {policies} cannot be read: {error}") from error
    return PolicyFiles(files=files)


def bundle_of(policies: PolicyFiles) -> Bundle:
    """What counts of reviewed files; the same files in a folder have the same digest.

    Raises
    ------
    PolicyEngineError
        When the manifest is missing or wrong, or owns authz, or there are no rules.
    """
    roots = manifest_roots(policies.files.get(MANIFEST, "").encode(), MANIFEST)
    if any(is_authz(root) for root in roots):
        raise PolicyEngineError(f"{MANIFEST}: policies do not own who may do what (authz)")
    files = {name: text.encode() for name, text in policies.files.items() if _counts(name)}
    if not any(name.endswith(".rego") for name in files):
        raise PolicyEngineError("there are no rules (*.rego)")
    return Bundle(files, roots)


def is_authz(path: str) -> bool:
    """Whether a root or a file belongs to the bundle that says who may do what."""
    return path.strip("/").split("/")[0].startswith("authz")


def _read(policies: Path, *, authz: bool) -> Bundle:
    try:
        root = policies.resolve(strict=True)
        roots = tuple(name for name in _roots(root / MANIFEST) if is_authz(name) is authz)
        paths = {path.relative_to(root).as_posix(): path for path in _files(root)}
        files = {name: path.read_bytes() for name, path in paths.items() if is_authz(name) is authz}
    except OSError as error:
        raise PolicyEngineError(f"the policies in {policies} cannot be read: {error}") from error
    if not roots:
        raise PolicyEngineError(f"{policies / MANIFEST}: `roots` must list what the policies own")
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


def _files(folder: Path, *, tests: bool = False) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_symlink():
            raise PolicyEngineError(f"symbolic links are not followed in policies: {path}")
        if path.name.startswith(".") or path.name == "__pycache__":
            continue
        if path.is_dir():
            yield from _files(path, tests=tests)
        elif path.name in _DATA_FILES or _is_rule(path.name, tests=tests):
            if not path.is_file():
                raise PolicyEngineError(f"not a regular file: {path}")
            yield path


def _is_rule(name: str, *, tests: bool = False) -> bool:
    return name.endswith(".rego") and (tests or not name.endswith("_test.rego"))


def _counts(path: str) -> bool:
    """Whether `_files` would find it in a folder."""
    *folders, name = path.split("/")
    if any(part.startswith(".") or part == "__pycache__" for part in (*folders, name)):
        return False
    return name in _DATA_FILES or _is_rule(name)


def _roots(path: Path) -> tuple[str, ...]:
    if path.is_symlink() or not path.is_file():
        raise PolicyEngineError(f"policies need a bundle manifest that names their roots: {path}")
    return manifest_roots(path.read_bytes(), str(path))


def manifest_roots(content: bytes, path: str) -> tuple[str, ...]:
    """The roots in a manifest. Raises PolicyEngineError, naming the path."""
    try:
        manifest: Any = strict_json(content)
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
