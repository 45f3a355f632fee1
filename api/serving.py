"""`placement serve`: the API, and by default its OPA and its worker, in one process.

The socket is bound before anything else starts: OPA is told where the API will answer, and a port
that is taken is found at once. What takes long to import is imported while OPA starts.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable
from contextlib import nullcontext
from types import FrameType
from typing import TYPE_CHECKING

from api.logs import log_json_lines
from placement.errors import BadInput, Defect
from placement.identity import LocalIssuer, require_loopback
from placement.service.city import City
from placement.service.opening import open_city
from placement.settings import Settings

if TYPE_CHECKING:
    import uvicorn

BACKLOG = 1024
KEEP_ALIVE_S = 30
SWITCH_S = 0.001
"""How long a thread may keep the interpreter to itself. The event loop needs it back sooner than by
default (5 ms), or every request waits for every other's thread in turn."""
DRAIN_S = 10
"""Seconds that requests under way have when the server is told to stop."""


def serve(
    settings: Settings,
    host: str,
    port: int,
    *,
    works: bool = True,
    local: LocalIssuer | None = None,
    started: Callable[[str], None] = lambda _: None,
) -> None:
    """Serve until SIGTERM or SIGINT.

    Parameters
    ----------
    settings
        Where the database, the keys, the issuer and OPA are.
    host, port
        Where to listen; port 0: any free one.
    works
        Whether jobs are done, and events delivered, in this process.
    local
        Issues tokens for development. Then only this machine may connect.
    started
        Told the API's URL once the socket is bound.

    Raises
    ------
    BadInput
        When the address cannot be listened on, or a setting cannot be used.
    StoreError, PolicyEngineError
    """
    log_json_lines()
    if local is not None:
        host = require_loopback(host)
    listening = _bound(host, port)
    with listening:
        url = _url(listening)
        with open_city(settings, settings.public_url or url, local) as city:
            started(url)
            _run(city, listening, works=works)


def _run(city: City, listening: socket.socket, *, works: bool) -> None:
    import uvloop

    sys.setswitchinterval(SWITCH_S)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serving(city, listening, works=works))


async def _serving(city: City, listening: socket.socket, *, works: bool) -> None:
    from api.delivering import delivering
    from api.queue import job_engine
    from placement.service.handlers import HANDLERS

    server = _server(city)
    with delivering(city) if works else nullcontext():
        async with job_engine(city, HANDLERS, works=works):
            await server.serve(sockets=[listening])
            await city.permissions.hang_up()


def _server(city: City) -> uvicorn.Server:
    import uvicorn

    from api.app import create_app
    from api.listening import BoundedHttp

    class Server(uvicorn.Server):
        """Ends quietly when it is told to.

        uvicorn raises the signal once more when it is done. Inside `_serving` that would end the
        event loop before running jobs are given back, and leave a process that never ends.
        """

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            super().handle_exit(sig, frame)
            self._captured_signals.clear()

    config = uvicorn.Config(
        create_app(city),
        http=BoundedHttp,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=DRAIN_S,
    )
    return Server(config)


def _bound(host: str, port: int) -> socket.socket:
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen(BACKLOG)
        except BaseException:
            listening.close()
            raise
    except OSError as error:
        where = f"--host {host} --port {port}"
        raise BadInput([Defect("", where, "", f"cannot listen: {error.strerror}")]) from error
    return listening


def _url(listening: socket.socket) -> str:
    """The API as this machine reaches it."""
    host, port = listening.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104  compared, not bound
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
