"""/v1/subscriptions: who gets events. A secret is shown once, in the reply that makes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from litestar import Request, Response, delete, get, post, put
from litestar.params import FromPath, JSONBody, QueryParameter

from api.conditional import precondition
from api.injected import InjectedCaller, InjectedCity
from api.paging import DEFAULT_LIMIT, Cursor, Cursors, Limit, Page, page, page_response
from api.replies import read, write
from api.threads import in_reader
from models import (
    DeliveriesMoved,
    Delivery,
    DeliveryChoice,
    DeliveryState,
    NewSubscription,
    OutboxEvent,
    SecretRotation,
    Subscription,
    SubscriptionChange,
    SubscriptionSecret,
    canonical_json,
)
from placement.service import subscriptions
from placement.service.city import Caller, City
from placement.service.performing import Reply
from placement.store import Transaction

_TAGS = ["subscriptions"]
_EXAMPLE: dict[str, Any] = {
    "url": "https://hooks.city.example/placement",
    "filter": {"types": ["placement.dataset.placed", "placement.dataset.moved"], "sites": []},
    "description": "Makes buckets in the city's data centre",
}
_CHANGE: dict[str, Any] = {
    "url": "https://hooks.city.example/placement",
    "filter": {"departments": ["Ruimte"]},
    "state": "paused",
}
DatasetId = Annotated[str | None, QueryParameter(max_length=200)]


@get("/v1/subscriptions", opt={"operation": "subscriptions.list"}, tags=_TAGS)
async def list_subscriptions(
    city: InjectedCity, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Response[Page[Subscription]]:
    """Who gets events, and how many wait for each; never their secrets."""
    cursors = Cursors(city.audit_key)
    after = str(cursors.read(cursor, "id", {})[0]) if cursor else None
    rows = await in_reader(subscriptions.list_subscriptions, city, limit + 1, after)
    items, following = page(rows, limit, lambda last: cursors.make("id", {}, [last.id]))
    return page_response(items, following)


@post(
    "/v1/subscriptions",
    opt={"operation": "subscriptions.create", "example": _EXAMPLE},
    tags=_TAGS,
)
async def create_subscription(
    request: Request[Any, Any, Any],
    data: JSONBody[NewSubscription],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[SubscriptionSecret]:
    """Send events to a URL from now on; with the secret that they are signed with.

    A repeated request with the same Idempotency-Key gets the subscription without its secret.
    """
    return await with_secret(
        request,
        city,
        caller,
        lambda tx: subscriptions.create(tx, city, caller, data),
    )


@get("/v1/subscriptions/{subscription:str}", opt={"operation": "subscriptions.read"}, tags=_TAGS)
async def read_subscription(
    request: Request[Any, Any, Any], subscription: FromPath[str], city: InjectedCity
) -> Response[Subscription]:
    """One subscription. Its ETag changes with what is asked for, not with what waits."""
    found = await in_reader(subscriptions.read, city, subscription)
    return read(request, found, headers={"etag": f'"{found.version}"'})


@put(
    "/v1/subscriptions/{subscription:str}",
    opt={"operation": "subscriptions.update", "example": _CHANGE},
    tags=_TAGS,
)
async def update_subscription(
    request: Request[Any, Any, Any],
    subscription: FromPath[str],
    data: JSONBody[SubscriptionChange],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[Subscription]:
    """Send events elsewhere, let others through, pause them or go on."""
    expected = precondition(request)

    def action(tx: Transaction) -> Reply:
        changed = subscriptions.change(tx, city, caller, subscription, data, expected)
        return Reply.json(changed, etag=str(changed.version))

    return await write(request, city, caller, action)


@delete(
    "/v1/subscriptions/{subscription:str}",
    opt={"operation": "subscriptions.delete"},
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
    expected = precondition(request)

    def action(tx: Transaction) -> Reply:
        subscriptions.remove(tx, caller, subscription, expected)
        return Reply(204)

    return await write(request, city, caller, action)


@post(
    "/v1/subscriptions/{subscription:str}/secrets",
    opt={"operation": "subscriptions.rotate", "example": {"overlap_hours": 24}},
    tags=_TAGS,
)
async def rotate_secret(
    request: Request[Any, Any, Any],
    subscription: FromPath[str],
    data: JSONBody[SecretRotation],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[SubscriptionSecret]:
    """Sign with another secret from now on, and for a while with the former one, too."""
    return await with_secret(
        request,
        city,
        caller,
        lambda tx: subscriptions.rotate(tx, city, caller, subscription, data),
    )


@get(
    "/v1/subscriptions/{subscription:str}/deliveries",
    opt={"operation": "subscriptions.deliveries"},
    tags=_TAGS,
)
async def list_deliveries(
    subscription: FromPath[str],
    city: InjectedCity,
    in_state: Annotated[DeliveryState | None, QueryParameter(name="state")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response[Page[Delivery]]:
    """What was, is or could not be delivered, in the order of events."""
    cursors, bound = Cursors(city.audit_key), {"subscription": subscription, "state": in_state}
    after = int(cursors.read(cursor, "sequence", bound)[0]) if cursor else None
    rows = await in_reader(
        subscriptions.deliveries, city, subscription, limit + 1, state=in_state, after=after
    )
    items, following = page(
        rows, limit, lambda last: cursors.make("sequence", bound, [last.sequence])
    )
    return page_response(items, following)


@post(
    "/v1/subscriptions/{subscription:str}/redrive",
    opt={"operation": "subscriptions.redrive", "example": {"events": None}},
    tags=_TAGS,
    status_code=200,
)
async def redrive_deliveries(
    request: Request[Any, Any, Any],
    subscription: FromPath[str],
    data: JSONBody[DeliveryChoice],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[DeliveriesMoved]:
    """Try all dead deliveries again at once, or those of some events, dead or waiting."""
    return await write(
        request,
        city,
        caller,
        lambda tx: Reply.json(subscriptions.redrive(tx, caller, subscription, data)),
    )


@post(
    "/v1/subscriptions/{subscription:str}/discards",
    opt={"operation": "subscriptions.discard", "example": {"events": None}},
    tags=_TAGS,
    status_code=200,
)
async def discard_deliveries(
    request: Request[Any, Any, Any],
    subscription: FromPath[str],
    data: JSONBody[DeliveryChoice],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[DeliveriesMoved]:
    """Give dead deliveries up, so that what follows for the same datasets goes on."""
    return await write(
        request,
        city,
        caller,
        lambda tx: Reply.json(subscriptions.discard(tx, caller, subscription, data)),
    )


@get("/v1/events", opt={"operation": "events.list"}, tags=_TAGS)
async def list_events(
    city: InjectedCity,
    caller: InjectedCaller,
    dataset: DatasetId = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response[Page[OutboxEvent]]:
    """Every event there was, in order: for whoever would rather ask than be told."""
    cursors, bound = Cursors(city.audit_key), {"dataset": dataset}
    after = int(cursors.read(cursor, "sequence", bound)[0]) if cursor else 0
    rows = await in_reader(
        subscriptions.events, city, caller, limit + 1, after=after, dataset=dataset
    )
    items, following = page(
        rows, limit, lambda last: cursors.make("sequence", bound, [last.sequence])
    )
    return page_response(items, following)


async def with_secret(
    request: Request[Any, Any, Any],
    city: City,
    caller: Caller,
    make: Callable[[Transaction], SubscriptionSecret],
) -> Response[Any]:
    """Perform what makes a secret; the reply that is stored for repetitions does not hold it."""
    made: list[SubscriptionSecret] = []

    def action(tx: Transaction) -> Reply:
        made.append(make(tx))
        kept = made[-1].model_copy(update={"secret": None})
        return Reply.json(kept, 201, location=f"/v1/subscriptions/{kept.subscription.id}")

    response = await write(request, city, caller, action)
    if made:
        response.content = canonical_json(made[-1])
    response.headers["cache-control"] = "no-store"
    return response


routes = (
    list_subscriptions,
    create_subscription,
    read_subscription,
    update_subscription,
    delete_subscription,
    rotate_secret,
    list_deliveries,
    redrive_deliveries,
    discard_deliveries,
    list_events,
)
"""All routes of subscriptions and events."""
