"""What OPA alone asks: its signed bundles, and a place to say which ones it runs."""

from __future__ import annotations

from typing import Any

from litestar import MediaType, Request, Response, get, post

from api.conditional import not_modified, quoted
from api.injected import InjectedCity
from api.threads import in_reader, in_writer
from placement.errors import NotAuthenticated
from placement.service.policies import MAX_STATUS_BYTES, note_status, served_bundle

_NAMES = {
    "/v1/bundles/policies.tar.gz": "policies",
    "/v1/bundles/authz.tar.gz": "authz",
}


@get(list(_NAMES), opt={"access": "opa"}, include_in_schema=False, media_type="application/gzip")
async def bundle(request: Request[Any, Any, Any], city: InjectedCity) -> Response[bytes]:
    """A signed bundle; 304 when OPA has it already."""
    token = _token(request)
    served = await in_reader(served_bundle, city, _NAMES[request.url.path], token)
    headers = {"etag": quoted(served.etag), "cache-control": "no-cache"}
    if not_modified(request, served.etag):
        return Response(b"", status_code=304, headers=headers)
    return Response(served.content, headers=headers, media_type="application/gzip")


@post(
    "/v1/opa/status",
    opt={"access": "opa"},
    include_in_schema=False,
    status_code=200,
    request_max_body_size=MAX_STATUS_BYTES,
    media_type=MediaType.TEXT,
)
async def opa_status(request: Request[Any, Any, Any], city: InjectedCity) -> Response[None]:
    """A status report: the published policies become active once OPA runs them."""
    token = _token(request)
    await in_writer(note_status, city, await request.body(), token)
    return Response(None, status_code=200)


def _token(request: Request[Any, Any, Any]) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise NotAuthenticated("this is for the policy engine alone")
    return token.strip()


routes = (bundle, opa_status)
