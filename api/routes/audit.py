"""/v1/audit: the record nobody can rewrite, for auditors."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from typing import Any

from litestar import Request, Response, get
from litestar.params import FromQuery
from litestar.response import Stream

from api.injected import InjectedCaller, InjectedCity
from api.paging import (
    DEFAULT_LIMIT,
    Cursor,
    Cursors,
    Limit,
    Page,
    one_sort,
    page,
    page_response,
)
from api.problems import BadRequest
from api.replies import read
from api.threads import in_reader
from models import AuditAction, AuditRecord, AuditVerification, SignedHead
from placement.service.audit import export_log, last_head, list_records, verify_log
from placement.service.city import City
from placement.store.audit_log import AuditFilter


@get("/v1/audit", opt={"operation": "audit.list"}, tags=["audit"])
async def list_audit(
    city: InjectedCity,
    action: FromQuery[AuditAction | None] = None,
    actor: FromQuery[str | None] = None,
    subject: FromQuery[str | None] = None,
    since: FromQuery[datetime | None] = None,
    until: FromQuery[datetime | None] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
    sort: FromQuery[str | None] = None,
) -> Response[Page[AuditRecord]]:
    """Audit records, by `sequence` or `-sequence`; `since` counts itself, `until` does not."""
    order = one_sort(sort, ("sequence",), "sequence")
    for moment in (since, until):
        if moment is not None and moment.tzinfo is None:
            raise BadRequest("moments need a time zone, such as 2026-11-23T12:00:00Z")
    which = AuditFilter(action, actor, subject, since, until)
    filters = _filters(which)
    cursors = Cursors(city.audit_key)
    after = int(cursors.read(cursor, order, filters)[0]) if cursor else None
    rows = await in_reader(_listed, city, which, limit + 1, after, order)
    items, following = page(rows, limit, lambda last: cursors.make(order, filters, [last.sequence]))
    return page_response(items, following)


@get("/v1/audit/head", opt={"operation": "audit.head"}, tags=["audit"])
async def head(request: Request[Any, Any, Any], city: InjectedCity) -> Response[SignedHead]:
    """The signed end of the log. Keep it elsewhere: it tells later whether the log was cut off."""
    found = await in_reader(last_head, city)
    return read(request, found, version=found.hash)


@get("/v1/audit/verification", opt={"operation": "audit.verify"}, tags=["audit"])
async def verification(
    request: Request[Any, Any, Any], city: InjectedCity
) -> Response[AuditVerification]:
    """Check every record and every head, now. Takes some seconds for 100,000 records."""
    report = await in_reader(verify_log, city.store, city.settings)
    return read(request, AuditVerification(holds=report.holds, report=report))


@get(
    "/v1/audit/export",
    opt={"operation": "audit.export"},
    tags=["audit"],
    media_type="application/x-ndjson",
)
async def export(city: InjectedCity, caller: InjectedCaller, after: FromQuery[int] = 0) -> Stream:
    """All records behind `after` as JSON lines, and a last line with the signed head.

    The export is itself recorded. A copy without its last line is not whole.
    """
    lines = await in_reader(export_log, city, caller, max(after, 0))
    return Stream(_chunks(lines), media_type="application/x-ndjson")


async def _chunks(lines: Iterator[bytes]) -> AsyncIterator[bytes]:
    while (chunk := await in_reader(next, lines, b"")) != b"":
        yield chunk


def _listed(
    city: City, which: AuditFilter, limit: int, after: int | None, order: str
) -> list[AuditRecord]:
    return list(list_records(city, which, limit, after, newest_first=order.startswith("-")))


def _filters(which: AuditFilter) -> dict[str, Any]:
    plain = {name: getattr(which, name) for name in AuditFilter.__dataclass_fields__}
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in plain.items()
    }


routes = (list_audit, head, verification, export)
