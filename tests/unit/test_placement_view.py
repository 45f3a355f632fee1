"""One placement for people: what was decided beside what is known."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from models import (
    Actual,
    ActualSite,
    Costs,
    Evidence,
    PlacementStatus,
    ProvisioningState,
    StorageKind,
)
from placement.cli.options import Format
from placement.cli.views.decisions import render_placement

AT = datetime(2026, 10, 1, 12, tzinfo=UTC)


def shown(*sites, drift=()):
    """The page, with single blanks."""
    placed = PlacementStatus.model_construct(
        decision=1,
        dataset="trees",
        title="Trees",
        department="Parks",
        sites=(),
        from_sites=(),
        confidentiality=None,
        gdpr_category=None,
        access_rights=None,
        storage=StorageKind.OBJECT,
        readers=(),
        writers=(),
        administrators=(),
        volume_gb=1,
        cost_eur_per_year=Costs(**dict.fromkeys(Costs.model_fields, Decimal("0.00"))),
        actual=Actual(dataset="trees", sites=sites, drifted=bool(drift), drift=drift),
    )
    page = render_placement(placed, Format.TABLE).decode()
    return [" ".join(line.split()) for line in page.splitlines()]


def test_decided_provisioned_and_found_stand_beside_each_other_with_their_evidence():
    told = Evidence(summary="met: all", reference="s3://p-east-trees")
    east = ActualSite(
        site="east",
        desired=True,
        state=ProvisioningState.DONE,
        found=False,
        reported_at=AT,
        evidence=told,
    )
    west = ActualSite(site="west", desired=False, state=None, found=True, observed_at=AT)
    page = shown(east, west, drift=("it was found at west, where it is not to be",))
    start = page.index("Where it is, as far as anybody said")
    assert page[start + 1 :] == [
        "Site Decided Provisioned Found Reported at Observed at",
        "east yes done no 2026-10-01 12:00:00Z",
        "west no yes 2026-10-01 12:00:00Z",
        "",
        "Evidence",
        "- east: s3://p-east-trees | met: all",
        "",
        "Not as decided",
        "- it was found at west, where it is not to be",
    ]


def test_where_nobody_said_anything_nothing_is_told():
    page = shown(ActualSite(site="east", desired=True, state=None, found=None))
    assert "Where it is, as far as anybody said" not in page
    assert "Evidence" not in page
