"""What a decision is made on: the city's records of one moment, and where data rests then.

Where a plan is in force, its sites are where data rests, whatever the records say: moving it was
the provisioner's work, and nobody writes it into each record by hand. Records count for datasets
that the plan in force does not know. A site that left the register holds nothing: what a move out
of it would cost is not known any more.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

from models import Basis, Catalog, Dataset, DecisionRecord, Parameters, PolicyRevision, sha256_of
from placement.errors import PolicyEngineError
from placement.reading import Reading, join
from placement.service.city import City
from placement.service.plans import plan_of
from placement.service.snapshot import Snapshot
from placement.store import Transaction
from placement.store.decisions import Decisions
from placement.store.policies import Policies


@dataclass(frozen=True)
class Situation:
    """The inputs of a decision, joined, and what they are called."""

    reading: Reading
    basis: Basis


@dataclass(frozen=True)
class Head:
    """The city's state of one moment, as far as a decision depends on it."""

    snapshot: Snapshot
    policies: PolicyRevision | None
    standing: DecisionRecord | None
    in_force: DecisionRecord | None


def head(city: City, tx: Transaction) -> Head:
    """The present state, as one transaction sees it."""
    decisions = Decisions(tx)
    return Head(
        snapshot=city.snapshots.at_head(tx),
        policies=Policies(tx).active(),
        standing=decisions.standing(),
        in_force=decisions.in_force(),
    )


def situation(city: City, own: Parameters | None = None) -> Situation:
    """What to decide on now.

    Parameters
    ----------
    own
        Parameters of the request, instead of the city's.

    Raises
    ------
    BadInput
        When the records do not fit together.
    PolicyEngineError
        When OPA has not confirmed any policies yet.
    StoreError
    """
    with city.store.reading() as tx:
        now = head(city, tx)
    if now.policies is None:
        raise PolicyEngineError("no policies are active: OPA has not confirmed any yet")
    parameters = now.snapshot.parameters if own is None else own
    reading = join(resting(city, now), now.snapshot.register, parameters)
    return Situation(reading, _basis(now, now.policies, reading, own is not None))


def _basis(now: Head, policies: PolicyRevision, reading: Reading, own_parameters: bool) -> Basis:
    return Basis(
        catalog_version=now.snapshot.version,
        catalog=sha256_of(reading.catalog),
        sites=sha256_of(reading.register),
        parameters=sha256_of(reading.parameters),
        policies=policies.revision,
        policy_files=policies.files,
        as_of=_day(reading.parameters),
        standing=None if now.standing is None else now.standing.number,
        in_force=None if now.in_force is None else now.in_force.number,
        own_parameters=own_parameters,
    )


def _day(parameters: Parameters) -> date:
    if parameters.as_of is None:
        raise AssertionError("the day of judgement is set when the inputs are joined")
    return parameters.as_of


def resting(city: City, now: Head) -> Catalog:
    """The catalogue with today's sites: those of the plan in force, where there is one."""
    if now.in_force is None:
        return now.snapshot.catalog
    plan = plan_of(city.store, now.in_force)
    sites = {placed.dataset: placed.sites for placed in plan.placements}
    return at_sites(now.snapshot.catalog, sites, {s.id for s in now.snapshot.register.sites})


def at_sites(
    catalog: Catalog, sites: Mapping[str, tuple[str, ...]], known: Collection[str]
) -> Catalog:
    """A catalogue whose datasets rest at the sites given, as far as these are known."""

    def resting_at(dataset: Dataset) -> Dataset:
        if dataset.id not in sites:
            return dataset
        there = tuple(site for site in sites[dataset.id] if site in known)
        where = {"current_site": there[0] if there else None, "further_current_sites": there[1:]}
        return dataset.model_copy(update=where)

    return catalog.model_copy(update={"datasets": tuple(map(resting_at, catalog.datasets))})
