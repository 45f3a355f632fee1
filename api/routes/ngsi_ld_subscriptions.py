"""/ngsi-ld/v1/subscriptions: who is told when entities change (ETSI GS CIM 009, clause 5.8)."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, delete, get, patch, post
from litestar.params import FromPath, QueryParameter

from api.injected import InjectedCaller, InjectedCity
from api.ngsi_ld.bodies import document_of
from api.ngsi_ld.replies import LD_JSON, check_headers, page_links, reply
from api.paging import DEFAULT_LIMIT, LARGEST_LIMIT
from api.replies import write
from api.threads import in_reader
from models.ngsi_ld import NgsiLdSubscription
from placement.service import entity_subscriptions as subscriptions
from placement.service.performing import Reply
from placement.store import Transaction

PATH = "/ngsi-ld/v1/subscriptions"
_TAGS = ["entities"]
_READ: dict[str, Any] = {"also_produces": [LD_JSON], "problems": [406, 422]}
_WRITE: dict[str, Any] = {"problems": [404, 422]}
_EXAMPLE: dict[str, Any] = {
    "type": "Subscription",
    "entities": [{"type": "Dataset"}],
    "watchedAttributes": ["placedAt"],
    "q": 'publisher=="Public space"',
    "notification": {
        "attributes": ["title", "placedAt"],
        "format": "keyValues",
        "endpoint": {"uri": "https://broker.city.example/notify", "accept": "application/json"},
    },
}

PageLimit = Annotated[
    int, QueryParameter(ge=0, le=LARGEST_LIMIT, description="Most subscriptions of a page.")
]
Offset = Annotated[
    int, QueryParameter(ge=0, le=10**6, description="Subscriptions to leave out first.")
]
Counted = Annotated[bool, QueryParameter(description="Tell in NGSILD-Results-Count how many.")]


@get(PATH, opt={"operation": "entities.list_subscriptions", **_READ}, tags=_TAGS)
async def list_subscriptions(
    request: Request[Any, Any, Any],
    city: InjectedCity,
    limit: PageLimit = DEFAULT_LIMIT,
    offset: Offset = 0,
    count: Counted = False,
) -> Response[Any]:
    """Who is told of which entities."""
    check_headers(request)
    found, total = await in_reader(subscriptions.list_all, city, limit, offset)
    return reply(
        request,
        city,
        list(found),
        headers={"ngsild-results-count": str(total)} if count else {},
        links=page_links(request, limit, offset, more=total > offset + limit),
    )


@post(
    PATH,
    opt={
        "operation": "entities.subscribe",
        "body": NgsiLdSubscription,
        "example": _EXAMPLE,
        **_WRITE,
    },
    tags=_TAGS,
)
async def create_subscription(
    request: Request[Any, Any, Any], city: InjectedCity, caller: InjectedCaller
) -> Response[None]:
    """Send notifications to a URL when entities change from now on.

    The URL must be one that the service's settings allow. What notifications are signed with is
    had at /v1/subscriptions/{id}/secrets.
    """
    check_headers(request)
    document = await document_of(request)

    def action(tx: Transaction) -> Reply:
        uri = subscriptions.create(tx, city, caller, document)
        return Reply(201, headers={"location": f"{PATH}/{uri}"})

    return await write(request, city, caller, action)


@get(
    f"{PATH}/{{subscription:str}}",
    opt={"operation": "entities.read_subscription", **_READ},
    tags=_TAGS,
)
async def read_subscription(
    request: Request[Any, Any, Any], subscription: FromPath[str], city: InjectedCity
) -> Response[Any]:
    """One subscription, and whether its notifications arrive."""
    check_headers(request)
    found = await in_reader(subscriptions.read, city, subscription)
    return reply(request, city, found)


@patch(
    f"{PATH}/{{subscription:str}}",
    opt={
        "operation": "entities.update_subscription",
        "body": dict[str, Any],
        "example": {"isActive": False},
        **_WRITE,
    },
    tags=_TAGS,
    status_code=204,
)
async def update_subscription(
    request: Request[Any, Any, Any],
    subscription: FromPath[str],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[None]:
    """Replace members of a subscription; null takes one away."""
    check_headers(request)
    fragment = await document_of(request)

    def action(tx: Transaction) -> Reply:
        subscriptions.change(tx, city, caller, subscription, fragment)
        return Reply(204)

    return await write(request, city, caller, action)


@delete(
    f"{PATH}/{{subscription:str}}",
    opt={"operation": "entities.unsubscribe", **_WRITE},
    tags=_TAGS,
    status_code=204,
)
async def delete_subscription(
    request: Request[Any, Any, Any],
    subscription: FromPath[str],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[None]:
    """Send nothing any more, not even what waits."""
    check_headers(request)

    def action(tx: Transaction) -> Reply:
        subscriptions.remove(tx, caller, subscription)
        return Reply(204)

    return await write(request, city, caller, action)


routes = (
    list_subscriptions,
    create_subscription,
    read_subscription,
    update_subscription,
    delete_subscription,
)
