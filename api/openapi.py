"""The OpenAPI 3.1 description, made of the handlers themselves.

Schemas come from the pydantic models, so that what is documented is what is checked. A handler
tells in its `opt`:

operation
    stable name, such as datasets.update; its first part is the tag
access
    "public" (no token) or "opa" (OPA's token alone)
example, example_at
    of the body; or where a long one is served
body, answer
    models, where the signature does not tell them
statuses
    {status: description} of further successes
also_produces
    further media types of the answer
problems
    further statuses of problems
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Union, get_args, get_origin

from litestar import Litestar, Response
from litestar.handlers import HTTPRouteHandler
from litestar.params import KwargDefinition
from litestar.routes import HTTPRoute
from litestar.typing import FieldDefinition
from pydantic import BaseModel, Field, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

import placement
from api.documented import DESCRIPTION, TAGS, headers_of, problem_responses, success_headers
from api.ngsi_ld import errors as ngsi_ld_errors
from api.problems import PROBLEM
from api.requests import JSON

SCHEMAS = "#/components/schemas/"


def describe(app: Litestar) -> dict[str, Any]:
    """The OpenAPI document of an application's routes, as plain JSON data."""
    operations = list(_operations(app))
    schemas = _Schemas(operations)
    paths: dict[str, Any] = {}
    ids: set[str] = set()
    for one in sorted(operations, key=lambda item: (item.path, item.method)):
        described = one.described(schemas)
        if one.name in ids:  # one operation at two paths, such as a number and "current"
            described["operationId"] = ".by_".join([one.name, *one.path_parameters])
        ids.add(described["operationId"])
        paths.setdefault(one.path, {})[one.method.lower()] = described
    tags = sorted({one.tag for one in operations})
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "placement",
            "version": placement.__version__,
            "description": DESCRIPTION,
            "license": {"name": "EUPL-1.2", "identifier": "EUPL-1.2"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": tag, "description": TAGS.get(tag, "")} for tag in tags],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "responses": problem_responses(),
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token of the city's identity provider, or an API key.",
                }
            },
        },
        "security": [{"bearer": []}],
    }


class Operation:
    """One method of one path."""

    def __init__(self, route: HTTPRoute, method: str, handler: HTTPRouteHandler) -> None:
        self.path = route.path_format
        self.method = method
        self.handler = handler
        self.name = str(handler.opt.get("operation") or handler.name or handler.handler_name)
        self.tag = self.name.partition(".")[0]
        self.public = handler.opt.get("access") == "public"
        self.path_parameters = route.path_parameters
        fields = handler.parsed_fn_signature.parameters
        self.fields = fields
        model = route.route_handler_map[method][1]  # type: ignore[index]
        self.query = sorted(model.expected_query_params, key=lambda item: item.field_alias)
        self.query_types = {
            item.field_name: _constrained(fields[item.field_name]) for item in self.query
        }
        data = fields.get("data")
        self.body: Any = handler.opt.get("body") or (data.annotation if data else None)
        self.answer: Any = handler.opt.get("answer") or _answer(handler)

    def described(self, schemas: _Schemas) -> dict[str, Any]:
        """The operation object."""
        text = (self.handler.fn.__doc__ or "").strip()
        summary, _, rest = text.partition("\n")
        document: dict[str, Any] = {
            "operationId": self.name,
            "summary": summary.rstrip("."),
            "description": _paragraphs(rest),
            "tags": [self.tag],
            "parameters": [*self._path(), *self._query(schemas), *headers_of(self.method)],
            "responses": self._responses(schemas),
        }
        if self.public:
            document["security"] = []
        if self.body is not None:
            content = {"schema": schemas.of(self.body, "validation")}
            if "example" in self.handler.opt:
                content["example"] = self.handler.opt["example"]
            if "example_at" in self.handler.opt:
                content["examples"] = {"stored": {"externalValue": self.handler.opt["example_at"]}}
            document["requestBody"] = {"required": True, "content": {JSON: content}}
        return document

    def _path(self) -> Iterator[dict[str, Any]]:
        for name, parameter in self.path_parameters.items():
            schema: dict[str, Any] = (
                {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
                if parameter.type is int
                else {"type": "string", "minLength": 1}
            )
            yield {"name": name, "in": "path", "required": True, "schema": schema}

    def _query(self, schemas: _Schemas) -> Iterator[dict[str, Any]]:
        for parameter in self.query:
            field = self.fields[parameter.field_name]
            schema = schemas.of(self.query_types[parameter.field_name], "validation")
            if field.has_default and field.default is not None:
                schema = {**schema, "default": field.default}
            described = {
                "name": parameter.field_alias,
                "in": "query",
                "required": parameter.is_required,
                "schema": schema,
            }
            if description := getattr(field.kwarg_definition, "description", None):
                described["description"] = description
            yield described

    def _responses(self, schemas: _Schemas) -> dict[str, Any]:
        status = str(self.handler.status_code)
        success: dict[str, Any] = {"description": "Done.", "headers": success_headers(status)}
        media_type = str(getattr(self.handler.media_type, "value", self.handler.media_type))
        if self.answer is not None:
            success["content"] = {JSON: {"schema": schemas.of(self.answer, "serialization")}}
        elif status != "204":
            produced = [self.handler.opt.get("produces", media_type or JSON)]
            produced += self.handler.opt.get("also_produces", [])
            success["content"] = {each: {} for each in produced}
        responses = {status: success}
        for further, description in self.handler.opt.get("statuses", {}).items():
            responses[str(further)] = {**success, "description": description}
        if self.method == "GET" and not self.public:
            responses["304"] = {"description": "The client has this version already."}
        problem = "NgsiLdProblem" if self.path.startswith(ngsi_ld_errors.PREFIX) else "Problem"
        responses |= {
            str(code): {"$ref": f"#/components/responses/{problem}{code}"}
            for code in self._problems()
        }
        return responses

    def _problems(self) -> list[int]:
        codes = {400, *self.handler.opt.get("problems", ())}
        if not self.public:
            codes |= {401, 403, 503}
        if self.path_parameters:
            codes |= {404, 409}  # a thing may be in a state that has no such answer yet
        if self.body is not None:
            codes |= {404, 408, 413, 415, 422}
        codes |= {
            "GET": {412},
            "POST": {404, 409, 412, 422},
            "PUT": {409, 412, 422, 428},
            "DELETE": {409, 412, 422, 428},
        }.get(self.method, set())
        return sorted(codes)


class _Schemas:
    """JSON Schemas of everything that operations name, each model once under components."""

    def __init__(self, operations: list[Operation]) -> None:
        wanted: dict[tuple[Any, JsonSchemaMode], TypeAdapter[Any]] = {}
        for one in operations:
            for annotation, mode in _annotations(one):
                wanted[(annotation, mode)] = TypeAdapter(annotation)
        numbered = list(wanted.items())
        generator = GenerateJsonSchema(by_alias=True, ref_template=SCHEMAS + "{model}")
        found, definitions = generator.generate_definitions(
            [
                (number, mode, adapter.core_schema)
                for number, ((_, mode), adapter) in enumerate(numbered)
            ]
        )
        self._found = {key: found[(number, key[1])] for number, (key, _) in enumerate(numbered)}
        self.components: dict[str, Any] = {
            **{str(name): schema for name, schema in definitions.items()},
            "Problem": PROBLEM_SCHEMA,
            "NgsiLdProblem": NGSI_LD_PROBLEM_SCHEMA,
        }

    def of(self, annotation: Any, mode: JsonSchemaMode) -> dict[str, Any]:
        """The schema of a type, by reference where it has a name."""
        return dict(self._found[(annotation, mode)])


def _annotations(one: Operation) -> Iterator[tuple[Any, JsonSchemaMode]]:
    if one.body is not None:
        yield one.body, "validation"
    if one.answer is not None:
        yield one.answer, "serialization"
    for annotation in one.query_types.values():
        yield annotation, "validation"


def _operations(app: Litestar) -> Iterator[Operation]:
    for route in app.routes:
        if not isinstance(route, HTTPRoute):
            continue
        for method, (handler, _) in route.route_handler_map.items():
            if handler.include_in_schema is not False and method != "OPTIONS":
                yield Operation(route, method, handler)


def _answer(handler: HTTPRouteHandler) -> Any:
    """X of a handler that returns Response[X], where X is a model."""
    annotation = handler.parsed_fn_signature.return_type.annotation
    if get_origin(annotation) is Response:
        (annotation,) = get_args(annotation)
    is_model = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    return annotation if is_model else None


def _constrained(field: FieldDefinition) -> Any:
    """A parameter's type together with the limits that its declaration states."""
    kwarg = field.kwarg_definition
    # Nobody can send null in a query: an optional parameter is left out.
    stated = [one.annotation for one in field.inner_types if not one.is_none_type]
    annotation = Union[tuple(stated)] if field.is_optional else field.annotation  # noqa: UP007
    if not isinstance(kwarg, KwargDefinition):
        return annotation
    limits = {
        name: getattr(kwarg, name)
        for name in ("ge", "gt", "le", "lt", "min_length", "max_length", "pattern")
        if getattr(kwarg, name) is not None
    }
    return Annotated[annotation, Field(**limits)] if limits else annotation


def _paragraphs(text: str) -> str:
    """The prose of a docstring: without its indentation and its technical sections."""
    lines = [line.strip() for line in text.strip().splitlines()]
    for number, line in enumerate(lines):
        if line and set(line) == {"-"}:
            lines = lines[: number - 1]
            break
    return "\n".join(lines).strip()


PROBLEM_SCHEMA: dict[str, Any] = {
    "title": "Problem",
    "description": f"Why a request was not met (RFC 9457, {PROBLEM}).",
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "instance"],
    "additionalProperties": False,
    "properties": {
        "type": {"type": "string", "pattern": "^urn:placement:problem:[a-z_]+$"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "code": {"type": "string", "pattern": "^[a-z_]+$", "description": "Stable."},
        "instance": {"type": "string", "description": "The request's id, as in X-Request-ID."},
        "defects": {
            "type": "array",
            "description": "What is wrong, and where; at most the first hundred.",
            "items": {
                "type": "object",
                "required": ["file", "record", "field", "message"],
                "properties": {
                    name: {"type": "string"} for name in ("file", "record", "field", "message")
                },
            },
        },
        "defects_total": {"type": "integer"},
        "changes": {
            "type": "array",
            "description": "What changed since a proposal was decided.",
            "items": {
                "type": "object",
                "required": ["what", "decided_on", "now"],
                "properties": {name: {"type": "string"} for name in ("what", "decided_on", "now")},
            },
        },
    },
}

NGSI_LD_PROBLEM_SCHEMA: dict[str, Any] = {
    **PROBLEM_SCHEMA,
    "title": "NgsiLdProblem",
    "description": "Why a request was not met, with the types of ETSI GS CIM 009 where it has one.",
    "properties": {
        **PROBLEM_SCHEMA["properties"],
        "type": {
            "type": "string",
            "pattern": f"^({ngsi_ld_errors.TYPE}[A-Za-z]+|urn:placement:problem:[a-z_]+)$",
        },
    },
}
