"""What every export is made from: each dataset at each of its sites, and whose word that is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from models import (
    AccessRights,
    ApprovedPlacement,
    GdprCategory,
    HostedAt,
    HostObligation,
    Level,
    Plan,
    SiteKind,
    StorageKind,
    decimal_text,
    sha256_of,
)
from models.base import CountryCode, Frozen, Identifier
from models.plan import Sha256


class Origin(Frozen):
    """The plan that an export was made from."""

    municipality: str
    decision: int | None
    """Number of the decision; none: a plan file does not say."""
    plan_digest: Sha256
    certificate_digest: Sha256
    """SHA-256 of the canonical JSON of the plan's certificate."""
    policies_digest: Sha256


class Replica(Frozen):
    """One dataset at one of its sites: what somebody has to make there."""

    dataset: Identifier
    title: str
    department: str | None
    site: Identifier
    operator: Identifier
    country: CountryCode
    site_kind: SiteKind
    other_sites: tuple[Identifier, ...]
    """Where its other replicas are to rest."""
    from_sites: tuple[Identifier, ...]
    """Where it rested when this was decided."""
    storage: StorageKind
    volume_gb: int
    confidentiality: int | None
    """0..4, effective, as the two below."""
    gdpr_category: GdprCategory | None
    access_rights: AccessRights | None
    host_obligations: tuple[HostObligation, ...]
    readers: tuple[Identifier, ...]
    writers: tuple[Identifier, ...]
    administrators: tuple[Identifier, ...]

    @property
    def classification(self) -> str:
        """The level's name."""
        return (
            "unknown" if self.confidentiality is None else Level(self.confidentiality).name.lower()
        )


class Export(Frozen):
    """A plan's placements, in order, with what tools need to know of sites."""

    origin: Origin
    placements: tuple[ApprovedPlacement, ...]
    """In order of their ids; sites, obligations and roles are sorted, too."""
    replicas: tuple[Replica, ...]
    """By dataset and site."""
    sites: tuple[Identifier, ...]
    """All sites of the register, sorted; also those that hold nothing."""
    operators: tuple[Identifier, ...]


def export_of(
    placements: Iterable[ApprovedPlacement], plan: Plan, decision: int | None = None
) -> Export:
    """The export of some of a plan's placements.

    Parameters
    ----------
    placements
        At sites of the plan's register, each dataset once.
    plan
        The plan that they are of.
    decision
        Its number, where there is one.
    """
    ordered = tuple(sorted((_ordered(placed) for placed in placements), key=lambda p: p.dataset))
    register = plan.inputs.sites
    return Export(
        origin=Origin(
            municipality=plan.municipality,
            decision=decision,
            plan_digest=plan.digest,
            certificate_digest=sha256_of(plan.certificate),
            policies_digest=plan.digests.policies,
        ),
        placements=ordered,
        replicas=tuple(_replicas(ordered, plan)),
        sites=tuple(sorted(site.id for site in register.sites)),
        operators=tuple(sorted(operator.id for operator in register.operators)),
    )


def document(export: Export) -> dict[str, Any]:
    """Everything in an export as plain JSON: one entry for each dataset."""
    facts = {
        (replica.dataset, replica.site): {
            "country": replica.country,
            "kind": replica.site_kind.value,
        }
        for replica in export.replicas
    }
    return {
        "format": "placement-export/1",
        **export.origin.model_dump(mode="json"),
        "placements": [_entry(placed, facts) for placed in export.placements],
    }


def _entry(
    placed: ApprovedPlacement, facts: dict[tuple[str, str], dict[str, str]]
) -> dict[str, Any]:
    """A placement; amounts of money as their shortest exact texts."""
    entry = placed.model_dump(mode="json", exclude={"decision", "cost_eur_per_year"})
    entry["sites"] = [host | facts[placed.dataset, host["site"]] for host in entry["sites"]]
    entry["cost_eur_per_year"] = {
        name: decimal_text(amount) for name, amount in placed.cost_eur_per_year
    }
    return entry


def _replicas(placements: Iterable[ApprovedPlacement], plan: Plan) -> Iterator[Replica]:
    sites = {site.id: site for site in plan.inputs.sites.sites}
    for placed in placements:
        at = [host.site for host in placed.sites]
        for host in placed.sites:
            yield Replica(
                dataset=placed.dataset,
                title=placed.title,
                department=placed.department,
                site=host.site,
                operator=host.operator,
                country=sites[host.site].country,
                site_kind=sites[host.site].kind,
                other_sites=tuple(site for site in at if site != host.site),
                from_sites=placed.from_sites,
                storage=placed.storage,
                volume_gb=placed.volume_gb,
                confidentiality=placed.confidentiality,
                gdpr_category=placed.gdpr_category,
                access_rights=placed.access_rights,
                host_obligations=host.host_obligations,
                readers=placed.readers,
                writers=placed.writers,
                administrators=placed.administrators,
            )


def _ordered(placed: ApprovedPlacement) -> ApprovedPlacement:
    """A placement whose parts come in one order, whatever order they were given in."""
    roles = ("readers", "writers", "administrators")
    return placed.model_copy(
        update={
            "sites": tuple(sorted((_host(host) for host in placed.sites), key=lambda h: h.site)),
            "from_sites": tuple(sorted(placed.from_sites)),
            **{role: tuple(sorted(set(getattr(placed, role)))) for role in roles},
        }
    )


def _host(host: HostedAt) -> HostedAt:
    order = sorted(set(host.host_obligations), key=lambda o: (o.code, o.requirement))
    return host.model_copy(update={"host_obligations": tuple(order)})
