"""The decision as a mathematical problem, before anybody solves it."""

from __future__ import annotations

from typing import Literal

from models.base import Frozen, Identifier, MonthlyGb
from models.dataset import Dataset, EffectiveClass
from models.parameters import Parameters
from models.role import Role
from models.site import Operator, Site
from models.verdict import EligibilityTable


class Flow(Frozen):
    """Data that goes from a source to what is derived from it, GB a month."""

    source: Identifier
    derived: Identifier
    monthly_transfer_gb: MonthlyGb


class SeparatedPair(Frozen):
    """Two datasets that share no site (or no operator)."""

    first: Identifier
    second: Identifier
    level: Literal["site", "operator"]


class GraphFacts(Frozen):
    """What follows from the relations of a catalogue."""

    effective: tuple[EffectiveClass, ...]
    """One for each dataset, in catalogue order."""
    co_location: tuple[tuple[Identifier, ...], ...]
    """Disjoint groups of two or more datasets that rest at the same sites."""
    separations: tuple[SeparatedPair, ...]
    """Distinct pairs; `operator` where both levels were asked for."""
    flows: tuple[Flow, ...]
    """Flows with a positive volume, one a (source, derived) pair."""
    contradictions: tuple[str, ...] = ()
    """Relations that cannot hold together, such as a pair both co-located and separated."""


class FixedPair(Frozen):
    """A what-if: this dataset must (or must not) have a replica at this site."""

    dataset: Identifier
    site: Identifier
    allowed: bool
    """True: it must rest there. False: it must not."""


class Problem(Frozen):
    """Everything a solver needs, and nothing else.

    N datasets and S sites in the order of the catalogue and the register; the eligibility
    table has the same order.
    """

    datasets: tuple[Dataset, ...]
    sites: tuple[Site, ...]
    operators: tuple[Operator, ...]
    roles: tuple[Role, ...]
    eligibility: EligibilityTable
    facts: GraphFacts
    parameters: Parameters
    fixed: tuple[FixedPair, ...] = ()
