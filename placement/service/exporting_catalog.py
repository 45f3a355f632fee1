"""A plan's catalogue and its placements for data portals: DCAT-AP, once the plan is whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from urllib.parse import urlsplit

from models import AccessRights, ApprovedPlacement, Catalog, DerivedFrom, Plan, Relation
from placement.catalog.dcat.reading import BASE
from placement.catalog.dcat.serializing import Serialization
from placement.catalog.dcat.writing import dcat_ap
from placement.errors import BadInput, Defect
from placement.service.exporting import of_approved, of_plan


def dcat_ap_of_plan(
    plan: Plan,
    name: str,
    *,
    serialization: Serialization = "turtle",
    base: str | None = None,
    only_public: bool = False,
) -> str:
    """The catalogue of a plan file, with its placements.

    Parameters
    ----------
    plan
        What the file says.
    name
        What to call it in defects.
    serialization
        How to write the triples.
    base
        An http(s) IRI ending in "/" for what has none of its own; none: one that never resolves.
    only_public
        Leave out every dataset that is not public after inheritance.

    Raises
    ------
    BadInput
        When the plan is not whole, or the base is no such IRI.
    """
    placements = of_plan(plan, name).placements
    return _written(plan, placements, serialization, base, only_public=only_public)


def dcat_ap_of_approved(
    placements: Iterable[ApprovedPlacement],
    plan: Plan,
    decision: int,
    *,
    serialization: Serialization = "turtle",
    base: str | None = None,
    only_public: bool = False,
) -> str:
    """The same of a service's approved plan: the datasets whose placements one may see.

    Raises
    ------
    BadInput
        As `dcat_ap_of_plan` does.
    ServiceError
        When the placements are not those of the plan.
    """
    found = of_approved(placements, plan, decision).placements
    return _written(plan, found, serialization, base, only_public=only_public)


def _written(
    plan: Plan,
    placements: tuple[ApprovedPlacement, ...],
    serialization: Serialization,
    base: str | None,
    *,
    only_public: bool,
) -> str:
    shown = {
        placed.dataset: placed.access_rights
        for placed in placements
        if placed.access_rights is AccessRights.PUBLIC or not only_public
    }
    return dcat_ap(
        _part(plan.inputs.catalog, shown),
        plan.inputs.sites,
        {p.dataset: sorted(s.site for s in p.sites) for p in placements if p.dataset in shown},
        serialization=serialization,
        base=BASE if base is None else _checked(base),
    )


def _part(catalog: Catalog, shown: Mapping[str, AccessRights | None]) -> Catalog:
    """The catalogue of some datasets with the access they inherited, and what derives from what."""
    return catalog.model_copy(
        update={
            "datasets": tuple(
                dataset.model_copy(update={"access_rights": shown[dataset.id]})
                for dataset in catalog.datasets
                if dataset.id in shown
            ),
            "relations": tuple(r for r in catalog.relations if _is_between(r, shown.keys())),
        }
    )


def _is_between(relation: Relation, shown: Set[str]) -> bool:
    return isinstance(relation, DerivedFrom) and {relation.derived, relation.source} <= shown


def _checked(base: str) -> str:
    try:
        parts = urlsplit(base)
    except ValueError:
        parts = urlsplit("")
    plain = base.isascii() and base.isprintable() and not set(base) & set(' <>"{}|\\^`')
    if not (plain and parts.scheme in ("http", "https") and parts.netloc and base.endswith("/")):
        message = 'an IRI such as "https://data.city.example/" is expected'
        raise BadInput([Defect("--base", "", "", message)])
    return base
