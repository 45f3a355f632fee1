"""Runs by Alembic: applies revisions to the connection that it was given."""

from __future__ import annotations

from typing import Any, Literal

from advanced_alchemy.types import DateTimeUTC
from alembic import context

from placement.store.tables import Base


def render_item(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Revisions name SQLAlchemy's own types: they must mean the same in ten years."""
    if kind == "type" and isinstance(item, DateTimeUTC):
        return "sa.DateTime(timezone=True)"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table="placement_schema",
    render_item=render_item,
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
