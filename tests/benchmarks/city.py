"""A city made from a seed: any number of datasets, 20 sites, limits that bind.

Sizes are lognormal (sigma 2), as file and table sizes are. Cheap sites together hold a little
more than they can: each is 85 to 95 % full in a good plan, and so are the operators' shares.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np

from models import (
    AccessRights,
    Catalog,
    Certification,
    Clause,
    CollectorKind,
    CoLocated,
    Dataset,
    DerivedFrom,
    Dpia,
    GdprCategory,
    Interface,
    Level,
    Operator,
    Parameters,
    Role,
    Separated,
    Site,
    SiteKind,
    SiteRegister,
    StackComponent,
    StorageKind,
)

AS_OF = date(2026, 10, 1)
SITES = 20
OBJECT_INTERFACES = (Interface.S3, Interface.OGC_API)
INTERFACES = (*OBJECT_INTERFACES, Interface.POSTGRESQL)
RELATED = {"lineage": 0.10, "co_located": 0.03, "separated": 0.02, "replicated": 0.02}
"""Share of datasets in each kind of relation."""
LOADED = 0.9
"""Cheap sites hold this share of what would like to rest there."""


def make_city(datasets: int, seed: int) -> tuple[Catalog, SiteRegister, Parameters]:
    """A catalogue of `datasets`, a register of 20 sites by 9 operators, and the parameters."""
    rng = np.random.default_rng(seed)
    catalog = Catalog(
        municipality="Benchmark",
        source=f"generated from seed {seed}",
        datasets=tuple(_dataset(i, rng) for i in range(datasets)),
        roles=(_role("user"), _role("operations")),
    )
    relations = tuple(_relations(catalog.datasets, rng))
    catalog = catalog.model_copy(update={"relations": relations})
    register = _register(sum(d.volume_gb * d.replicas for d in catalog.datasets), rng)
    parameters = Parameters(
        as_of=AS_OF,
        time_limit_s=600,
        operator_volume_share_max=Decimal("0.15"),
        operator_critical_share_max=Decimal("0.15"),
        closed_stack_share_max=Decimal("0.2"),
        moves_max=datasets // 5,
    )
    return catalog, register, parameters


def _role(name: str) -> Role:
    return Role(id=name, title=name, department="City", country="NL", clearance=Level.VERY_HIGH)


def _dataset(number: int, rng: np.random.Generator) -> Dataset:
    volume = int(np.ceil(rng.lognormal(4.0, 2.0)))
    kind = int(rng.integers(5))
    block = kind > 0 and rng.random() < 0.3
    replicated = rng.random() < RELATED["replicated"]
    critical = replicated or rng.random() < 0.15
    return Dataset(
        id=f"d{number:07d}",
        title=f"Dataset {number}",
        owner_department="City",
        steward="steward@city.example",
        integrity=Level.NORMAL,
        availability=Level.HIGH if critical else Level.NORMAL,
        lawful_basis="art. 6(1)(e) GDPR",
        dpia=Dpia.FULL,
        readers=("user",),
        writers=("user",),
        administrators=("user",),
        collected_by=CollectorKind.MUNICIPALITY,
        volume_gb=volume,
        monthly_read_gb=_gb(volume * rng.uniform(0, 0.3)),
        monthly_egress_gb=_gb(volume * rng.uniform(0, 0.2)),
        storage=StorageKind.BLOCK if block else StorageKind.OBJECT,
        interfaces=(Interface.POSTGRESQL if block else OBJECT_INTERFACES[int(rng.integers(2))],),
        replicas=2 if replicated else 1,
        current_site=f"s{int(rng.integers(2)):02d}" if rng.random() < 0.3 else None,
        **_classified(kind),
    )


def _classified(kind: int) -> dict[str, Any]:
    """Five classes from open data to special categories."""
    level, category, access = (
        (Level.OPEN, GdprCategory.NONE, AccessRights.PUBLIC),
        (Level.BASIC, GdprCategory.NONE, AccessRights.RESTRICTED),
        (Level.NORMAL, GdprCategory.PERSONAL, AccessRights.RESTRICTED),
        (Level.HIGH, GdprCategory.PERSONAL, AccessRights.NON_PUBLIC),
        (Level.HIGH, GdprCategory.SPECIAL, AccessRights.NON_PUBLIC),
    )[kind]
    public = access is AccessRights.PUBLIC
    return {
        "confidentiality": level,
        "gdpr_category": category,
        "access_rights": access,
        "non_publication_grounds": () if public else ("5.1.2e",),
    }


def _gb(amount: float) -> Decimal:
    return Decimal(repr(round(amount, 3)))


def _relations(
    datasets: Sequence[Dataset], rng: np.random.Generator
) -> list[DerivedFrom | CoLocated | Separated]:
    """Relations between datasets that are drawn once, so that they cannot contradict."""
    single = [dataset.id for dataset in datasets if dataset.replicas == 1]
    drawn = iter([single[k] for k in rng.permutation(len(single)).tolist()])
    counts = {kind: int(len(datasets) * share) for kind, share in RELATED.items()}
    together = [
        CoLocated(members=(next(drawn), next(drawn), next(drawn)))
        for _ in range(counts["co_located"] // 3)
    ]
    apart = [
        Separated(members=(next(drawn), next(drawn)), level="operator")
        for _ in range(counts["separated"] // 2)
    ]
    flows = [
        DerivedFrom(
            source=next(drawn),
            derived=next(drawn),
            monthly_transfer_gb=_gb(rng.lognormal(2.0, 1.5)),
        )
        for _ in range(counts["lineage"] // 2)
    ]
    return [*together, *apart, *flows]


OPERATORS: Sequence[tuple[str, str, bool]] = (
    ("city", "NL", False),
    ("polder", "NL", False),
    ("delta", "NL", False),
    ("rhine", "DE", False),
    ("elbe", "DE", False),
    ("seine", "FR", False),
    ("nordic", "SE", False),
    ("potomac", "US", True),
    ("hudson", "US", True),
)
"""Id, parent jurisdiction, exposed to the law of a third country."""


def _register(volume_gb: int, rng: np.random.Generator) -> SiteRegister:
    operators = tuple(
        Operator(
            id=name,
            title=name.title(),
            country=law,
            parent_jurisdiction=law,
            extraterritorial_exposure=exposed,
            foreign_ownership_share=Decimal(1 if exposed else 0),
            municipal=name == "city",
        )
        for name, law, exposed in OPERATORS
    )
    sites = tuple(_site(k, volume_gb, rng) for k in range(SITES))
    staff = _role("staff").model_copy(update={"department": None})
    return SiteRegister(operators=operators, sites=sites, roles=(staff,))


def _site(number: int, volume_gb: int, rng: np.random.Generator) -> Site:
    """Two roomy, dear municipal sites; then private and public clouds, the cheaper the fuller."""
    operator, law, exposed = OPERATORS[0 if number < 2 else 1 + number % (len(OPERATORS) - 1)]
    municipal = number < 2
    kind = SiteKind.ON_PREMISE if municipal else SiteKind.PUBLIC_CLOUD
    price = 0.06 if municipal else rng.uniform(0.006, 0.03)
    cheap = not municipal and price < 0.024
    share = LOADED * rng.uniform(0.03, 0.08) if cheap else 1.0
    open_stack = municipal or bool(rng.random() < 0.6)
    offered = [i for i in INTERFACES if municipal or rng.random() < 0.8]
    return Site(
        id=f"s{number:02d}",
        title=f"Site {number}",
        operator=operator,
        kind=kind,
        country="NL" if law == "US" else law,
        certifications=_certifications(exposed),
        seal_level=2 if exposed else int(rng.integers(2, 5)),
        federation=True,
        mfa=True,
        customer_held_keys=True,
        audit_logging=True,
        administrators=("staff",),
        segregated_administration=True,
        serves_roles=("*",),
        interfaces=tuple(offered),
        stack=(_component(open_stack=open_stack),),
        capacity_gb=int(volume_gb * share),
        object_price_eur_per_gb_month=_price(price),
        block_price_eur_per_gb_month=_price(price * rng.uniform(2, 4)),
        handling_price_eur_per_dataset_month=_price(8 if municipal else rng.uniform(1, 5)),
        egress_price_eur_per_gb=_price(0 if municipal else rng.choice([0, 0.01, 0.05, 0.09])),
        exit_notice_days=30,
        transfer_window_days=30,
        clauses=tuple(Clause),
    )


def _certifications(exposed: bool) -> tuple[Certification, ...]:
    valid = date(2029, 1, 1)
    schemes = [("ISO27001", None), ("C5", "Type 2"), ("ISO22301", None), ("BIO", None)]
    schemes += [] if exposed else [("SECNUMCLOUD", None)]
    return tuple(Certification(scheme=s, level=level, valid_until=valid) for s, level in schemes)


def _component(*, open_stack: bool) -> StackComponent:
    return StackComponent(
        name="MinIO" if open_stack else "Vault Store",
        licence="AGPL-3.0-only" if open_stack else "LicenseRef-proprietary",
        open_standard=True,
        interfaces=INTERFACES,
    )


def _price(amount: float) -> Decimal:
    return Decimal(repr(round(float(amount), 6)))
