"""Worker processes on this machine, reachable by this process alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dask
import distributed
from distributed import Client

OPTIONS: dict[str, object] = {
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    # A worker that died is started again, however long a busy machine takes over it.
    "distributed.deploy.lost-worker-timeout": "1 hour",
}


@contextmanager
def local_client(parts: int, workers: int | None = None) -> Iterator[Client]:
    """A client of processes that end with it.

    They listen on the loopback interface only, and speak only to whoever holds the certificate
    made for this one cluster. No dashboard, no pages.

    Parameters
    ----------
    workers
        Processes; by default one for each part, but no more than this machine has cores.
    """
    count = workers or max(1, min(parts, os.cpu_count() or 1))
    untyped: Any = distributed
    with (
        dask.config.set(OPTIONS),
        untyped.LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            protocol="tls://",
            security=True,
            dashboard_address=None,
            scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
            silence_logs="CRITICAL",
        ) as cluster,
        untyped.Client(cluster, set_as_default=False, direct_to_workers=True) as client,
    ):
        yield client
