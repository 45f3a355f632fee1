"""What was provisioned and what was found: reported, told on, and shown beside what was decided.

Reports and observations are kept, each with who said it. Whenever one of them, or the coming into
force of a plan, makes a dataset differ from what was decided, an event tells so; another one tells
when it does not differ any more.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from models import (
    Actual,
    AuditAction,
    AuditEvent,
    DatasetDrift,
    EventType,
    NewObservation,
    NewProvisioningReport,
    Observation,
    ProvisioningReport,
)
from placement.errors import BadInput, Conflict, Defect, NotFound
from placement.service.city import Caller, City
from placement.service.drift import Desired, found_at, judged
from placement.store import Transaction
from placement.store.actual import Actuals
from placement.store.outbox import NewEvent, Outbox
from placement.store.placed import Placed

# -- saying ---------------------------------------------------------------------------------------


def report(
    tx: Transaction, caller: Caller, dataset: str, new: NewProvisioningReport
) -> ProvisioningReport:
    """Keep what a provisioner says of a dataset at one site.

    Raises
    ------
    NotFound
        When no plan has anything to do with the dataset, or the caller may not see it.
    Conflict
        When the report is about a decision that does not say any more what is to be done.
    BadInput
        When there is nothing to be done at that site.
    """
    actuals = Actuals(tx)
    _require_known(tx, caller, dataset)
    last, standing = actuals.last_change(dataset), tx.city.standing_decision
    if new.decision not in (last, standing):
        now = standing if last is None else last
        raise Conflict(
            f"decision {new.decision} does not say any more what is to be done with {dataset}"
            + ("" if now is None else f": decision {now} does")
        )
    known = [one.site for one in actuals.of([dataset]).get(dataset, ())]
    if new.site not in {*known, *_concerned(tx, dataset)}:
        message = "the plan neither wants the dataset there nor takes it away from there"
        raise BadInput([Defect("", f"dataset {dataset}", "site", message)])
    kept = actuals.report(dataset, new, caller.subject)
    said = {"decision": new.decision, "site": new.site, "state": new.state.value}
    _record(tx, caller, AuditAction.PROVISIONING_REPORTED, dataset, {**said, "number": kept.number})
    tell_drift(tx, [dataset], caller.subject)
    return kept


def observe(tx: Transaction, caller: Caller, dataset: str, new: NewObservation) -> Observation:
    """Keep where somebody looked for a dataset, and where it was.

    Raises
    ------
    NotFound
        When no plan has anything to do with the dataset, or the caller may not see it.
    BadInput
        When the observation says nothing, or one site twice.
    """
    _require_known(tx, caller, dataset)
    looked = (*new.found, *new.looked_at)
    if not looked or len(set(looked)) < len(looked):
        message = "a site stands here twice" if looked else "it names no site"
        raise BadInput([Defect("", f"dataset {dataset}", "found", message)])
    kept = Actuals(tx).observe(dataset, new, caller.subject)
    said = {"found": list(new.found), "looked_at": list(new.looked_at), "number": kept.number}
    _record(tx, caller, AuditAction.OBSERVED, dataset, said)
    tell_drift(tx, [dataset], caller.subject)
    return kept


def reports(
    city: City, caller: Caller, dataset: str, limit: int, after: int | None = None
) -> tuple[ProvisioningReport, ...]:
    """What provisioners said of a dataset, the latest first. Raises NotFound."""
    with city.store.reading() as tx:
        _require_known(tx, caller, dataset)
        return Actuals(tx).reports(dataset, limit, after)


# -- showing --------------------------------------------------------------------------------------


def with_actual(
    tx: Transaction, rows: Sequence[tuple[str, str]], *, in_force: bool = False
) -> tuple[tuple[str, str], ...]:
    """Placements with what is known of each dataset.

    Parameters
    ----------
    rows
        (dataset, JSON of an ApprovedPlacement).

    Returns
    -------
    tuple
        (dataset, JSON of a PlacementStatus), in the same order.
    """
    actual = actual_of(tx, dict(rows), in_force=in_force)
    return tuple(
        (dataset, f'{body[:-1]},"actual":{actual[dataset].model_dump_json()}}}')
        for dataset, body in rows
    )


def actual_of(
    tx: Transaction, bodies: Mapping[str, str | None], *, in_force: bool = False
) -> dict[str, Actual]:
    """What is known of each dataset.

    Parameters
    ----------
    bodies
        JSON of the dataset's placement; none where the plan does not place it.
    in_force
        Judge by the plan in force, not by the one that was approved last.
    """
    known = Actuals(tx).of(bodies)
    rests = in_force or tx.city.standing_decision == tx.city.in_force_decision
    before = {} if rests else Placed(tx, in_force=True).sites(sorted(known))
    return {
        dataset: judged(
            dataset, _desired(body, before.get(dataset), rests=rests), known.get(dataset, ())
        )
        for dataset, body in bodies.items()
    }


def _desired(body: str | None, before: tuple[str, ...] | None, *, rests: bool) -> Desired:
    placed = {} if body is None else json.loads(body)
    sites = tuple(host["site"] for host in placed.get("sites", ()))
    if rests:
        return Desired(sites, in_force=True)
    return Desired(sites, before if before is not None else tuple(placed.get("from_sites", ())))


# -- telling --------------------------------------------------------------------------------------


def tell_drift(tx: Transaction, datasets: Iterable[str], actor: str) -> None:
    """Write an event for each dataset that differs from what was decided, and none twice.

    And one for each that differs no more. Where no plan stands nothing was decided.
    """
    standing, names = tx.city.standing_decision, sorted(set(datasets))
    if standing is None or not names:
        return
    placed = Placed(tx).bodies(names)
    actual = actual_of(tx, {name: placed.get(name) for name in names})
    events = []
    for name in names:
        kind = _news(Actuals(tx), actual[name])
        if kind is not None:
            body = json.loads(placed[name]) if name in placed else {}
            drift = _drift(actual[name], body.get("department"), standing, actor, tx)
            events.append(_event(tx, kind, drift))
    Outbox(tx).append(events)


def tell_every_drift(tx: Transaction, actor: str) -> None:
    """The same for every dataset that somebody looked for: another plan is in force."""
    tell_drift(tx, Actuals(tx).observed(), actor)


def _news(actuals: Actuals, actual: Actual) -> EventType | None:
    told, found = actuals.told(actual.dataset), found_at(actual)
    if actual.drifted and told != found:
        actuals.tell(actual.dataset, found)
        return EventType.DATASET_DRIFTED
    if not actual.drifted and told is not None:
        actuals.settle(actual.dataset)
        return EventType.DATASET_SETTLED
    return None


def _drift(
    actual: Actual, department: str | None, standing: int, actor: str, tx: Transaction
) -> DatasetDrift:
    return DatasetDrift(
        dataset=actual.dataset,
        department=department,
        decision=standing,
        desired=tuple(site.site for site in actual.sites if site.desired),
        found=found_at(actual),
        observed_at=tx.now,
        observed_by=actor,
    )


def _event(tx: Transaction, kind: EventType, drift: DatasetDrift) -> NewEvent:
    sites = tuple(sorted({*drift.desired, *drift.found}))
    return NewEvent(
        type=kind,
        dataset=drift.dataset,
        decision=drift.decision,
        sites=sites,
        operators=Actuals(tx).operators(sites),
        department=drift.department,
        data=drift.model_dump(mode="json"),
    )


# -- what concerns a dataset ----------------------------------------------------------------------


def _require_known(tx: Transaction, caller: Caller, dataset: str) -> None:
    """Raise NotFound unless the plan that stands, or an event, names a dataset that is seen."""
    if Placed(tx).read(dataset, caller.rows) is not None:
        return
    if caller.rows.all and Actuals(tx).last_change(dataset) is not None:
        return
    raise NotFound(f"no approved plan that you may see places the dataset {dataset}")


def _concerned(tx: Transaction, dataset: str) -> set[str]:
    """Sites that the last event about a dataset names, and those of the plan that stands."""
    last = Outbox(tx).last_of(dataset)
    return {*Placed(tx).sites([dataset]).get(dataset, ()), *(() if last is None else last.sites)}


def _record(
    tx: Transaction, caller: Caller, action: AuditAction, dataset: str, detail: dict[str, Any]
) -> None:
    tx.record(
        AuditEvent(
            action=action,
            actor=caller.subject,
            subject=f"dataset/{dataset}",
            detail=detail,
            request_id=caller.request_id,
        )
    )
