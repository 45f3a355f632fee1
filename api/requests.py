"""Requests whose JSON bodies are read as strictly as files."""

from __future__ import annotations

from typing import Any

from litestar import Request
from litestar.types import Empty
from pydantic import BaseModel

from api.problems import UnreadableBody, WrongMediaType
from api.threads import in_reader
from placement.errors import BadInput
from placement.service.bodies import decode_body, model_of

JSON = "application/json"
_SMALL = 16_384
"""Bytes that are decoded faster than another thread takes over."""


class StrictRequest(Request[Any, Any, Any]):
    """A handler's `data: JSONBody[Model]` comes from here: decoded strictly, then validated.

    Defects of the JSON text are an UnreadableBody (400), those of its content a BadInput (422),
    each with its place.
    """

    async def json(self) -> Any:
        """The body as the model that the handler declares, or as plain data.

        Raises
        ------
        WrongMediaType, UnreadableBody, BadInput
        """
        if self._json is Empty:
            body = await json_bytes(self)
            read = _reader(self)
            self._json = read(body) if len(body) <= _SMALL else await in_reader(read, body)
        return self._json


async def json_bytes(request: Request[Any, Any, Any]) -> bytes:
    """The bytes of a JSON body, for those who decode it themselves.

    Raises
    ------
    WrongMediaType
        When it is declared as something else than JSON in UTF-8, or compressed.
    """
    media_type, options = request.content_type
    if media_type != JSON or options.get("charset", "utf-8").lower() != "utf-8":
        raise WrongMediaType(
            f"the body must be {JSON} in UTF-8; say so in Content-Type",
            headers={"accept": JSON},
        )
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise WrongMediaType(
            "compressed bodies are not read", headers={"accept-encoding": "identity"}
        )
    return await request.body()


def _reader(request: Request[Any, Any, Any]) -> Any:
    field = request.route_handler.parsed_data_field
    annotation = field.annotation if field is not None else None
    is_model = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    model: type[BaseModel] | None = annotation if is_model else None

    def read(body: bytes) -> Any:
        try:
            document = decode_body(body)
        except BadInput as error:
            raise UnreadableBody(
                "the body is not strict JSON; see defects", defects=error.defects
            ) from error
        return document if model is None else model_of(document, model)

    return read
