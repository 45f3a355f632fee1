"""/v1/schemas: what the files look like that this version of the service reads and writes.

Public, as the schemas are of the software and tell nothing of the city. The client that asks may be
of another version: `placement schema` alone would describe what the client reads.
"""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get
from litestar.params import FromPath

from api.replies import read
from api.threads import in_reader
from placement.service.schemas import schema_of


@get("/v1/schemas/{document:str}", name="service.schema", opt={"access": "public"})
async def read_schema(
    request: Request[Any, Any, Any], document: FromPath[str]
) -> Response[dict[str, Any]]:
    """JSON Schema of a file: `plan`, `catalog`, `sites` or `parameters`."""
    return read(request, await in_reader(schema_of, document))


routes = (read_schema,)
