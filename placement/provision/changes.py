"""What an approved plan changes, one change a dataset: what is told to whoever provisions.

What stood before are the placements of the decision that stood until now. Where none did, a dataset
rested where the catalogue had it, and nothing is known of what was provisioned there: so each is
told. Where nothing that a provisioner acts on differs, nothing is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from models import ApprovedPlacement, DatasetChange, EventType, grants_of


@dataclass(frozen=True)
class Approval:
    """What stands behind a plan: what every change of it names."""

    decision: int
    plan: str
    """Digest of the plan."""
    certificate: str
    """SHA-256 of the canonical JSON of its certificate."""
    policies: str
    approved_at: datetime
    expires_at: datetime


@dataclass(frozen=True)
class Change:
    """One event to be: what happened to one dataset, and whom it concerns."""

    type: EventType
    sites: tuple[str, ...]
    """Those that it leaves, too; sorted."""
    operators: tuple[str, ...]
    """Theirs, as far as they are known; sorted."""
    data: DatasetChange


def changes(
    approval: Approval,
    now: Iterable[ApprovedPlacement],
    before: Iterable[ApprovedPlacement] | None,
    operators: Mapping[str, str],
    *,
    retires: bool = True,
) -> tuple[Change, ...]:
    """The difference between two sets of placements, in order of the datasets' ids.

    Parameters
    ----------
    approval
        Of the placements that stand from now on.
    now
        They.
    before
        Those that stood until now; None: nothing stood.
    operators
        Operator of each site that is known.
    retires
        Whether a dataset that is placed no more is retired.

    Returns
    -------
    tuple of Change
        At most one a dataset.
    """
    stood = {placed.dataset: placed for placed in before or ()}
    told: dict[str, Change] = {}
    for placed in now:
        former = stood.pop(placed.dataset, None)
        type_ = _type(placed, former)
        if type_ is not None:
            from_sites = placed.from_sites if former is None else sites_of(former)
            told[placed.dataset] = _change(type_, approval, placed, from_sites, operators)
    if retires:
        told |= {change.data.dataset: change for change in _retired(approval, stood, operators)}
    return tuple(told[dataset] for dataset in sorted(told))


def data_of(
    approval: Approval, placed: ApprovedPlacement, from_sites: Iterable[str]
) -> DatasetChange:
    """What is to be of one dataset, in full."""
    return DatasetChange(
        decision=approval.decision,
        dataset=placed.dataset,
        title=placed.title,
        department=placed.department,
        sites=placed.sites,
        from_sites=tuple(sorted(from_sites)),
        storage=placed.storage,
        volume_gb=placed.volume_gb,
        confidentiality=placed.confidentiality,
        gdpr_category=placed.gdpr_category,
        access_rights=placed.access_rights,
        grants=grants_of(placed),
        plan=approval.plan,
        certificate=approval.certificate,
        policies=approval.policies,
        approved_at=approval.approved_at,
        expires_at=approval.expires_at,
    )


def sites_of(placed: ApprovedPlacement) -> tuple[str, ...]:
    """Where a placement has a dataset."""
    return tuple(host.site for host in placed.sites)


def _type(placed: ApprovedPlacement, former: ApprovedPlacement | None) -> EventType | None:
    """What a placement changes; none: nothing that anybody acts on."""
    rested = set(placed.from_sites if former is None else sites_of(former))
    if former is None and not rested:
        return EventType.DATASET_PLACED
    if rested != set(sites_of(placed)):
        return EventType.DATASET_MOVED
    if former is None:
        return EventType.DATASET_PLACED
    return None if _acted_on(placed) == _acted_on(former) else EventType.OBLIGATIONS_CHANGED


def _acted_on(placed: ApprovedPlacement) -> tuple[object, ...]:
    """What somebody provisions by, in whatever order it stands."""
    return (
        {host.site: (host.operator, frozenset(host.host_obligations)) for host in placed.sites},
        grants_of(placed),
        placed.storage,
        placed.volume_gb,
        placed.confidentiality,
        placed.gdpr_category,
        placed.access_rights,
        placed.department,
    )


def _retired(
    approval: Approval, gone: Mapping[str, ApprovedPlacement], operators: Mapping[str, str]
) -> Iterator[Change]:
    nobody: dict[str, object] = {
        "sites": (),
        "readers": (),
        "writers": (),
        "administrators": (),
    }
    for placed in gone.values():
        known = {host.site: host.operator for host in placed.sites} | dict(operators)
        nowhere = placed.model_copy(update=nobody)
        yield _change(EventType.DATASET_RETIRED, approval, nowhere, sites_of(placed), known)


def _change(
    type_: EventType,
    approval: Approval,
    placed: ApprovedPlacement,
    from_sites: tuple[str, ...],
    operators: Mapping[str, str],
) -> Change:
    hosts = {host.site: host.operator for host in placed.sites}
    sites = sorted({*hosts, *from_sites})
    named = {hosts.get(site) or operators.get(site) for site in sites}
    return Change(
        type=type_,
        sites=tuple(sites),
        operators=tuple(sorted(operator for operator in named if operator)),
        data=data_of(approval, placed, from_sites),
    )
