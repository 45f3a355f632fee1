"""/v1/keys: API keys for machines. A secret is shown once, in the reply that creates it."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, delete, get, post
from litestar.params import FromPath, JSONBody

from api.injected import InjectedCaller, InjectedCity
from api.paging import DEFAULT_LIMIT, Cursor, Cursors, Limit, Page, page, page_response
from api.replies import write
from api.threads import in_reader
from models import ApiKey, ApiKeyRequest, IssuedApiKey, canonical_json
from placement.service.access import create_key, list_keys, revoke_key
from placement.service.city import City
from placement.service.performing import Reply
from placement.store import Transaction

_ORDER = "id"
_EXAMPLE = {
    "label": "Terraform of the data centre",
    "roles": ["provisioner"],
    "valid_days": 90,
    "operations": ["placements.list", "placements.read", "decisions.provision"],
}


@get("/v1/keys", opt={"operation": "keys.list"}, tags=["access"])
async def list_api_keys(
    city: InjectedCity, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Response[Page[ApiKey]]:
    """All API keys, revoked and expired ones among them; never their secrets."""
    cursors = Cursors(city.audit_key)
    after = str(cursors.read(cursor, _ORDER, {})[0]) if cursor else None
    rows = await in_reader(_listed, city, limit + 1, after)
    items, following = page(rows, limit, lambda last: cursors.make(_ORDER, {}, [last.id]))
    return page_response(items, following)


@post("/v1/keys", opt={"operation": "keys.create", "example": _EXAMPLE}, tags=["access"])
async def create_api_key(
    request: Request[Any, Any, Any],
    data: JSONBody[ApiKeyRequest],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[IssuedApiKey]:
    """A new API key, with its token: shown this once and stored nowhere.

    A repeated request with the same Idempotency-Key gets the key without its token.
    """
    issued: list[IssuedApiKey] = []

    def action(tx: Transaction) -> Reply:
        issued.append(create_key(tx, caller, data))
        kept = issued[-1].model_copy(update={"token": None})
        return Reply.json(kept, 201, location=f"/v1/keys/{kept.key.id}")

    response = await write(request, city, caller, action)
    if issued:
        # Only now: what `write` has stored for repetitions holds no secret.
        response.content = canonical_json(issued[-1])
    response.headers["cache-control"] = "no-store"
    return response


@delete("/v1/keys/{key:str}", opt={"operation": "keys.revoke"}, tags=["access"])
async def revoke_api_key(
    request: Request[Any, Any, Any],
    key: FromPath[str],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[None]:
    """End an API key at once. No If-Match: whatever became of the key, it must end."""

    def action(tx: Transaction) -> Reply:
        revoke_key(tx, caller, key)
        return Reply(204)

    return await write(request, city, caller, action)


def _listed(city: City, limit: int, after: str | None) -> tuple[ApiKey, ...]:
    with city.store.reading() as tx:
        return list_keys(tx, limit, after)


routes = (list_api_keys, create_api_key, revoke_api_key)
