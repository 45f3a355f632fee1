"""What all tests share."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

from tests.client_cases import (  # noqa: F401  fixtures: tests name them as arguments
    live_proxy,
    live_service,
)
from tests.store_cases import (  # noqa: F401  fixtures: tests name them as arguments
    empty_url,
    make_store,
    postgres_server,
    postgres_url,
    sqlite_template,
    store,
    store_key,
    store_url,
)

# A shell that starts us in the background has us ignore SIGINT, and so would every process that
# tests start, those that are to be interrupted among them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Machines are shared: how long one example takes says nothing about the code.
settings.register_profile("placement", deadline=None, print_blob=True)
settings.load_profile("placement")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real inputs that nobody here wrote; CI has it.

    PLACEMENT_REAL_DATA names it; by default it lies beside the repository.
    """
    named = os.environ.get("PLACEMENT_REAL_DATA")
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(named) if named else beside
    if not folder.is_dir():
        if named:
            pytest.fail(f"PLACEMENT_REAL_DATA names {folder}, which is no folder")
        pytest.skip("the real inputs are not here; set PLACEMENT_REAL_DATA to their folder")
    return folder
