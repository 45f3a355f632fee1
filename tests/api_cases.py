"""An application of a few routes, to test what all routes share, and a real server for it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Annotated, Any

import uvicorn
from litestar import Request, Response, delete, get, post, put
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from api.app import Application, assemble
from api.conditional import precondition
from api.injected import InjectedCity
from api.listening import BoundedHttp
from api.paging import DEFAULT_LIMIT, Cursor, Cursors, Limit, Page, one_sort, page, page_response
from api.replies import plain, read, write
from api.requests import json_bytes
from models import Dataset, Frozen, Site
from models.base import Flag
from placement.errors import PlacementError, PolicyEngineError, StoreError
from placement.keys import AuditKey
from placement.service.performing import Reply

PATIENCE_S = 60.0
OPEN = {"access": "public"}
SECRET = "postgresql://user:password@db/placement"  # what no answer may show


class Thing(Frozen):
    id: str


class Note(Frozen):
    text: str
    urgent: Flag = False


THINGS = [Thing(id=f"t{number:02}") for number in range(25)]
FAULTS: dict[str, Exception] = {
    "store": StoreError(f"could not connect to {SECRET}"),
    "opa": PolicyEngineError(f"refused by {SECRET}"),
    "bug": RuntimeError(SECRET),
    "ours": PlacementError(SECRET),
}


@get("/things", opt=OPEN)
async def list_things(
    city: InjectedCity,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
    sort: FromQuery[str | None] = None,
    department: FromQuery[str | None] = None,
) -> Response[Page[Thing]]:
    order = one_sort(sort, ("id",), "id")
    filters = {"department": department}
    cursors = Cursors(city.audit_key)
    after = cursors.read(cursor, order, filters)[0] if cursor else ""
    found = sorted(THINGS, key=lambda thing: thing.id, reverse=order == "-id")
    ids = [thing.id for thing in found]
    behind = found[ids.index(after) + 1 if after else 0 :]
    items, following = page(
        behind[: limit + 1], limit, lambda last: cursors.make(order, filters, [last.id])
    )
    return page_response(items, following)


@get("/things/{thing:str}/name", opt=OPEN)
async def read_thing(request: Request[Any, Any, Any], thing: FromPath[str]) -> Response[Thing]:
    return read(request, {"id": thing}, version="v1")


@get("/numbers/{number:int}", opt=OPEN)
async def read_number(
    number: FromPath[int],
    wanted: Annotated[int | None, QueryParameter(ge=0, le=9)] = None,
) -> Response[Thing]:
    return plain({"id": str(number + (wanted or 0))})


@put("/things/{thing:str}", opt=OPEN)
async def update_thing(
    request: Request[Any, Any, Any], thing: FromPath[str], data: JSONBody[Note]
) -> Response[Note]:
    precondition(request).check("v1" if thing == "known" else None)
    return read(request, data)


@post("/datasets", opt=OPEN)
async def create_dataset(data: JSONBody[Dataset]) -> Response[Dataset]:
    return plain(data, 201)


@post("/sites", opt=OPEN)
async def create_site(data: JSONBody[Site]) -> Response[Site]:
    return plain(data, 201)


@post("/v1/catalogs", opt=OPEN)
async def bring_catalog(request: Request[Any, Any, Any]) -> Response[Thing]:
    return plain({"id": str(len(await json_bytes(request)))}, 201)


@post("/notes", opt=OPEN)
async def write_note(
    request: Request[Any, Any, Any], city: InjectedCity, data: JSONBody[Note]
) -> Response[Note]:
    caller: Any = SimpleNamespace(subject="issuer anna")
    return await write(
        request, city, caller, lambda tx: Reply.json({"n": tx.city.audit_sequence}, 201)
    )


@get("/faults/{fault:str}", opt=OPEN)
async def fail(fault: FromPath[str]) -> Response[Thing]:
    raise FAULTS[fault]


@delete("/things/{thing:str}", opt=OPEN)
async def remove_thing(request: Request[Any, Any, Any], thing: FromPath[str]) -> None:
    precondition(request).check("v1" if thing == "known" else None)


ROUTES = (
    list_things,
    read_thing,
    read_number,
    update_thing,
    create_dataset,
    create_site,
    bring_catalog,
    write_note,
    fail,
    remove_thing,
)


def application(key: AuditKey, store: Any = None) -> Application:
    city: Any = SimpleNamespace(audit_key=key, store=store)
    return assemble(city, ROUTES)


@contextlib.contextmanager
def serving(app: Any) -> Iterator[tuple[str, int]]:
    """A real server for an application, as `placement serve` runs it; its address."""
    config = uvicorn.Config(
        app,
        http=BoundedHttp,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        main = server.serve(sockets=[listening])
        thread = threading.Thread(target=lambda: asyncio.run(main))
        thread.start()
        try:
            until = time.monotonic() + PATIENCE_S
            while not server.started and thread.is_alive() and time.monotonic() < until:
                time.sleep(0.01)
            assert server.started
            yield listening.getsockname()[:2]
        finally:
            server.should_exit = True
            thread.join(PATIENCE_S)
