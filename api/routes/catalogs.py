"""/v1/catalogs: the whole catalogue: brought at once, and every version there was."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.params import FromPath, FromQuery, QueryParameter

from api.conditional import not_modified, quoted, require_match
from api.injected import InjectedCaller, InjectedCity
from api.paging import DEFAULT_LIMIT, Cursor, Cursors, Limit, Page, page, page_response
from api.replies import write
from api.requests import JSON, json_bytes
from api.slow import in_slow_reader
from api.threads import in_reader
from models import CatalogDifference, CatalogSnapshot, CatalogVersion
from placement.errors import NotFound
from placement.service import importing
from placement.service.importing import RDF_SUFFIXES, ImportBody, ImportFormat

_TAGS = ["catalogs"]
_ORDER = "-version"
_EXAMPLE: dict[str, Any] = {
    "catalog": {
        "municipality": "Soest",
        "datasets": [
            {
                "id": "bomen",
                "title": "Trees",
                "owner_department": "Public space",
                "steward": "trees@soest.example",
                "confidentiality": "basic",
                "integrity": "normal",
                "availability": "basic",
                "gdpr_category": "none",
                "access_rights": "public",
                "collected_by": "municipality",
                "volume_gb": 40,
                "monthly_read_gb": 8,
                "monthly_egress_gb": 2,
                "interfaces": ["ogc_api"],
            }
        ],
    }
}
DryRun = Annotated[
    bool, QueryParameter(description="Only say what would change; nothing is changed.")
]


@get("/v1/catalogs", opt={"operation": "catalogs.list"}, tags=_TAGS)
async def list_catalogs(
    city: InjectedCity,
    caller: InjectedCaller,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response[Page[CatalogVersion]]:
    """Versions of the catalogue, the newest first."""
    cursors = Cursors(city.audit_key)
    before = int(cursors.read(cursor, _ORDER, {})[0]) if cursor else None
    rows = await in_reader(importing.versions, city, caller, before, limit + 1)
    items, following = page(rows, limit, lambda last: cursors.make(_ORDER, {}, [last.version]))
    return page_response(items, following)


@post(
    "/v1/catalogs",
    opt={
        "operation": "catalogs.import",
        "body": ImportBody,
        "example": _EXAMPLE,
        "statuses": {200: "Nothing was changed: a dry run, or all was so already."},
    },
    tags=_TAGS,
)
async def import_catalog(
    request: Request[Any, Any, Any],
    city: InjectedCity,
    caller: InjectedCaller,
    format: FromQuery[ImportFormat] = "native",  # noqa: A002
    dry_run: DryRun = False,
) -> Response[CatalogDifference]:
    """Replace the catalogue, the sites or both, in one version.

    `native` takes {"catalog": ..., "sites": ...}, either of which may be absent and then stays as
    it is. Foreign formats take {"files": {"path": "text"}}; `dcat-ap` also takes one RDF document
    as it is, by its media type. `openlineage` adds relations to the catalogue that is there.
    Archives are not read.
    """
    media_type = request.content_type[0]
    if format == "dcat-ap" and media_type in RDF_SUFFIXES:
        suffix = RDF_SUFFIXES[media_type]
        incoming = await in_slow_reader(importing.read_rdf, suffix, await request.body())
    elif format == "native":
        incoming = await in_slow_reader(importing.read_native, await json_bytes(request))
    else:
        content = await json_bytes(request)
        incoming = await in_slow_reader(importing.read_foreign, format, content)
    bringing = importing.Import(incoming)
    await in_slow_reader(importing.prepare, city, caller, bringing)
    return await write(
        request,
        city,
        caller,
        lambda tx: importing.replace_whole(tx, city, caller, bringing, dry_run=dry_run),
    )


@get("/v1/catalogs/{version:str}", opt={"operation": "catalogs.read"}, tags=_TAGS)
async def read_catalog(
    request: Request[Any, Any, Any],
    version: FromPath[str],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[CatalogSnapshot]:
    """One version as the two native files, by its number or as `current`."""
    digest, body = await in_slow_reader(importing.snapshot_json, city, caller, _number(version))
    require_match(request, digest)
    headers = {"etag": quoted(digest)}
    if not_modified(request, digest):
        return Response(b"", status_code=304, headers=headers, media_type=JSON)  # type: ignore[arg-type]
    return Response(body, headers=headers, media_type=JSON)  # type: ignore[arg-type]


def _number(version: str) -> int | None:
    """The number of a version; none: the current one. Raises NotFound."""
    if version == "current":
        return None
    if not (version.isascii() and version.isdigit() and len(version) < 10):
        raise NotFound(f"there is no version {version} of the catalogue")
    return int(version)


routes = (list_catalogs, import_catalog, read_catalog)
