"""What the caller may see behind the entities: asked of the policies, one kind of record at a time.

The permission to use the interface opens no records by itself. Whoever may not list datasets sees
no entity of them here either, and an API key that is for some operations alone needs these, too.
"""

from __future__ import annotations

from typing import Any

from litestar import Request

from models import PermissionInput, RowFilter
from placement.service.city import Caller, City
from placement.service.entity_view import OPERATIONS, Sight


async def sight_of(request: Request[Any, Any, Any], city: City, caller: Caller) -> Sight:
    """The rows that each listing operation would open to the caller.

    Raises
    ------
    PolicyEngineError
        When it cannot be told.
    """
    rows: dict[str, RowFilter | None] = {}
    for name, operation in OPERATIONS.items():
        question = PermissionInput(
            principal=caller.principal,
            operation=operation,
            method="GET",
            route=request.scope["path_template"],
        )
        with request.app.state.metrics.asking_opa():
            permission = await city.permissions.ask(question)
        rows[name] = permission.rows if permission.allow else None
    return Sight(**rows)
