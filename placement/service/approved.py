"""A plan's placements as everybody reads them: what to provision, where, and for whom."""

from __future__ import annotations

from models import ApprovedPlacement, Dataset, EffectiveClass, HostedAt, Placement, Plan


def approved_placements(plan: Plan, number: int) -> tuple[ApprovedPlacement, ...]:
    """One for each dataset, in catalogue order.

    Parameters
    ----------
    plan
        A plan whose parts fit together: one that its certificate holds for.
    number
        The decision that made it.
    """
    operators = {site.id: site.operator for site in plan.inputs.sites.sites}
    column = {site: index for index, site in enumerate(plan.eligibility.sites)}

    def hosts(placed: Placement) -> tuple[HostedAt, ...]:
        row = plan.eligibility.verdicts[placed.profile]
        return tuple(
            HostedAt(
                site=site,
                operator=operators[site],
                host_obligations=row[column[site]].host_obligations,
            )
            for site in placed.sites
        )

    return tuple(
        _shown(number, dataset, effective, placed, hosts(placed))
        for placed, dataset, effective in zip(
            plan.placements, plan.inputs.catalog.datasets, plan.effective, strict=True
        )
    )


def _shown(
    number: int,
    dataset: Dataset,
    effective: EffectiveClass,
    placed: Placement,
    hosts: tuple[HostedAt, ...],
) -> ApprovedPlacement:
    return ApprovedPlacement(
        decision=number,
        dataset=dataset.id,
        title=dataset.title,
        department=dataset.owner_department,
        sites=hosts,
        from_sites=dataset.current_sites,
        confidentiality=effective.confidentiality,
        gdpr_category=effective.gdpr_category,
        access_rights=effective.access_rights,
        storage=dataset.storage,
        volume_gb=dataset.volume_gb,
        readers=dataset.readers,
        writers=dataset.writers,
        administrators=dataset.administrators,
        cost_eur_per_year=placed.cost_eur_per_year,
    )
