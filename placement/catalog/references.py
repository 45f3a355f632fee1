"""References between a catalogue and a sites file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from models import Catalog, Role, Site, SiteRegister
from placement.errors import BadInput, Defect

ANY_ROLE = "*"
"""In serves_roles: every role of the city's directory."""


def check_references(
    catalog: Catalog, register: SiteRegister, *, catalog_file: str, register_file: str
) -> None:
    """References between the two files.

    A role may be declared in either file; declared in both, it must be the same. Datasets and
    sites name roles, datasets their current site, roles the sites they work at.

    Raises
    ------
    BadInput
        With every defect of both files.
    """
    roles = {role.id for role in (*catalog.roles, *register.roles)}
    sites = {site.id for site in register.sites}
    defects = list(_unequal_roles(catalog.roles, register.roles, register_file))
    for dataset in catalog.datasets:
        record = f"dataset {dataset.id}"
        for field in ("readers", "writers", "administrators"):
            named = getattr(dataset, field)
            defects += _missing(catalog_file, record, field, "role", named, roles)
        current = () if dataset.current_site is None else (dataset.current_site,)
        defects += _missing(catalog_file, record, "current_site", "site", current, sites)
        further = dataset.further_current_sites
        defects += _missing(catalog_file, record, "further_current_sites", "site", further, sites)
    for site in register.sites:
        defects += _site_references(site, roles, register_file)
    for file, declared in ((catalog_file, catalog.roles), (register_file, register.roles)):
        for role in declared:
            named = role.workplace_sites
            defects += _missing(file, f"role {role.id}", "workplace_sites", "site", named, sites)
    if defects:
        raise BadInput(defects)


def _site_references(site: Site, roles: set[str], file: str) -> Iterator[Defect]:
    record = f"site {site.id}"
    served = [role for role in site.serves_roles if role != ANY_ROLE]
    yield from _missing(file, record, "administrators", "role", site.administrators, roles)
    yield from _missing(file, record, "serves_roles", "role", served, roles)


def _unequal_roles(ours: Sequence[Role], theirs: Sequence[Role], file: str) -> Iterator[Defect]:
    declared = {role.id: role for role in ours}
    for role in theirs:
        other = declared.get(role.id, role)
        differing = [f for f in Role.model_fields if getattr(role, f) != getattr(other, f)]
        for field in differing:
            message = "differs from the role of the same id in the catalogue"
            yield Defect(file, f"role {role.id}", field, message)


def _missing(
    file: str, record: str, field: str, kind: str, named: Iterable[str], known: set[str]
) -> Iterator[Defect]:
    for name in named:
        if name not in known:
            yield Defect(file, record, field, f"there is no {kind} {name}")
