"""A whole city to try rights on: a real server, a real OPA that pulls its bundles from it, tokens.

What can be asked is read from the application's own routes.
"""

from __future__ import annotations

import asyncio
import re
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from litestar.routes import HTTPRoute

from api.app import Application, create_app
from api.guard import handlers_of
from models import CityRole
from placement.identity import LocalIssuer
from placement.service.city import City
from placement.service.opening import open_city
from placement.settings import Settings, read_settings

PATIENCE_S = 60.0
UNKNOWN = {"int": "999999999", "str": "nothing-here"}
"""A value for each kind of path parameter that names nothing."""


@dataclass(frozen=True)
class Door:
    """One way into the application: a method of a route, and the handler behind it."""

    method: str
    path: str
    operation: str | None
    access: str | None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def url(self, **values: str) -> str:
        """The path with values for its parameters; what is not given names nothing."""

        def value(match: re.Match[str]) -> str:
            return values.get(match[1], UNKNOWN[match[2]])

        return re.sub(r"\{(\w+):(\w+)\}", value, self.path)


def doors_of(app: Application) -> list[Door]:
    """Every way in that the application itself knows of."""
    found: list[Door] = []
    for route in app.routes:
        assert isinstance(route, HTTPRoute)
        for handler in handlers_of(route):
            operation, access = handler.opt.get("operation"), handler.opt.get("access")
            methods: set[str] = handler.http_methods  # type: ignore[attr-defined]
            found += [Door(str(method), route.path, operation, access) for method in methods]
    return sorted(found, key=str)


class Town:
    """A running city, and whoever asks it."""

    def __init__(self, city: City, app: Application, url: str, issuer: LocalIssuer) -> None:
        self.folder = city.settings.data
        self.city = city
        self.doors = doors_of(app)
        self.guarded = [door for door in self.doors if door.operation is not None]
        self.issuer = issuer
        self.client = httpx.Client(base_url=url, timeout=PATIENCE_S, trust_env=False)

    def token(self, *roles: CityRole, subject: str = "anna", **more: Any) -> str:
        """A valid token for somebody with these roles."""
        return self.issuer.issue(subject, roles, **more)

    def ask(
        self, door: Door, token: str | None, values: Mapping[str, str] | None = None, **more: Any
    ) -> httpx.Response:
        """Send what passes for a request there: an empty object where something is written."""
        if door.method in ("POST", "PUT", "PATCH"):
            more.setdefault("json", {})
        return self.request(door.method, door.url(**(values or {})), token, **more)

    def ask_all(self, token: str | None, doors: Sequence[Door] = ()) -> dict[Door, httpx.Response]:
        """Ask at each guarded door, some at a time: the server records refusals together."""
        asked = doors or self.guarded
        with ThreadPoolExecutor(8) as pool:
            return dict(
                zip(asked, pool.map(lambda door: self.ask(door, token), asked), strict=True)
            )

    def request(self, method: str, url: str, token: str | None, **more: Any) -> httpx.Response:
        headers = dict(more.pop("headers", {}))
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        return self.client.request(method, url, headers=headers, **more)


@contextmanager
def town(folder: Path) -> Iterator[Town]:
    """A city on an SQLite file, until the block ends."""
    settings = Settings(data=folder, opa_bin=read_settings().opa_bin)
    issuer = LocalIssuer(folder / "dev.pem")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with open_city(settings, url, issuer) as city:
            app = create_app(city)
            with _serving(app, city, listening):
                place = Town(city, app, url, issuer)
                _until_ready(place.client)
                yield place
                place.client.close()


@contextmanager
def _serving(app: Application, city: City, listening: socket.socket) -> Iterator[None]:
    config = uvicorn.Config(
        app, lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)

    async def serve() -> None:
        await server.serve(sockets=[listening])
        await city.permissions.hang_up()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def _until_ready(client: httpx.Client) -> None:
    until = time.monotonic() + PATIENCE_S
    while (found := client.get("/ready")).status_code != 200:
        assert time.monotonic() < until, found.text
        time.sleep(0.05)
