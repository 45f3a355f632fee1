"""What an OPA that others run needs in order to serve this service: three small files."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from placement.eligibility.service_opa import Feed, opa_configuration, system_authz
from placement.errors import BadInput, Defect

SHORTEST_TOKEN = 32


def write_shared_opa(folder: Path, feed: Feed, token: str) -> tuple[Path, ...]:
    """Write OPA's configuration, its own authorisation and its token for the API.

    Parameters
    ----------
    folder
        Must be at the same path where OPA runs.
    feed
        What the API serves to it.
    token
        What the API shows to OPA; only its hash is written.

    Raises
    ------
    BadInput
        When the token is short, or the folder cannot be written.
    """
    if len(token) < SHORTEST_TOKEN:
        message = f"at least {SHORTEST_TOKEN} characters are needed"
        raise BadInput([Defect("", "PLACEMENT_OPA_TOKEN", "", message)])
    digest = hashlib.sha256(token.encode()).hexdigest()
    token_path = folder / "token"
    configuration = opa_configuration(feed, str(token_path), None)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return (
            _written(folder / "config.json", json.dumps(configuration, indent=2) + "\n"),
            _written(folder / "authz.rego", system_authz(digest)),
            _written(token_path, feed.token),
        )
    except OSError as error:
        raise BadInput([Defect(str(folder), "", "", f"cannot write: {error.strerror}")]) from error


def _written(path: Path, text: str) -> Path:
    """Whole or not at all, and for its owner alone."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.touch(mode=0o600)
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
    return path
