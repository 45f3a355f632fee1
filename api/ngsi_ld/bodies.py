"""Bodies of the NGSI-LD interface: JSON or JSON-LD, read as strictly as everywhere."""

from __future__ import annotations

from typing import Any

from litestar import Request

from api.ngsi_ld.replies import JSON, LD_JSON
from api.problems import UnreadableBody, WrongMediaType
from placement.errors import BadInput, Defect
from placement.service.bodies import decode_body


async def document_of(request: Request[Any, Any, Any]) -> dict[str, Any]:
    """The JSON object in a body.

    Raises
    ------
    WrongMediaType
        When it is declared as something else, or compressed.
    UnreadableBody
        When it is not strict JSON.
    BadInput
        When it is no object.
    """
    media_type, options = request.content_type
    charset = options.get("charset", "utf-8").lower()
    encoding = request.headers.get("content-encoding", "identity").lower()
    if media_type not in (JSON, LD_JSON) or charset != "utf-8" or encoding != "identity":
        raise WrongMediaType(
            f"the body must be {JSON} or {LD_JSON} in UTF-8, not compressed",
            headers={"accept": f"{JSON}, {LD_JSON}"},
        )
    try:
        document = decode_body(await request.body())
    except BadInput as error:
        raise UnreadableBody(
            "the body is not strict JSON; see defects", defects=error.defects
        ) from error
    if not isinstance(document, dict):
        raise BadInput([Defect("body", "", "", "an object is expected")])
    return document
