"""The raw inputs, indexed once, with what follows from them without asking anybody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from models import (
    Catalog,
    Dataset,
    EffectiveClass,
    Operator,
    Parameters,
    PolicyDataset,
    PolicySite,
    Role,
    Site,
    SiteRegister,
    policy_dataset,
    policy_site,
)
from placement.certificate.classes import effective_classes
from placement.certificate.relations import (
    Flows,
    Separations,
    co_location_groups,
    flows,
    separations,
)


@dataclass(frozen=True)
class City:
    """Catalogue, register and parameters, looked at by id."""

    parameters: Parameters
    datasets: Mapping[str, Dataset]
    """In catalogue order."""
    sites: Mapping[str, Site]
    """In register order."""
    operators: Mapping[str, Operator]
    roles: Mapping[str, Role]
    policy_datasets: Mapping[str, PolicyDataset]
    policy_sites: Mapping[str, PolicySite]
    classes: Mapping[str, EffectiveClass]
    groups: tuple[tuple[str, ...], ...]
    """Merged co-location groups."""
    separations: Separations
    flows: Flows
    total_volume_gb: int
    """V: the volume of all replicas."""
    critical_replicas: int
    """C: the replicas of all critical datasets."""

    def operator_of(self, site: str) -> str:
        """The id of the operator that runs a site."""
        return self.sites[site].operator

    def capped(self, operator: str) -> bool:
        """Whether concentration caps apply: one is not locked in with oneself."""
        return not self.operators[operator].municipal

    def critical(self, dataset: str) -> bool:
        """Whether the dataset's availability makes it critical."""
        return is_critical(self.datasets[dataset], self.parameters)


def is_critical(dataset: Dataset, parameters: Parameters) -> bool:
    """Availability is at least `critical_level`; an unknown one no policy lets through anyway."""
    return dataset.availability is not None and dataset.availability >= parameters.critical_level


def read_city(catalog: Catalog, register: SiteRegister, parameters: Parameters) -> City:
    """Index the inputs and derive classes, groups, separations and flows.

    References between and within both files must have been checked.

    Raises
    ------
    BadInput
        For a lineage cycle.
    """
    roles = {r.id: r for r in (*register.roles, *catalog.roles)}
    operators = {o.id: o for o in register.operators}
    contracts = {c.id: c for c in catalog.contracts}
    groups = tuple(co_location_groups(catalog))
    classes = effective_classes(catalog, parameters, groups)
    replicas = [(d, d.replicas) for d in catalog.datasets]
    return City(
        parameters=parameters,
        datasets={d.id: d for d in catalog.datasets},
        sites={s.id: s for s in register.sites},
        operators=operators,
        roles=roles,
        policy_datasets={
            d.id: policy_dataset(d, classes[d.id], roles, contracts) for d in catalog.datasets
        },
        policy_sites={s.id: policy_site(s, operators, roles) for s in register.sites},
        classes=classes,
        groups=groups,
        separations=separations(catalog),
        flows=flows(catalog),
        total_volume_gb=sum(n * d.volume_gb for d, n in replicas),
        critical_replicas=sum(n for d, n in replicas if is_critical(d, parameters)),
    )
