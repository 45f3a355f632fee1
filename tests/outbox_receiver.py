"""A receiver that only counts: `python -m tests.outbox_receiver`.

It prints its port, and for each line that it reads what has come so far (JSON, one line).
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any, cast

import uvloop

SLOW_S = 60.0


class Counting(asyncio.Protocol):
    """Just enough of HTTP/1.1: requests with a Content-Length, on connections kept open."""

    def __init__(self, seen: dict[str, dict[str, Any]]) -> None:
        self._seen = seen
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by its type

    def data_received(self, data: bytes) -> None:
        self._got += data
        while (end := self._got.find(b"\r\n\r\n")) >= 0:
            head = self._got[:end].decode("latin-1")
            headers = dict(
                line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line
            )
            size = end + 4 + int(headers.get("content-length", "0"))
            if len(self._got) < size:
                return
            self._got = self._got[size:]
            self._came(head.split(" ", 2)[1], headers["webhook-id"])

    def _came(self, path: str, ident: str) -> None:
        seen = self._seen.setdefault(path, {"posts": 0, "ids": set(), "first": time.time()})
        seen["posts"] += 1
        seen["ids"].add(ident)
        seen["last"] = time.time()
        status = path.removeprefix("/status/") if path.startswith("/status/") else "200"
        answer = f"HTTP/1.1 {status} So\r\nContent-Length: 0\r\n\r\n".encode()
        if path == "/slow":
            asyncio.get_running_loop().call_later(SLOW_S, self._transport.write, answer)
        else:
            self._transport.write(answer)


async def main() -> None:
    """Serve until the parent is gone."""
    loop, seen = asyncio.get_running_loop(), dict[str, dict[str, Any]]()
    server = await loop.create_server(lambda: Counting(seen), "127.0.0.1", 0)
    _say(server.sockets[0].getsockname()[1])
    while await loop.run_in_executor(None, sys.stdin.readline):
        told = {
            path: {
                "posts": one["posts"],
                "distinct": len(one["ids"]),
                "first": one["first"],
                "last": one["last"],
            }
            for path, one in seen.items()
        }
        _say(json.dumps(told))


def _say(what: object) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(main())
