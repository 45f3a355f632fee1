"""Permissions for tests: a real OPA with the shipped rights, and servers that only look like it."""

from __future__ import annotations

import gzip
import json
import shutil
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from models import CityRole, PermissionInput, Principal, PrincipalKind
from placement.eligibility.binary import find_opa
from placement.eligibility.bundle import read_authz_bundle, write_bundle
from placement.eligibility.permissions import Permissions
from placement.eligibility.process import OpaChild
from placement.eligibility.transport import Endpoint
from placement.identity import LocalIssuer, open_tokens
from placement.keys import audit_key
from placement.provision.sealing import Seal
from placement.service.city import City
from placement.settings import Settings, read_settings, shipped_policies
from placement.store import Store
from placement.store.recorder import Recorder
from tests.opa_fakes import FakeServer, http

REVISION = "5" * 64
PATIENCE_S = 30.0
"""For answers that come: a loaded machine is slow, and says nothing about the code."""
IMPATIENCE_S = 0.5
"""For answers that never come."""

Reply = bytes | Callable[[socket.socket], None]

ROWS: dict[str, Any] = {"all": True, "departments": [], "reader_roles": [], "public": False}
ALLOWED: dict[str, Any] = {"allow": True, "reason": "granted", "rows": ROWS}


def question(**changes: Any) -> PermissionInput:
    """What an anna of the data management office asks about updating a dataset."""
    fields: dict[str, Any] = {
        "principal": Principal(
            subject="https://login.soest.example anna",
            kind=PrincipalKind.PERSON,
            roles=(CityRole.DATA_MANAGEMENT_OFFICE,),
        ),
        "operation": "datasets.update",
        "method": "PUT",
        "route": "/v1/datasets/{dataset}",
    }
    return PermissionInput(**(fields | changes))


def provenance(**changes: Any) -> dict[str, Any]:
    """What OPA says of itself."""
    bundles = {"authz": {"revision": REVISION}, "policies": {"revision": "6" * 64}}
    return {"version": "1.22.2", "build_commit": "", "bundles": bundles} | changes


def answer(result: Any = ALLOWED, **changes: Any) -> bytes:
    """A body as OPA writes it; a part changed to `...` is left out."""
    whole = {"provenance": provenance(), "result": result} | changes
    return json.dumps({key: part for key, part in whole.items() if part is not ...}).encode()


def with_result(**changes: Any) -> bytes:
    """An answer whose result differs from ALLOWED; a part changed to `...` is left out."""
    whole = ALLOWED | changes
    return http(answer({key: part for key, part in whole.items() if part is not ...}))


def with_rows(**changes: Any) -> bytes:
    """An answer whose rows differ; a part changed to `...` is left out."""
    whole = ROWS | changes
    return with_result(rows={key: part for key, part in whole.items() if part is not ...})


def with_bundles(**revisions: str) -> bytes:
    """An answer from an OPA with these bundles."""
    bundles = {name: {"revision": revision} for name, revision in revisions.items()}
    return http(answer(provenance=provenance(bundles=bundles)))


def drip(data: bytes) -> Callable[[socket.socket], None]:
    """Sends a byte every 0.1 s: for minutes, and no single read waits long."""

    def send(connection: socket.socket) -> None:
        for byte in data:
            connection.sendall(bytes([byte]))
            time.sleep(0.1)

    return send


def silence(connection: socket.socket) -> None:
    """Says nothing until the other side hangs up."""
    connection.recv(1)


def all_of(data: bytes, more: Callable[[socket.socket], None]) -> Callable[[socket.socket], None]:
    """Sends something, then does more."""

    def send(connection: socket.socket) -> None:
        connection.sendall(data)
        more(connection)

    return send


def then_close(data: bytes) -> Callable[[socket.socket], None]:
    """Sends something and hangs up."""

    def send(connection: socket.socket) -> None:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_RDWR)

    return send


_CHUNKED = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
)


def endless_chunks(connection: socket.socket) -> None:
    """An allowing answer, and blanks for as long as somebody reads."""
    head = (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    connection.sendall(head + _chunk(answer()))
    while True:
        connection.sendall(_chunk(b" " * 4096))


def endless_interim(connection: socket.socket) -> None:
    """Says to go on for as long as somebody reads."""
    while True:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)


def _chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def _plain(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """A response with these headers alone."""
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


_WHOLE = http(answer())
_HEAD_END = _WHOLE.index(b"\r\n\r\n") + 4
_JSON = "Content-Type: application/json"

SLOW: dict[str, Reply] = {
    "silence": silence,
    "a dripping head": drip(_WHOLE),
    "a dripping body": all_of(_WHOLE[:_HEAD_END], drip(_WHOLE[_HEAD_END:])),
    "half an answer, then silence": all_of(_WHOLE[:-5], silence),
    "interim answers without end": endless_interim,
}
"""Never a whole answer: the deadline ends these."""

ODD: dict[str, Reply] = {
    # Not an answer at all
    "hanging up": then_close(b""),
    "something else than HTTP": then_close(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "a truncated body": then_close(_WHOLE[:-5]),
    "a truncated head": then_close(_WHOLE[: _HEAD_END - 10]),
    "truncated chunks": then_close(_CHUNKED + _chunk(answer())),
    "an empty body": http(b""),
    "an upgrade": then_close(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n" + answer()),
    "a negative length": then_close(_WHOLE.replace(b"Content-Length: ", b"Content-Length: -")),
    # Another status
    "status 500": http(answer(), "500 Internal Server Error"),
    "status 503": http(answer(), "503 Service Unavailable"),
    "status 401": http(answer(), "401 Unauthorized"),
    "status 404": http(answer(), "404 Not Found"),
    "status 201": http(answer(), "201 Created"),
    "status 203": http(answer(), "203 Non-Authoritative Information"),
    "a redirect to itself": http(answer(), "307 Temporary Redirect", "Location: /v1/data/x"),
    # Another form
    "gzip": _plain(gzip.compress(answer()), _JSON, "Content-Encoding: gzip"),
    "gzip that is none": _plain(answer(), _JSON, "Content-Encoding: gzip"),
    "identity, spelt out": _plain(answer(), _JSON, "Content-Encoding: identity"),
    "text": _plain(answer(), "Content-Type: text/plain"),
    "a page": _plain(b"<html>{}</html>", "Content-Type: text/html"),
    "no content type": _plain(answer()),
    "a huge body": http(answer() + b" " * 200_000),
    "a body without end": endless_chunks,
    "not UTF-8": http(answer().replace(b"granted", b"gr\xffnted")),
    "a byte order mark": http(b"\xef\xbb\xbf" + answer()),
    "a second document": http(answer() + answer()),
    "not JSON": http(b"allow"),
    "NaN": http(answer().replace(b'"all": true', b'"all": NaN')),
    "an infinite number": http(answer(decision_id=1).replace(b'"decision_id": 1', b'"x": 1e999')),
    "a repeated key": http(answer().replace(b'"allow": true', b'"allow": false, "allow": true')),
    "a repeated result": http(b'{"result": {}, ' + answer()[1:]),
    "deep nesting": http(answer(0).replace(b": 0}", b": " + b"[" * 20_000 + b"]" * 20_000 + b"}")),
    # Other JSON
    "an empty object": http(b"{}"),
    "null": http(b"null"),
    "true": http(b"true"),
    "the text true": http(b'"true"'),
    "a list": http(b"[" + answer() + b"]"),
    "undefined": http(answer(...)),
    "result null": http(answer(None)),
    "result true": http(answer(True)),
    "result as a list": http(answer([ALLOWED])),
    "result as text": http(answer(json.dumps(ALLOWED))),
    "result empty": http(answer({})),
    "result true and nothing else": http(b'{"result": true}'),
    "a warning beside it": http(answer(warning={"code": "x", "message": "y"})),
    "allow absent": with_result(allow=...),
    "allow null": with_result(allow=None),
    "allow as text": with_result(allow="true"),
    "allow as one": with_result(allow=1),
    "allow as a list": with_result(allow=[True]),
    "reason absent": with_result(reason=...),
    "reason empty": with_result(reason=""),
    "reason as a number": with_result(reason=1),
    "more in the result": with_result(admin=True),
    "rows absent": with_result(rows=...),
    "rows null": with_result(rows=None),
    "rows true": with_result(rows=True),
    "more in the rows": with_rows(everything=True),
    "all rows absent": with_rows(all=...),
    "all rows as text": with_rows(all="true"),
    "all rows as one": with_rows(all=1),
    "departments absent": with_rows(departments=...),
    "departments as text": with_rows(departments="Ruimte"),
    "departments null": with_rows(departments=None),
    "a department that is none": with_rows(departments=[""]),
    "a department as a number": with_rows(departments=[1]),
    "reader roles absent": with_rows(reader_roles=...),
    "a reader role that is none": with_rows(reader_roles=["no such id!"]),
    "public rows absent": with_rows(public=...),
    "public rows as one": with_rows(public=1),
    # Other policies
    "no provenance": http(answer(provenance=...)),
    "provenance null": http(answer(provenance=None)),
    "provenance without bundles": http(answer(provenance=provenance(bundles={}))),
    "bundles as a list": http(answer(provenance=provenance(bundles=[]))),
    "another revision": with_bundles(authz="7" * 64, policies=REVISION),
    "no revision": with_bundles(authz=""),
    "the revision and a blank": with_bundles(authz=REVISION + " "),
    "the revision under another name": with_bundles(policies=REVISION),
    "a bundle too many": with_bundles(authz=REVISION, policies="6" * 64, more="8" * 64),
    "an OPA that is too old": http(answer(provenance=provenance(version="0.70.0"))),
    "an OPA without version": http(answer(provenance=provenance(version=""))),
}
"""Everything else that is not exactly an answer."""

FAULTS: dict[str, Reply] = SLOW | ODD


def patience(fault: str) -> float:
    """Seconds to wait for a faulty answer."""
    return IMPATIENCE_S if fault in SLOW else PATIENCE_S


def endpoint_of(server: FakeServer) -> Endpoint:
    return Endpoint("127.0.0.1", int(server.url.rpartition(":")[2]), tls=False, token="opa-token")


def permissions_at(endpoint: Endpoint, seconds: float = PATIENCE_S) -> Permissions:
    """Permissions from whatever listens there."""

    @contextmanager
    def asking() -> Iterator[Endpoint]:
        yield endpoint

    return Permissions(asking, REVISION, seconds)


def closed_endpoint() -> Endpoint:
    """A port of this machine on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return Endpoint("127.0.0.1", listener.getsockname()[1], tls=False, token="opa-token")


@contextmanager
def opa_with_rights() -> Iterator[OpaChild]:
    """A real OPA that holds the shipped rights under REVISION."""

    def prepare(folder: Path, _token: str) -> tuple[str, ...]:
        authz = read_authz_bundle(shipped_policies())
        write_bundle(folder / "authz", authz.files, authz.roots, REVISION)
        everybody = {"all.rego": b"package system.authz\n\nallow := true\n"}
        write_bundle(folder / "policies", everybody, ("system/authz",), "6" * 64)
        return ("--bundle", "policies", "authz")

    child = OpaChild(find_opa(read_settings().opa_bin), prepare)
    try:
        yield child
    finally:
        child.stop()


@contextmanager
def small_city(folder: Path, template: Path, permissions: Any) -> Iterator[City]:
    """As much of a city as the guard needs, on an SQLite file in the folder."""
    shutil.copyfile(template, folder / "placement.sqlite3")
    settings = replace(Settings(data=folder), database_url=None)
    key = audit_key(folder / "keys" / "audit.pem")
    local = LocalIssuer(folder / "keys" / "dev.pem")
    store = Store(settings.store_url, key)
    recorder = Recorder(store)
    try:
        city = City(
            settings=settings,
            store=store,
            recorder=recorder,
            audit_key=key,
            opa=cast("Any", None),
            permissions=permissions,
            snapshots=cast("Any", None),
            seal=Seal(bytes(32)),
            tokens=open_tokens(settings, local),
        )
        yield city
    finally:
        recorder.close()
        store.close()


def database_text(folder: Path) -> str:
    """Everything in the city's database."""
    with sqlite3.connect(folder / "placement.sqlite3") as connection:
        text = "\n".join(connection.iterdump())
    connection.close()
    return text
