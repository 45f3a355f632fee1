"""Who somebody is to a service, and API keys."""

from __future__ import annotations

from collections.abc import Iterable

from models import ApiKey, Me
from placement.cli.options import Format
from placement.cli.page import Page
from placement.cli.views.listing import Fact, Field, render_list, render_one
from placement.cli.views.machine import as_csv, as_json

KEY_FIELDS = (
    Field("id", lambda key: key.id),
    Field("label", lambda key: key.label),
    Field("roles", lambda key: key.principal.roles),
    Field("operations", lambda key: key.principal.operations),
    Field("expires_at", lambda key: key.expires_at),
    Field("revoked_at", lambda key: key.revoked_at),
    Field("created_by", lambda key: key.created_by),
)


def render_me(me: Me, form: Format) -> bytes:
    """Whom the service takes somebody for."""
    principal, rows = me.principal, me.rows
    facts: list[Fact] = [
        ("subject", principal.subject),
        ("kind", principal.kind),
        ("roles", principal.roles),
        ("departments", principal.departments),
        ("reader_roles", principal.reader_roles),
        ("operations", principal.operations),
        ("reads_all_datasets", rows.all),
        ("reads_public_datasets", rows.all or rows.public),
    ]
    return render_one(me, facts, form)


def render_keys(keys: Iterable[ApiKey], form: Format) -> bytes:
    """API keys below each other."""
    return render_list(keys, KEY_FIELDS, form, "There are no API keys.")


def render_issued(key: ApiKey, token: str, form: Format) -> bytes:
    """A new key with its token."""
    if form is Format.JSON:
        return as_json({"key": key.model_dump(), "token": token})
    if form is Format.CSV:
        return as_csv(("id", "token"), [(key.id, token)])
    page = Page()
    page.say(f"Key {key.id} for {key.label}, until {key.expires_at:%Y-%m-%d}.")
    page.say("Its token, shown this once:")
    page.say(token)
    return page.content()
