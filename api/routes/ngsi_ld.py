"""/ngsi-ld/v1: the city as entities of a context broker (ETSI GS CIM 009), to be read alone."""

from __future__ import annotations

import json
from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.params import FromPath, QueryParameter

from api.injected import InjectedCaller, InjectedCity
from api.ngsi_ld.replies import LD_JSON, check_headers, page_links, reply
from api.ngsi_ld.sight import sight_of
from api.ngsi_ld.told import attribute_list, form_of, type_details, type_info, type_list
from api.paging import DEFAULT_LIMIT, LARGEST_LIMIT
from api.problems import BadRequest
from api.threads import in_reader
from models.ngsi_ld import LONGEST_PATTERN, LONGEST_QUERY
from placement.errors import NotFound
from placement.provision.ngsi_ld.representation import represented
from placement.provision.ngsi_ld.selection import is_uri, read_attributes, read_selection
from placement.provision.ngsi_ld.vocabulary import CONTEXT_PATH, context_document, type_of
from placement.service import entities

_TAGS = ["entities"]
_OPT: dict[str, Any] = {"also_produces": [LD_JSON], "problems": [406, 422]}
_FAR = 10**6

Types = Annotated[
    str | None,
    QueryParameter(
        min_length=1,
        max_length=LONGEST_QUERY,
        description="Dataset, Operator, Placement, Site, or their IRIs; several with commas.",
    ),
]
Ids = Annotated[
    str | None,
    QueryParameter(min_length=1, max_length=LONGEST_QUERY, description="URIs, with commas."),
]
IdPattern = Annotated[
    str | None,
    QueryParameter(
        min_length=1,
        max_length=LONGEST_PATTERN,
        description="Regular expression that is found in the entity's URI.",
    ),
]
Attrs = Annotated[
    str | None,
    QueryParameter(
        min_length=1,
        max_length=LONGEST_QUERY,
        description="Attributes to show; entities that have none of them are left out.",
    ),
]
Q = Annotated[
    str | None,
    QueryParameter(
        min_length=1,
        max_length=LONGEST_QUERY,
        description='NGSI-LD query, such as `confidentiality>=3;publisher=="Public space"`.',
    ),
]
Options = Annotated[
    str | None,
    QueryParameter(
        max_length=100,
        description="normalized, concise, keyValues (simplified), sysAttrs; with commas.",
    ),
]
Form = Annotated[
    str | None,
    QueryParameter(max_length=20, description="normalized, concise, keyValues or simplified."),
]
PageLimit = Annotated[
    int, QueryParameter(ge=0, le=LARGEST_LIMIT, description="Most entities of a page.")
]
Offset = Annotated[int, QueryParameter(ge=0, le=_FAR, description="Entities to leave out first.")]
Counted = Annotated[bool, QueryParameter(description="Tell in NGSILD-Results-Count how many.")]
Local = Annotated[
    bool, QueryParameter(description="Of the standard: everything here is local anyway.")
]
Details = Annotated[bool, QueryParameter(description="With names of attributes, or of types.")]


@get(
    "/ngsi-ld/v1/entities",
    opt={"operation": "entities.list", **_OPT},
    tags=_TAGS,
)
async def list_entities(
    request: Request[Any, Any, Any],
    city: InjectedCity,
    caller: InjectedCaller,
    type: Types = None,  # noqa: A002  the standard's names, so that defects tell them
    id: Ids = None,  # noqa: A002
    idPattern: IdPattern = None,  # noqa: N803
    attrs: Attrs = None,
    q: Q = None,
    options: Options = None,
    format: Form = None,  # noqa: A002
    limit: PageLimit = DEFAULT_LIMIT,
    offset: Offset = 0,
    count: Counted = False,
    local: Local = False,  # noqa: ARG001  named so that the standard's clients are not refused
) -> Response[Any]:
    """Entities of the records that the caller may see, by types, ids, attributes and values."""
    check_headers(request)
    shown, system = form_of(options, format)
    if not limit and not count:
        raise BadRequest("limit=0 asks for the count alone: add count=true")
    asked = entities.Asked(
        read_selection(type, id, idPattern, attrs, q), limit, offset, count, system
    )
    sight = await sight_of(request, city, caller)
    found = await in_reader(entities.find, city, sight, asked)
    headers = {} if found.total is None else {"ngsild-results-count": str(found.total)}
    return reply(
        request,
        city,
        [represented(one, shown, system=system) for one in found.entities],
        headers=headers,
        links=page_links(request, limit, offset, more=found.more),
    )


@get(
    "/ngsi-ld/v1/entities/{entity:str}",
    opt={"operation": "entities.read", **_OPT},
    tags=_TAGS,
)
async def read_entity(
    request: Request[Any, Any, Any],
    entity: FromPath[str],
    city: InjectedCity,
    caller: InjectedCaller,
    attrs: Attrs = None,
    options: Options = None,
    format: Form = None,  # noqa: A002
    local: Local = False,  # noqa: ARG001
) -> Response[Any]:
    """One entity, as the record behind it is now."""
    check_headers(request)
    shown, system = form_of(options, format)
    if not is_uri(entity):
        raise BadRequest("the id of an entity is a URI")
    names = frozenset() if attrs is None else read_attributes(attrs)
    sight = await sight_of(request, city, caller)
    found = await in_reader(entities.read, city, sight, entity, names, system=system)
    return reply(request, city, represented(found, shown, system=system))


@get("/ngsi-ld/v1/types", opt={"operation": "entities.list_types", **_OPT}, tags=_TAGS)
async def list_types(
    request: Request[Any, Any, Any],
    city: InjectedCity,
    caller: InjectedCaller,
    details: Details = False,
) -> Response[Any]:
    """Types that the caller sees entities of."""
    check_headers(request)
    sight = await sight_of(request, city, caller)
    found = await in_reader(entities.types, city, sight)
    return reply(request, city, type_details(found) if details else type_list(found))


@get("/ngsi-ld/v1/types/{kind:str}", opt={"operation": "entities.read_type", **_OPT}, tags=_TAGS)
async def read_type(
    request: Request[Any, Any, Any],
    kind: FromPath[str],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[Any]:
    """One type: how many entities the caller sees of it, and which attributes they may have."""
    check_headers(request)
    known = type_of(kind)
    if known is None:
        raise NotFound(f"there are no entities of the type {kind}")
    sight = await sight_of(request, city, caller)
    found = await in_reader(entities.count, city, sight, known)
    return reply(request, city, type_info(known, found))


@get("/ngsi-ld/v1/attributes", opt={"operation": "entities.list_attributes", **_OPT}, tags=_TAGS)
async def list_attributes(
    request: Request[Any, Any, Any],
    city: InjectedCity,
    caller: InjectedCaller,
    details: Details = False,
) -> Response[Any]:
    """Attributes that entities of the types seen may have."""
    check_headers(request)
    sight = await sight_of(request, city, caller)
    found = await in_reader(entities.attributes, city, sight)
    return reply(request, city, attribute_list(found, details=details))


@get(
    CONTEXT_PATH,
    name="entities.context",
    opt={"access": "public", "produces": LD_JSON},
    tags=_TAGS,
)
async def context() -> Response[bytes]:
    """What our names of types and attributes stand for: a JSON-LD @context."""
    return Response(_CONTEXT, media_type=LD_JSON, headers=_FOREVER)


_CONTEXT = json.dumps(context_document(), indent=1).encode()
_FOREVER = {"cache-control": "public, max-age=31536000, immutable"}

routes = (
    list_entities,
    read_entity,
    list_types,
    read_type,
    list_attributes,
    context,
)
