"""Answers of the NGSI-LD interface: as JSON with a link to the @context, or as JSON-LD with it.

Source: ETSI GS CIM 009, clauses 6.3.4 to 6.3.6 (media types, @context) and 6.3.10 (pages).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from litestar import Request, Response

from api.conditional import not_modified, quoted, require_match
from api.ngsi_ld.errors import NonexistentTenant, NotAcceptable, NotSupported
from api.paths import query_pairs
from api.problems import BadRequest
from placement.provision.ngsi_ld.vocabulary import (
    CONTEXT_PATH,
    CONTEXT_REL,
    CORE_CONTEXT,
    is_our_context,
)
from placement.service.city import City

JSON = "application/json"
LD_JSON = "application/ld+json"
_LONGEST = 4096
_HOST = re.compile(r"[A-Za-z0-9._-]+(?::[0-9]+)?|\[[0-9A-Fa-f:.]+\](?::[0-9]+)?")
_LINK = re.compile(r"<([^<>]*)>([^<>]*)")


def check_headers(request: Request[Any, Any, Any]) -> None:
    """Refuse what would give a request another meaning than the client has in mind.

    Raises
    ------
    NotSupported
        For an @context of others: nobody's address is fetched on a client's behalf.
    NonexistentTenant
        For any tenant.
    BadRequest
        For headers that are too long.
    """
    if "ngsild-tenant" in request.headers:
        raise NonexistentTenant("this service serves one city: leave NGSILD-Tenant out")
    links = ",".join(request.headers.getall("link", []))
    if len(links) > _LONGEST:
        raise BadRequest(f"Link is longer than {_LONGEST} characters")
    for target, parameters in _LINK.findall(links):
        if CONTEXT_REL in parameters and not is_our_context(target):
            raise NotSupported(
                f"the @context of others is not fetched: link to {CONTEXT_PATH}, or use full IRIs"
            )


def reply(
    request: Request[Any, Any, Any],
    city: City,
    content: Any,
    *,
    headers: Mapping[str, str] | None = None,
    links: str = "",
) -> Response[Any]:
    """Entities, or what is said of them, in the media type that the client prefers.

    Parameters
    ----------
    content
        A document, or a list of documents.
    links
        Further values of the Link header.

    Raises
    ------
    NotAcceptable
        When the client takes neither JSON nor JSON-LD.
    PreconditionFailed
        When If-Match names other versions only.
    """
    media_type = preferred(request)
    url = public_url(request, city) + CONTEXT_PATH
    sent = {"vary": "Authorization, Accept", **(headers or {})}
    own = "" if media_type == LD_JSON else f'<{url}>; rel="{CONTEXT_REL}"; type="{LD_JSON}"'
    if own or links:
        sent["link"] = ", ".join(part for part in (own, links) if part)
    if media_type == LD_JSON:
        content = _with_context(content, [url, CORE_CONTEXT])
    body = json.dumps(content, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    version = hashlib.sha256(body).hexdigest()
    require_match(request, version)
    sent["etag"] = quoted(version)
    if not_modified(request, version):
        return Response(b"", status_code=304, headers=sent, media_type=media_type)
    return Response(body, headers=sent, media_type=media_type)


def preferred(request: Request[Any, Any, Any]) -> str:
    """The media type to answer in; JSON where both are as good. Raises NotAcceptable."""
    accept = ",".join(request.headers.getall("accept", [])).strip() or "*/*"
    if len(accept) > _LONGEST:
        raise NotAcceptable(f"Accept is longer than {_LONGEST} characters")
    wanted = dict(_range(part) for part in accept.split(","))
    json_like, ld_like = _quality(wanted, JSON), _quality(wanted, LD_JSON)
    if not json_like and not ld_like:
        raise NotAcceptable(f"answers are {JSON} or {LD_JSON}")
    return LD_JSON if ld_like > json_like else JSON


def public_url(request: Request[Any, Any, Any], city: City) -> str:
    """Where clients reach the service: as it is set, or as the client itself named it."""
    if city.settings.public_url:
        return city.settings.public_url.rstrip("/")
    host = request.headers.get("host", "")
    return f"{request.scope['scheme']}://{host}" if _HOST.fullmatch(host) else ""


def page_links(request: Request[Any, Any, Any], limit: int, offset: int, *, more: bool) -> str:
    """Values of the Link header that lead to the pages before and behind."""
    places = []
    if offset and limit:
        places.append(("prev", max(0, offset - limit)))
    if more and limit:
        places.append(("next", offset + limit))
    given = [pair for pair in query_pairs(request.scope["query_string"]) if pair[0] not in _PAGE]
    return ", ".join(
        f"<{request.scope['path']}?{urlencode([*given, ('limit', limit), ('offset', at)])}>; "
        f'rel="{name}"; type="{JSON}"'
        for name, at in places
    )


_PAGE = ("limit", "offset")


def _with_context(content: Any, context: list[str]) -> Any:
    """The @context stands in each document, first."""
    if isinstance(content, list):
        return [{"@context": context, **each} for each in content]
    return {"@context": context, **content}


def _range(part: str) -> tuple[str, float]:
    name, *parameters = (piece.strip().lower() for piece in part.split(";"))
    for parameter in parameters:
        if found := re.fullmatch(r"q=([01](?:\.[0-9]{0,3})?)", parameter):
            return name, float(found[1])
    return name, 1.0


def _quality(wanted: Mapping[str, float], media_type: str) -> float:
    """Of the most specific range that fits."""
    for fitting in (media_type, "application/*", "*/*"):
        if fitting in wanted:
            return wanted[fitting]
    return 0.0
