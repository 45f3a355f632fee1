"""Subscriptions, deliveries and events."""

from __future__ import annotations

from collections.abc import Iterable

from models import Delivery, OutboxEvent, Subscription
from placement.cli.options import Format
from placement.cli.page import Page
from placement.cli.views.listing import Fact, Field, render_list, render_one
from placement.cli.views.machine import as_csv, as_json

SUBSCRIPTION_FIELDS = (
    Field("id", lambda s: s.id),
    Field("url", lambda s: s.url),
    Field("state", lambda s: s.state),
    Field("waiting", lambda s: s.waiting, figures=True),
    Field("dead", lambda s: s.dead, figures=True),
    Field("types", lambda s: s.filter.types),
    Field("sites", lambda s: s.filter.sites),
    Field("operators", lambda s: s.filter.operators),
    Field("departments", lambda s: s.filter.departments),
    Field("description", lambda s: s.description),
)
DELIVERY_FIELDS = (
    Field("sequence", lambda d: d.sequence, figures=True),
    Field("event", lambda d: d.event),
    Field("type", lambda d: d.type),
    Field("dataset", lambda d: d.dataset),
    Field("state", lambda d: d.state),
    Field("attempts", lambda d: d.attempts, figures=True),
    Field("next_attempt_at", lambda d: d.next_attempt_at),
    Field("last_status", lambda d: d.last_status, figures=True),
    Field("last_error", lambda d: d.last_error),
)
EVENT_FIELDS = (
    Field("sequence", lambda e: e.sequence, figures=True),
    Field("at", lambda e: e.at),
    Field("type", lambda e: e.type),
    Field("dataset", lambda e: e.dataset),
    Field("sites", lambda e: e.sites),
    Field("decision", lambda e: e.decision, figures=True),
    Field("id", lambda e: e.id),
)


def render_subscriptions(found: Iterable[Subscription], form: Format) -> bytes:
    """Subscriptions below each other."""
    return render_list(found, SUBSCRIPTION_FIELDS, form, "Nobody gets events.")


def render_subscription(found: Subscription, form: Format) -> bytes:
    """One subscription."""
    facts: list[Fact] = [(field.name, field.of(found)) for field in SUBSCRIPTION_FIELDS]
    facts += [
        ("form", found.form),
        ("version", found.version),
        ("created_at", found.created_at),
        ("created_by", found.created_by),
        ("secrets", tuple(str(secret.number) for secret in found.secrets)),
    ]
    return render_one(found, facts, form)


def render_secret(made: Subscription, secret: str, form: Format) -> bytes:
    """A subscription with the secret that its events are signed with."""
    if form is Format.JSON:
        return as_json({"subscription": made.model_dump(), "secret": secret})
    if form is Format.CSV:
        return as_csv(("id", "secret"), [(made.id, secret)])
    page = Page()
    page.say(f"Subscription {made.id} sends events to {made.url}.")
    page.say("The secret that they are signed with, shown this once:")
    page.say(secret)
    return page.content()


def render_deliveries(found: Iterable[Delivery], form: Format) -> bytes:
    """Deliveries below each other."""
    return render_list(found, DELIVERY_FIELDS, form, "There are no such deliveries.")


def render_events(found: Iterable[OutboxEvent], form: Format) -> bytes:
    """Events below each other."""
    return render_list(found, EVENT_FIELDS, form, "Nothing has happened that anybody is told.")
