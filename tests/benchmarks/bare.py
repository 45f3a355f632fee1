"""What the service is compared with: Litestar that reads one row of the same table, and no more.

python -m tests.benchmarks.bare DATABASE_URL      prints its port, serves until it is killed
"""

from __future__ import annotations

import asyncio
import socket
import sys

import uvicorn
import uvloop
from litestar import Litestar, MediaType, get
from sqlalchemy import create_engine, text

QUERY = text(
    "SELECT body FROM placed WHERE decision = (SELECT max(decision) FROM placed)"
    " AND dataset = :dataset"
)


def make_app(url: str) -> Litestar:
    """One route: the stored JSON of one dataset."""
    engine = create_engine(url, connect_args={"check_same_thread": False})

    @get("/bare/{dataset:str}", media_type=MediaType.JSON, sync_to_thread=True)
    def bare(dataset: str) -> str:
        with engine.connect() as connection:
            return str(connection.execute(QUERY, {"dataset": dataset}).scalar_one())

    return Litestar([bare], openapi_config=None)


def main() -> None:
    """Serve on a free port."""
    listening = socket.create_server(("127.0.0.1", 0))
    print(listening.getsockname()[1], flush=True)
    config = uvicorn.Config(
        make_app(sys.argv[1]), http="httptools", access_log=False, log_level="error"
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(uvicorn.Server(config).serve(sockets=[listening]))


if __name__ == "__main__":
    main()
