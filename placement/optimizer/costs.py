"""What a placement costs, EUR a year: the components that are separate for every pair.

Each function returns the cost of one replica of dataset d at site s, shape (N, S). Symbols:
v_d volume_gb, n_d replicas, p_ds price of the dataset's kind of storage, g_s egress price.
The definition is models.Costs; lineage, the one component that is not separable, is in
placement.optimizer.lineage.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from models import Parameters, Role
from placement.optimizer.attributes import Attributes, Flags, Floats

MONTHS = 12.0


def separable_costs(of: Attributes, roles: Iterable[Role], parameters: Parameters) -> Floats:
    """Sum of all components below, (N, S), EUR a year; NaN where storage is not offered."""
    return (
        storage(of)
        + handling(of)
        + delivery(of)
        + reading(of, roles)
        + migration(of, parameters)
        + preference(of)
    )


def storage(of: Attributes) -> Floats:
    """12 v_d p_ds."""
    return MONTHS * of.volume_gb[:, None] * of.storage_eur_per_gb_month


def handling(of: Attributes) -> Floats:
    """12 times the site's handling price."""
    prices = [float(site.handling_price_eur_per_dataset_month) for site in of.sites]
    return MONTHS * np.broadcast_to(np.array(prices), (len(of.datasets), len(of.sites)))


def delivery(of: Attributes) -> Floats:
    """12 monthly_egress_gb_d g_s / n_d: what goes to the outside, shared by the replicas."""
    monthly_gb = np.array([float(d.monthly_egress_gb) for d in of.datasets])
    return MONTHS * np.outer(monthly_gb / of.replicas, of.egress_eur_per_gb)


def reading(of: Attributes, roles: Iterable[Role]) -> Floats:
    """12 monthly_read_gb_d g_s r_ds / n_d.

    r_ds is the share of the dataset's reader roles without a workplace at a site of the same
    operator; 1 where no reader is named.
    """
    monthly_gb = np.array([float(d.monthly_read_gb) for d in of.datasets])
    paid = MONTHS * np.outer(monthly_gb / of.replicas, of.egress_eur_per_gb)
    return paid * _remote_share(of, roles)


def migration(of: Attributes, parameters: Parameters) -> Floats:
    """(v_d (migration_eur_per_gb + g_c) + migration_eur_per_dataset) / amortisation_years.

    c is the current site; 0 at c itself, at the sites of further replicas today, and without a
    current site; g_c counts as 0 within one operator.
    """
    at = of.current
    egress = np.where(
        of.operator_of[at][:, None] == of.operator_of[None, :],
        0.0,
        of.egress_eur_per_gb[at][:, None],
    )
    moved = of.volume_gb[:, None] * (float(parameters.migration_eur_per_gb) + egress)
    yearly = (moved + float(parameters.migration_eur_per_dataset)) / parameters.amortisation_years
    moves = (at[:, None] >= 0) & (at[:, None] != np.arange(len(of.sites))[None, :])
    column = {site.id: s for s, site in enumerate(of.sites)}
    for d, dataset in enumerate(of.datasets):
        moves[d, [column[site] for site in dataset.further_current_sites]] = False
    return np.where(moves, yearly, 0.0)


def preference(of: Attributes) -> Floats:
    """Sum of the penalties of the preferences that are not met; not money spent."""
    return of.penalty_eur_per_year[of.profile]


def exit_costs(of: Attributes, parameters: Parameters) -> Floats:
    """e_ds: what leaving the site would cost once, EUR, (N, S); 0 at the city's own sites.

    v_d g_s + v_d p_ds (exit_notice_days + transfer_window_days) / 30
    + closed_rework_eur_per_dataset on a closed stack; days that are not known count as 0.
    """
    days = [(s.exit_notice_days or 0) + (s.transfer_window_days or 0) for s in of.sites]
    months = np.array(days, dtype=np.float64) / 30.0
    per_gb = of.egress_eur_per_gb + of.storage_eur_per_gb_month * months
    rework = float(parameters.closed_rework_eur_per_dataset) * of.closed[of.profile]
    capped: Flags = of.capped[of.operator_of]
    return np.where(capped, of.volume_gb[:, None] * per_gb + rework, 0.0)


def _remote_share(of: Attributes, roles: Iterable[Role]) -> Floats:
    """r_ds, (N, S); datasets share few sets of readers, so each set is judged once."""
    operator_of_site = {s.id: o for s, o in zip(of.sites, of.operator_of.tolist(), strict=True)}
    near = {
        role.id: {operator_of_site[w] for w in role.workplace_sites if w in operator_of_site}
        for role in roles
    }
    shares: dict[frozenset[str], Floats] = {}
    rows = []
    for dataset in of.datasets:
        readers = frozenset(dataset.readers)
        if readers not in shares:
            shares[readers] = _share_of(readers, near, len(of.operators))
        rows.append(shares[readers])
    return np.array(rows).reshape(len(rows), len(of.operators))[:, of.operator_of]


def _share_of(readers: frozenset[str], near: dict[str, set[int]], operators: int) -> Floats:
    if not readers:
        return np.ones(operators)
    remote = [sum(o not in near.get(r, ()) for r in readers) for o in range(operators)]
    return np.array(remote, dtype=np.float64) / len(readers)
