"""Drills: many what-ifs asked for at once, done by the workers, and collected in one answer.

    request -> what-ifs, each a job of its own -> one table

The drill and its jobs are committed together. From then on the jobs are like any others: done by
whichever worker is free, each with its own end. A drill itself is never written again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from models import (
    MOST_PARTS,
    Drill,
    DrillJob,
    DrillPart,
    DrillRecord,
    DrillSummary,
    ExitDrill,
    FrontierDrill,
    FrontierParameter,
    Job,
    JobState,
    Parameters,
    SiteRegister,
    WhatIf,
    decimal_text,
    drill_state,
)
from placement.errors import BadInput, Defect, StoreError
from placement.service import jobs, what_ifs
from placement.service.bodies import BODY, model_of
from placement.service.city import Caller, City
from placement.service.decisions import require_all_rows
from placement.store import Transaction
from placement.store.drills import Drills
from placement.store.jobs import Jobs

Asked = ExitDrill | FrontierDrill
_WHOLE = {FrontierParameter.MOVES_MAX}
"""Parameters that count."""
_SHARES = {
    FrontierParameter.OPERATOR_VOLUME_SHARE_MAX,
    FrontierParameter.OPERATOR_CRITICAL_SHARE_MAX,
    FrontierParameter.CLOSED_STACK_SHARE_MAX,
}


_KINDS: Mapping[Any, type[Asked]] = {"exit": ExitDrill, "frontier": FrontierDrill}


@dataclass(frozen=True)
class Part:
    """A what-if, and what it is called in its drill."""

    name: str
    asked: WhatIf


def request_of(document: Any) -> Asked:
    """The request in a decoded body. Raises BadInput with all its defects."""
    kind = document.get("kind") if isinstance(document, dict) else None
    if not isinstance(kind, str) or kind not in _KINDS:
        raise BadInput([Defect(BODY, "", "kind", f"one of {', '.join(_KINDS)} is expected")])
    return model_of(document, _KINDS[kind])


def ask(tx: Transaction, city: City, caller: Caller, asked: Asked) -> Drill:
    """A drill on the records of this moment, and a job for each of its parts.

    Raises
    ------
    BadInput
        When the records know nothing of what is named, or a value is none of its parameter's.
    NotAllowed
        When the caller does not see every record.
    """
    require_all_rows(caller)
    now = city.snapshots.at_head(tx)
    planned = parts_of(asked, now.register, now.parameters)
    submitted = [what_ifs.ask(tx, city, caller, part.asked) for part in planned]
    named = [
        DrillJob(name=part.name, job=job.id) for part, job in zip(planned, submitted, strict=True)
    ]
    record = Drills(tx).record(caller.subject, asked, now.version, named)
    return _collected(record, {job.id: job for job in submitted})


def read(city: City, caller: Caller, drill: str) -> Drill:
    """A drill with what its parts have come to so far. Raises NotFound, NotAllowed, StoreError."""
    require_all_rows(caller)
    with city.store.reading() as tx:
        return _read(tx, drill)


def list_drills(
    city: City, caller: Caller, *, after: str | None = None, limit: int = 100
) -> tuple[DrillSummary, ...]:
    """At most `limit` drills, the latest first, that follow the drill `after`.

    Raises
    ------
    NotFound
        When `after` is none of them.
    NotAllowed
        When the caller does not see every record.
    """
    require_all_rows(caller)
    with city.store.reading() as tx:
        records = Drills(tx).list(after=after, limit=limit)
        states = Jobs(tx).states([part.job for record in records for part in record.jobs])
    return tuple(
        DrillSummary(**_summary(record, [states[part.job] for part in record.jobs]))
        for record in records
    )


def cancel(tx: Transaction, caller: Caller, drill: str) -> Drill:
    """End every part that has not ended; what the others came to stays.

    Raises
    ------
    NotFound, NotAllowed, StoreError
    """
    require_all_rows(caller)
    for part in Drills(tx).get(drill).jobs:
        jobs.cancel(tx, caller, part.job)
    return _read(tx, drill)


# -- what a drill asks ----------------------------------------------------------------------------


def parts_of(asked: Asked, register: SiteRegister, parameters: Parameters) -> tuple[Part, ...]:
    """The what-ifs of a drill, in the order of its answer.

    Parameters
    ----------
    register
        The city's sites and operators.
    parameters
        The city's own; a frontier changes one of them.

    Raises
    ------
    BadInput
        With every name that the register does not know, and every value that is none.
    """
    if isinstance(asked, ExitDrill):
        return _exits(asked, register)
    return _frontier(asked, parameters)


def _exits(asked: ExitDrill, register: SiteRegister) -> tuple[Part, ...]:
    sites: dict[str, list[str]] = {operator.id: [] for operator in register.operators}
    for site in register.sites:
        sites[site.operator].append(site.id)
    companies = [o.id for o in register.operators if not o.municipal and sites[o.id]]
    defects = _repeated("operators", asked.operators)
    for number, operator in enumerate(asked.operators):
        if not sites.get(operator):
            why = "runs no site" if operator in sites else "the city's records have none"
            defects.append(Defect(BODY, f"operator {operator}", f"operators.{number}", why))
    if not asked.operators and not 0 < len(companies) <= MOST_PARTS:
        why = f"{len(companies)} run sites and are not the city: name 1 to {MOST_PARTS} operators"
        defects.append(Defect(BODY, "", "operators", why))
    if defects:
        raise BadInput(defects)
    return tuple(
        Part(operator, WhatIf(sites_out=tuple(sites[operator])))
        for operator in asked.operators or companies
    )


def _frontier(asked: FrontierDrill, parameters: Parameters) -> tuple[Part, ...]:
    texts = [decimal_text(value) for value in asked.values]
    defects = _repeated("values", texts)
    for number, value in enumerate(asked.values):
        why = _wrong(asked.parameter, value)
        if why:
            defects.append(Defect(BODY, f"value {texts[number]}", f"values.{number}", why))
    if defects:
        raise BadInput(defects)
    name, whole = asked.parameter.value, asked.parameter in _WHOLE
    return tuple(
        Part(
            text,
            WhatIf(parameters=parameters.model_copy(update={name: int(value) if whole else value})),
        )
        for text, value in zip(texts, asked.values, strict=True)
    )


def _wrong(parameter: FrontierParameter, value: Decimal) -> str:
    """Why a value cannot be one of this parameter; empty: it can."""
    if parameter in _SHARES and value > 1:
        return "a share from 0 to 1 is expected"
    if parameter in _WHOLE and (value != int(value) or value > 10**9):
        return "a whole number of datasets is expected"
    return ""


def _repeated(field: str, names: Sequence[str]) -> list[Defect]:
    return [
        Defect(BODY, "", f"{field}.{number}", f"{name} is named before")
        for number, name in enumerate(names)
        if name in names[:number]
    ]


# -- what it came to ------------------------------------------------------------------------------


def _read(tx: Transaction, drill: str) -> Drill:
    record = Drills(tx).get(drill)
    return _collected(record, Jobs(tx).several([part.job for part in record.jobs]))


def _collected(record: DrillRecord, found: dict[str, Job]) -> Drill:
    missing = [part.job for part in record.jobs if part.job not in found]
    if missing:
        raise StoreError(f"drill {record.id} names a job that is missing")
    parts = tuple(_part(named, found[named.job]) for named in record.jobs)
    bases = {part.basis for part in parts if part.basis is not None}
    versions = {basis.catalog_version for basis in bases} | {record.catalog_version}
    return Drill(
        **_summary(record, [part.state for part in parts]),
        one_basis=len(bases) <= 1 and len(versions) == 1,
        parts=parts,
    )


def _summary(record: DrillRecord, states: Sequence[JobState]) -> dict[str, Any]:
    asked = {name: value for name, value in record if name != "jobs"}
    ended = sum(state.final for state in states)
    return asked | {
        "state": drill_state(states),
        "parts_ended": ended,
        "parts_asked": len(states),
    }


def _part(named: DrillJob, job: Job) -> DrillPart:
    told = job.result or {}
    return DrillPart(
        name=named.name,
        job=job.id,
        state=job.state,
        problem=job.problem,
        report=f"/v1/what-ifs/{told['what_if']}" if told else None,
        **{name: told[name] for name in _TOLD if name in told},
    )


_TOLD = set(DrillPart.model_fields) - {"name", "job", "state", "problem", "report"}
"""What the job of a what-if says in its result under the same name."""
