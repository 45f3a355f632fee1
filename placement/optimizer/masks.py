"""Which pairs of dataset and site are open at all: eligibility, [alternatives[d]], [fixed[d|s]].

Pairs that are closed get no variable. Infeasibility cores need to know why a pair is closed, so
every reason is a mask under the name of the constraint it belongs to.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models import FixedPair, Parameters
from placement.errors import SolverError
from placement.optimizer.attributes import Attributes, Flags


@dataclass(frozen=True)
class Masks:
    """Pairs that are closed or forced, (N, S) each, by reason."""

    ineligible: Flags
    """[assignment[d]] a violated obligation, or no price for the kind of storage."""
    without_alternatives: Flags
    """[alternatives[d]]"""
    excluded: Flags
    """[fixed[d|s]] a what-if says: not there."""
    forced: Flags
    """[fixed[d|s]] a what-if says: there."""

    @property
    def allowed(self) -> Flags:
        """Pairs that get a variable."""
        closed: Flags = self.ineligible | self.without_alternatives | self.excluded
        return ~closed


def read_masks(of: Attributes, parameters: Parameters, fixed: tuple[FixedPair, ...]) -> Masks:
    """All masks of a problem.

    Raises
    ------
    SolverError
        Where a what-if names a dataset or a site that is not given.
    """
    eligible = of.eligible[of.profile] & ~np.isnan(of.storage_eur_per_gb_month)
    return Masks(
        ineligible=~eligible,
        without_alternatives=without_alternatives(of, eligible, parameters.alternatives_min),
        excluded=_fixed(of, fixed, allowed=False),
        forced=_fixed(of, fixed, allowed=True),
    )


def without_alternatives(of: Attributes, eligible: Flags, alternatives_min: int) -> Flags:
    """[alternatives[d]] pairs of critical datasets with too few other operators to go to, (N, S).

    x_ds = 0 where |{o : o != operator of s, some site of o is eligible for d}| < alternatives_min.
    Only policies count here: an eligible site that is full is still a way out.
    """
    by_operator = np.zeros((len(of.datasets), len(of.operators)), dtype=np.bool_)
    for operator in range(len(of.operators)):
        by_operator[:, operator] = eligible[:, of.operator_of == operator].any(axis=1)
    others = by_operator.sum(axis=1)[:, None] - by_operator[:, of.operator_of]
    lacking: Flags = of.critical[:, None] & (others < alternatives_min)
    return lacking


def _fixed(of: Attributes, fixed: tuple[FixedPair, ...], *, allowed: bool) -> Flags:
    rows = {dataset.id: i for i, dataset in enumerate(of.datasets)}
    columns = {site.id: j for j, site in enumerate(of.sites)}
    flags = np.zeros((len(rows), len(columns)), dtype=np.bool_)
    for pair in fixed:
        if pair.dataset not in rows or pair.site not in columns:
            raise SolverError(f"no such pair to fix: {pair.dataset} at {pair.site}")
        if pair.allowed is allowed:
            flags[rows[pair.dataset], columns[pair.site]] = True
    return flags
