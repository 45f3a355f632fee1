"""Signed messages for a receiver, as a service sends them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from models import Certificate, EventType
from models.canonical import sha256_of
from placement.provision.signing import signed_headers

SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
OTHER_SECRET = "whsec_ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="
NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)


def certificate(*, holds: bool = True) -> Certificate:
    """A certificate with one check."""
    return Certificate.model_validate(
        {
            "checks": [{"name": "placed", "holds": holds, "checked": 1}],
            "objective_eur": Decimal("12.50"),
            "price_bound_eur": Decimal("12.50"),
            "price_gap": 0,
        }
    )


def change(dataset: str = "bomen", sites: tuple[str, ...] = ("eu-north",), **other: Any) -> Any:
    """The data of a dataset's event."""
    obligations = other.pop("obligations", {})
    return {
        "decision": 7,
        "dataset": dataset,
        "title": "Bomen",
        "department": "groen",
        "sites": [
            {
                "site": site,
                "operator": "operator",
                "host_obligations": [
                    {"code": code, "requirement": text} for code, text in obligations.items()
                ],
            }
            for site in sites
        ],
        "from_sites": [],
        "storage": "object",
        "volume_gb": 10,
        "confidentiality": 1,
        "gdpr_category": "none",
        "access_rights": "public",
        "grants": [{"role": "gardener", "level": "read"}],
        "plan": "a" * 64,
        "certificate": sha256_of(certificate()),
        "policies": "c" * 64,
        "approved_at": (NOW - timedelta(days=1)).isoformat(),
        "expires_at": (NOW + timedelta(days=6)).isoformat(),
        **other,
    }


def event(
    sequence: int = 1,
    kind: EventType = EventType.DATASET_PLACED,
    data: Any = None,
    **other: Any,
) -> dict[str, Any]:
    """A CloudEvent; its id follows from its sequence."""
    return {
        "specversion": "1.0",
        "id": f"evt_{sequence:032x}",
        "source": "https://placement.example.org",
        "type": kind.value,
        "time": NOW.isoformat(),
        "datacontenttype": "application/json",
        "placementsequence": sequence,
        "data": change() if data is None else data,
        **other,
    }


def signed(
    said: dict[str, Any] | bytes,
    *,
    at: datetime = NOW,
    secrets: tuple[str, ...] = (SECRET,),
    ident: str | None = None,
) -> tuple[dict[str, str], bytes]:
    """Headers and body of a message."""
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    named = ident or (said["id"] if isinstance(said, dict) else f"evt_{1:032x}")
    return signed_headers(list(secrets), named, at, body), body
