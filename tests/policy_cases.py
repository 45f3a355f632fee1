"""A whole service for tests of the policies' life: a real database, a real OPA, a real server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from api.app import assemble
from api.routes import bundles, policies
from models import CityRole, PolicyFiles
from placement.eligibility.bundle import read_policy_files
from placement.identity import LocalIssuer
from placement.service.city import City
from placement.service.opening import open_city
from placement.settings import Settings, read_settings, shipped_policies

PATIENCE_S = 60.0
SLOW_S = 300.0
"""A check of all policies takes ten seconds on a machine that does nothing else."""
REVIEWER, BOARD = CityRole.SECURITY_REVIEWER, CityRole.GOVERNANCE_BOARD
OFFICE = CityRole.DATA_MANAGEMENT_OFFICE


@dataclass
class Service:
    """A running service and its clients."""

    city: City
    url: str
    issuer: LocalIssuer

    def client(self, name: str, *roles: CityRole) -> httpx.Client:
        """Somebody with these roles."""
        token = self.issuer.issue(name, roles)
        return httpx.Client(
            base_url=self.url, headers={"authorization": f"Bearer {token}"}, timeout=SLOW_S
        )

    def opa_client(self) -> httpx.Client:
        """Whoever knows OPA's token."""
        token = self.city.opa.feed.token
        return httpx.Client(base_url=self.url, headers={"authorization": f"Bearer {token}"})


@contextlib.contextmanager
def running(folder: Path, store_url: str) -> Iterator[Service]:
    """A service on a free port until the block ends; its first policies may not be active yet."""
    settings = Settings(
        opa_bin=read_settings().opa_bin,
        regal_bin=read_settings().regal_bin,
        data=folder,
        key_folder=folder / "keys",
        database_url=store_url,
    )
    issuer = LocalIssuer(folder / "local.pem")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with open_city(settings, url, issuer) as city, _serving(city, listening):
            yield Service(city, url, issuer)


@contextlib.contextmanager
def _serving(city: City, listening: socket.socket) -> Iterator[None]:
    app = assemble(city, (*policies.routes, *bundles.routes))
    config = uvicorn.Config(app, lifespan="off", log_config=None, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)

    async def serve() -> None:
        await server.serve(sockets=[listening])
        await city.permissions.hang_up()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert eventually(lambda: server.started)
        yield
    finally:
        server.should_exit = True
        thread.join(PATIENCE_S)


def eventually(holds: Callable[[], Any]) -> Any:
    """What `holds` says as soon as it is true; what it says in the end otherwise."""
    end = time.monotonic() + PATIENCE_S
    while not (said := holds()) and time.monotonic() < end:
        time.sleep(0.05)
    return said


def shipped() -> PolicyFiles:
    """The policies that came with the software, tests among them."""
    return read_policy_files(shipped_policies())


def stricter() -> dict[str, str]:
    """The shipped files, with Uruguay not among the countries of adequate protection any more."""
    files = dict(shipped().files)
    data = json.loads(files["data.json"])
    assert "UY" in data["thresholds"]["countries"]["adequate"]
    files["data.json"] = re.sub(r',\s*"UY"', "", files["data.json"])
    return files


def body(files: Mapping[str, str], title: str = "A change") -> dict[str, Any]:
    """A request for a draft."""
    return {"title": title, "files": dict(files)}
