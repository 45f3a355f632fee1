"""What the environment decides: where OPA is and how long it may take."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from placement.errors import BadInput, Defect


@dataclass(frozen=True)
class Settings:
    """Settings of one process. Read once, at the edge, and handed down."""

    opa_url: str | None = None
    """PLACEMENT_OPA_URL: a shared OPA to ask instead of a managed local one."""
    opa_token: str | None = field(default=None, repr=False)
    """PLACEMENT_OPA_TOKEN: bearer token for it."""
    opa_ca_file: Path | None = None
    """PLACEMENT_OPA_CA_FILE: certificates (PEM) to trust it by, instead of the public ones."""
    opa_bin: str | None = None
    """PLACEMENT_OPA_BIN: the OPA binary for the managed one; default: `opa` on PATH."""
    opa_deadline_s: float = 60.0
    """PLACEMENT_OPA_DEADLINE_S: total seconds one query may take."""
    policies: Path | None = None
    """PLACEMENT_POLICIES: the policy bundle's folder; default: the shipped one."""


def read_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings from environment variables; an empty variable counts as not set.

    Raises
    ------
    BadInput
        Naming the variable that cannot be read.
    """
    text = {key: value for key, value in environ.items() if key.startswith("PLACEMENT_") and value}
    policies = text.get("PLACEMENT_POLICIES")
    ca_file = text.get("PLACEMENT_OPA_CA_FILE")
    return Settings(
        opa_url=text.get("PLACEMENT_OPA_URL"),
        opa_token=text.get("PLACEMENT_OPA_TOKEN"),
        opa_ca_file=Path(ca_file) if ca_file else None,
        opa_bin=text.get("PLACEMENT_OPA_BIN"),
        opa_deadline_s=_seconds(text.get("PLACEMENT_OPA_DEADLINE_S")),
        policies=Path(policies) if policies else None,
    )


def shipped_policies() -> Path:
    """The policy bundle that came with this package: beside it in a source tree, inside a wheel."""
    package = Path(__file__).resolve().parent
    inside = package / "_policies"
    return inside if inside.is_dir() else package.parent / "policies"


def _seconds(text: str | None) -> float:
    if text is None:
        return Settings.opa_deadline_s
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 3600:
        raise BadInput(
            [
                Defect(
                    "",
                    "PLACEMENT_OPA_DEADLINE_S",
                    "",
                    "seconds above 0, at most 3600, are expected",
                )
            ]
        )
    return seconds
