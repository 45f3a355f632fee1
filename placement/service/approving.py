"""Approving a proposal: by somebody else, on what it was decided on, after checking it again.

What takes long is done before the transaction (`prepare`), and rests on the decision alone, which
never changes, and on one version of the records. The transaction (`approve`) sees to it that this
version, the policies and the decisions are still the same: so two who approve at once cannot both
win, and nothing slips in between.

A proposal is judged for a day. Approved later, its placements must be allowed on that day, too: a
certificate may have run out meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

from models import (
    ApprovedPlacement,
    Catalog,
    DecisionRecord,
    DecisionState,
    Frozen,
    Parameters,
    Plan,
    Stale,
)
from placement.certificate.differences import differences
from placement.eligibility import PolicyEngine
from placement.errors import NotAllowed, StaleProposal
from placement.service.access import person_behind
from placement.service.approved import approved_placements
from placement.service.city import Caller, City
from placement.service.decisions import move, require_proposed
from placement.service.outbox import NOTHING_TO_TELL, Telling, before_approving, tell_changes
from placement.service.plans import stored_plan
from placement.service.preconditions import Precondition
from placement.service.rechecking import not_allowed_on, require_certificate
from placement.service.situation import Head, head, resting
from placement.store import Transaction
from placement.store.decisions import Decisions
from placement.store.placed import NewPlacement, Placed
from placement.store.policies import Policies

OPERATION = "decisions.approve"
ROUTE = "/v1/decisions/{number}/approval"

_CHANGES_NAMED = 20


@dataclass(frozen=True)
class Readiness:
    """What was found about a proposal before the transaction that approves it."""

    catalog_version: int
    """Version of the records that it was compared with."""
    changes: tuple[Stale, ...] = ()
    """What it was decided on and is not so any more."""
    placements: tuple[NewPlacement, ...] = ()
    telling: Telling = NOTHING_TO_TELL
    """What approving it changes."""


def prepare(city: City, caller: Caller, number: int) -> Readiness:
    """Check a proposal again: who asks, what changed, and whether the plan holds.

    Of a decision that is not proposed nothing is found out: approving it is refused anyway.

    Raises
    ------
    NotFound
    NotAllowed
        When the caller made the decision, or may not approve.
    CertificateError
        When the stored plan does not hold by its own inputs.
    PolicyEngineError, StoreError
    """
    with city.store.reading() as tx:
        record = Decisions(tx).get(number)
        now = head(city, tx)
        author = person_behind(tx, record.author)
    _require_other_eyes(caller, author)
    city.permissions.require(caller.principal, OPERATION, "POST", ROUTE, author)
    version = now.snapshot.version
    if record.state is not DecisionState.PROPOSED:
        return Readiness(version)
    plan = stored_plan(city.store, record)
    changes = (*_policies(record, now), *_records(city, record, plan, now))
    if not changes:
        engine = city.engine(record.basis.policies)
        require_certificate(plan, engine)
        changes = (*_today(plan, engine, datetime.now(UTC).date()),)
    if changes:
        return Readiness(version, changes)
    shown = approved_placements(plan, number)
    telling = before_approving(city, record, plan, shown)
    return Readiness(version, (), tuple(map(_kept, shown)), telling)


def approve(
    tx: Transaction,
    caller: Caller,
    number: int,
    seen: Precondition,
    ready: Readiness,
    reason: str = "",
) -> DecisionRecord:
    """The board stands behind the plan from now on.

    Parameters
    ----------
    seen
        The version that the caller means, if it names one.
    ready
        What `prepare` found.

    Raises
    ------
    NotFound
    NotAllowed
        When the caller made the decision.
    Conflict
        When it is not proposed: somebody else was quicker.
    StaleProposal
        With everything that changed since it was decided.
    PreconditionFailed
    """
    record = Decisions(tx).get(number)
    _require_other_eyes(caller, person_behind(tx, record.author))
    if seen.stated:
        seen.check(f"{record.number}.{record.state_sequence}")
    require_proposed(record)
    changes = (*ready.changes, *_meanwhile(tx, record, ready))
    if changes:
        raise StaleProposal(
            f"what decision {number} was decided on has changed: "
            + "; ".join(f"{stale.what}: {stale.now}" for stale in changes),
            changes,
        )
    approved = move(tx, caller, number, Precondition(), DecisionState.APPROVED, reason)
    Placed(tx).add(number, ready.placements)
    tell_changes(tx, ready.telling)
    return approved


def _require_other_eyes(caller: Caller, author: str) -> None:
    """Whoever asked through an API key of theirs asked themselves."""
    if caller.subject == author:
        raise NotAllowed("whoever asked for a decision needs somebody else to approve it")


# -- what changed ---------------------------------------------------------------------------------


def _meanwhile(tx: Transaction, record: DecisionRecord, ready: Readiness) -> Iterator[Stale]:
    """What is not so any more in the transaction that approves."""
    basis, known = record.basis, {stale.what for stale in ready.changes}
    if tx.city.catalog_version != ready.catalog_version and "catalog" not in known:
        yield Stale(
            what="catalog",
            decided_on=f"version {basis.catalog_version}",
            now=f"version {tx.city.catalog_version}, made this very moment",
        )
    active = Policies(tx).active_revision()
    if active != basis.policies and "policies" not in known:
        yield Stale(what="policies", decided_on=basis.policies, now=active or "none")
    if tx.city.standing_decision != basis.standing:
        yield _other("standing", basis.standing, tx.city.standing_decision)
    if tx.city.in_force_decision != basis.in_force:
        yield _other("in_force", basis.in_force, tx.city.in_force_decision)


def _other(what: str, before: int | None, now: int | None) -> Stale:
    words = ["none" if number is None else f"decision {number}" for number in (before, now)]
    return Stale.model_validate({"what": what, "decided_on": words[0], "now": words[1]})


def _policies(record: DecisionRecord, now: Head) -> Iterator[Stale]:
    active = None if now.policies is None else now.policies.revision
    if active != record.basis.policies:
        yield Stale(what="policies", decided_on=record.basis.policies, now=active or "none")


def _records(city: City, record: DecisionRecord, plan: Plan, now: Head) -> Iterator[Stale]:
    """How the records differ from those decided on; equal versions are not looked into."""
    basis, snapshot = record.basis, now.snapshot
    in_force = None if now.in_force is None else now.in_force.number
    if snapshot.version == basis.catalog_version and in_force == basis.in_force:
        return
    if in_force == basis.in_force:
        catalog = resting(city, now)
    else:  # named by itself; here the records count
        catalog = _resting_as_in(plan.inputs.catalog, snapshot.catalog)
    versions = f"version {basis.catalog_version}", f"version {snapshot.version}"
    for what, stated, given in (
        ("catalog", plan.inputs.catalog, catalog),
        ("sites", plan.inputs.sites, snapshot.register),
    ):
        found = _named(differences(what, stated, given))
        if found:
            now_is = f"{versions[1]}: {found}"
            yield Stale.model_validate({"what": what, "decided_on": versions[0], "now": now_is})
    if not basis.own_parameters:
        yield from _parameters(plan.parameters, snapshot.parameters)


def _resting_as_in(decided: Catalog, present: Catalog) -> Catalog:
    """Today's records, each resting where it was taken to rest when the plan was decided."""
    then = {dataset.id: dataset for dataset in decided.datasets}
    fields = ("current_site", "further_current_sites")
    return present.model_copy(
        update={
            "datasets": tuple(
                dataset.model_copy(update={f: getattr(then[dataset.id], f) for f in fields})
                if dataset.id in then
                else dataset
                for dataset in present.datasets
            )
        }
    )


def _parameters(decided: Parameters, present: Parameters) -> Iterator[Stale]:
    if present.as_of is None:
        present = present.model_copy(update={"as_of": decided.as_of})
    fields = _differing(decided, present)
    if fields:
        before, now = (
            ", ".join(f"{field} {getattr(model, field)}" for field in fields)
            for model in (decided, present)
        )
        yield Stale(what="parameters", decided_on=before, now=now)


def _today(plan: Plan, engine: PolicyEngine, today: date) -> Iterator[Stale]:
    """What of the plan the policies do not allow today, where it was decided for another day."""
    if plan.parameters.as_of == today:
        return
    failures = not_allowed_on(plan, engine, today)
    if failures:
        day = str(plan.parameters.as_of)
        yield Stale(what="as_of", decided_on=day, now=f"{today}: {_named(failures)}")


def _differing(first: Frozen, second: Frozen) -> list[str]:
    return [
        field
        for field in type(first).model_fields
        if getattr(first, field) != getattr(second, field)
    ]


def _named(found: Iterator[str] | list[str]) -> str:
    """The first differences in words, and how many more there are."""
    sentences = list(found)
    more = len(sentences) - _CHANGES_NAMED
    told = "; ".join(sentences[:_CHANGES_NAMED])
    return f"{told}; and {more} more" if more > 0 else told


# -- what will be read ----------------------------------------------------------------------------


def _kept(shown: ApprovedPlacement) -> NewPlacement:
    return NewPlacement(
        dataset=shown.dataset,
        body=shown.model_dump_json(),
        department=shown.department,
        confidentiality=shown.confidentiality,
        gdpr_category=shown.gdpr_category,
        access_rights=shown.access_rights,
        sites=tuple((host.site, host.operator) for host in shown.sites),
        readers=shown.readers,
    )
