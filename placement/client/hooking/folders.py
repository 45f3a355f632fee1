"""A folder for each dataset at each site: the least that can be provisioned."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models import DatasetChange, HostedAt
from placement.client.hooking.duties import IN_TRANSIT, Outcome, judged

_NOTE = "placement.json"


def place_name(site: str, dataset: str) -> str:
    """A name for a dataset at a site: readable, and never that of another pair.

    Lower-case letters, digits and hyphens, at most 60: S3 takes it, too.
    """
    digest = hashlib.sha256(f"{site}\0{dataset}".encode()).hexdigest()[:12]
    readable = [re.sub(r"[^a-z0-9]+", "-", part.lower()).strip("-") for part in (site, dataset)]
    return "-".join(part for part in ("p", readable[0][:18], readable[1][:24], digest) if part)


class Folders:
    """Folders below one, each with a note of what is demanded of it.

    Parameters
    ----------
    root
        A folder that exists.
    attested
        Obligations that people see to, and where that stands.
    """

    def __init__(self, root: Path, attested: Mapping[str, str]) -> None:
        self._root = root
        self._attested = attested

    def make(self, change: DatasetChange, hosted: HostedAt) -> Outcome:
        """The folder with what is demanded of it; one that is there is brought up to date."""
        folder = self._root / place_name(hosted.site, change.dataset)
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)
        settings = {IN_TRANSIT: "the folder is served to nobody"}
        outcome = judged(hosted, str(folder), settings, self._attested)
        _write(folder / _NOTE, self._note(change, hosted, outcome))
        return outcome

    def leave(self, change: DatasetChange, site: str) -> str:
        """Remove the place if nothing is in it; else mark it, and say what it is waiting for."""
        folder = self._root / place_name(site, change.dataset)
        if not folder.is_dir():
            return ""
        if _holds_data(folder):
            left = {"dataset": change.dataset, "site": site, "state": "to be emptied"}
            _write(folder / _NOTE, {**left, "decision": change.decision})
            return f"{folder} still holds data: it is marked, and kept until it is emptied"
        shutil.rmtree(folder)
        return ""

    def held(self) -> dict[str, bool]:
        """Names of the places that there are, and whether data is in each."""
        return {path.name: _holds_data(path) for path in self._root.glob("p-*") if path.is_dir()}

    def reference(self, name: str) -> str:
        """Where a place is."""
        return str(self._root / name)

    @staticmethod
    def _note(change: DatasetChange, hosted: HostedAt, outcome: Outcome) -> dict[str, Any]:
        return {
            "dataset": change.dataset,
            "site": hosted.site,
            "operator": hosted.operator,
            "state": "in use",
            "decision": change.decision,
            "plan": change.plan,
            "confidentiality": change.confidentiality,
            "gdpr_category": change.gdpr_category,
            "grants": [grant.model_dump(mode="json") for grant in change.grants],
            "met": dict(outcome.met),
            "not_met": dict(outcome.unmet),
        }


def _holds_data(folder: Path) -> bool:
    return any(path.name != _NOTE for path in folder.iterdir())


def _write(path: Path, note: Mapping[str, Any]) -> None:
    """Whole or not at all."""
    partial = path.with_suffix(".partial")
    try:
        partial.write_text(json.dumps(note, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        os.replace(partial, path)  # noqa: PTH105  the same as Path.replace, which returns a path
    finally:
        with contextlib.suppress(FileNotFoundError):
            partial.unlink()
