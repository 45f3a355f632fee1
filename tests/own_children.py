"""The processes that a test has started, apart from what other tests keep running."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

import psutil
import pytest

_others: set[int] = set()


@pytest.fixture
def own_children(tmp_path, monkeypatch) -> Iterator[None]:
    """Only what starts from now on is the test's own, and temporary files lie in its own folder."""
    _others.clear()
    _others.update(child.pid for child in psutil.Process().children(recursive=True))
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield
    _others.clear()


def children(*, recursive: bool = False) -> list[psutil.Process]:
    """Those of this process that the present test has started."""
    return [c for c in psutil.Process().children(recursive) if c.pid not in _others]
