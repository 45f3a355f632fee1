"""Which roles reach which dataset through which site."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum

from models import Catalog, Dataset, Frozen, Site, SiteRegister


class Right(StrEnum):
    """What a role may do with a dataset, or with the site below it."""

    READ = "read"
    WRITE = "write"
    ADMINISTER = "administer"
    OPERATE = "operate"
    """Administers the site itself, and so could reach everything that rests there."""


class RoleReach(Frozen):
    """One role, one dataset, one site where a replica rests."""

    role: str
    dataset: str
    site: str
    right: Right
    granted: bool
    """The role reaches the dataset here, under the city's federated identity and a second factor.
    For `operate` always true: whoever runs the site needs nobody's grant."""
    hindrances: tuple[str, ...] = ()
    """What the site lacks; empty exactly where granted."""


def role_reach(
    catalog: Catalog, register: SiteRegister, placements: Mapping[str, Sequence[str]]
) -> tuple[RoleReach, ...]:
    """Every role's way to every placed dataset, sorted by dataset, site, right and role.

    Parameters
    ----------
    placements
        Site ids by dataset id; datasets left out are not looked at.

    Raises
    ------
    KeyError
        A placement names a dataset or a site that does not exist.
    """
    datasets = {dataset.id: dataset for dataset in catalog.datasets}
    sites = {site.id: site for site in register.sites}
    found = {
        reach
        for dataset, places in placements.items()
        for place in places
        for reach in _reach_at(datasets[dataset], sites[place])
    }
    return tuple(sorted(found, key=lambda r: (r.dataset, r.site, r.right, r.role)))


def unreachable(reach: Iterable[RoleReach]) -> tuple[RoleReach, ...]:
    """Ways that are not granted, of roles that have no granted way to the same right elsewhere.

    One replica that serves the role is enough, so a role that is refused at one of two sites is
    not listed.
    """
    found = tuple(reach)
    served = {(r.role, r.dataset, r.right) for r in found if r.granted}
    return tuple(r for r in found if (r.role, r.dataset, r.right) not in served)


def _reach_at(dataset: Dataset, site: Site) -> Iterator[RoleReach]:
    works = {
        Right.READ: dataset.readers,
        Right.WRITE: dataset.writers,
        Right.ADMINISTER: dataset.administrators,
    }
    for right, roles in works.items():
        for role in roles:
            hindrances = tuple(_hindrances(role, site))
            yield RoleReach(
                role=role,
                dataset=dataset.id,
                site=site.id,
                right=right,
                granted=not hindrances,
                hindrances=hindrances,
            )
    for role in site.administrators:
        yield RoleReach(
            role=role, dataset=dataset.id, site=site.id, right=Right.OPERATE, granted=True
        )


def _hindrances(role: str, site: Site) -> Iterator[str]:
    """What stands between a role and a site. What the register does not say counts as missing."""
    if role not in site.serves_roles and "*" not in site.serves_roles:
        yield "the site does not serve the role"
    if site.federation is not True:
        yield "the site does not accept the city's identity federation"
    if site.mfa is not True:
        yield "the site does not enforce a second factor"
