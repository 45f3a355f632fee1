"""Keeping the catalogue: one record at a time, in the order of its versions.

Every change makes one version of the catalogue, only if all records still fit together, and stands
in the audit log in the same transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from models import (
    AuditEvent,
    CatalogVersion,
    Dataset,
    DerivedFrom,
    Frozen,
    Parameters,
    RecordKind,
    Relation,
    StoredRecord,
    related_datasets,
    relation_id,
)
from placement.errors import BadInput, Conflict, Defect, NotAllowed, NotFound
from placement.service.bodies import model_of
from placement.service.city import Caller, City
from placement.service.integrity import BODY, change_defects
from placement.service.performing import JSON, Reply
from placement.service.preconditions import Precondition
from placement.service.rows import keeps, sees
from placement.service.snapshot import Snapshot
from placement.store import Transaction
from placement.store.catalog import CatalogRecords
from placement.store.catalog_pages import Listed, RecordQuery, find_record, list_records
from placement.store.catalog_versions import action_of
from placement.store.records import Changes, Records, encoded


@dataclass(frozen=True)
class Resource:
    """What a family of routes keeps."""

    name: str
    """In paths: /v1/NAME."""
    word: str
    """In sentences and in the audit log."""
    kinds: tuple[RecordKind, ...]
    """Of several, a record may stand under each; all are then kept equal."""
    filters: tuple[str, ...] = ()
    sorts: tuple[str, ...] = ("id", "title")


DATASETS = Resource(
    "datasets",
    "dataset",
    (RecordKind.DATASET,),
    ("department", "confidentiality", "gdpr_category", "access_rights", "current_site"),
    ("id", "title", "volume_gb"),
)
SITES = Resource("sites", "site", (RecordKind.SITE,), ("operator", "country"))
OPERATORS = Resource("operators", "operator", (RecordKind.OPERATOR,), ("country",))
RELATIONS = Resource("relations", "relation", (RecordKind.RELATION,), (), ("id",))
ROLES = Resource(
    "roles", "role", (RecordKind.ROLE, RecordKind.SITE_ROLE), ("department", "country")
)
"""Roles of the city and, beside them, of operators' own staff."""
CONTRACTS = Resource("contracts", "contract", (RecordKind.CONTRACT,))


def list_of(city: City, query: RecordQuery) -> list[Listed]:
    """The records that a query finds. Raises StoreError."""
    with city.store.reading() as tx:
        return list_records(tx, query)


def read(city: City, caller: Caller, resource: Resource, ident: str) -> StoredRecord:
    """One record.

    Raises
    ------
    NotFound
        When there is none, or none that the caller may see.
    """
    with city.store.reading() as tx:
        return _seen(tx, caller, resource, ident)


def create(tx: Transaction, city: City, caller: Caller, resource: Resource, model: Frozen) -> Reply:
    """Add a record; 201 with where it stands.

    Raises
    ------
    Conflict
        When the id is taken.
    BadInput
        When it refers to nothing, or does not fit the others.
    NotAllowed
        When it would belong to others.
    """
    ident = ident_of(model)
    changes = {(resource.kinds[0], ident): model}
    _require_kept(caller, Records(), changes)
    if _kinds_with(tx, resource, ident):
        raise Conflict(f"there is a {resource.word} {ident} already")
    change(tx, city, caller, f"{resource.word}/{ident}", changes)
    return reply_with(resource, ident, model, 201)


def put(
    tx: Transaction,
    city: City,
    caller: Caller,
    resource: Resource,
    ident: str,
    model: Frozen,
    expected: Precondition,
) -> Reply:
    """Replace a record, or, with `If-None-Match: *`, add it.

    A relation's id is made of its content: a changed one has a new id, which the reply names.

    Raises
    ------
    PreconditionRequired, PreconditionFailed
        When the caller did not say which version is meant, or another one is there.
    NotFound, BadInput, NotAllowed
    """
    expected.require()
    known = find_record(tx, resource.kinds, ident, caller.rows)
    if known is None and expected.match is not None:
        raise NotFound(f"there is no {resource.word} {ident}")
    expected.check(None if known is None else known.digest)
    becomes = ident_of(model)
    if becomes != ident and (known is None or resource is not RELATIONS):
        raise BadInput([Defect(BODY, "", "id", f"{ident} is expected, as in the path")])
    if known is None:
        return create(tx, city, caller, resource, model)
    changes: dict[tuple[RecordKind, str], Frozen | None] = {}
    for kind in _kinds_with(tx, resource, ident):
        changes |= {(kind, ident): None, (kind, becomes): model}
    change(tx, city, caller, f"{resource.word}/{ident}", changes)
    return reply_with(resource, becomes, model, 200)


def delete(
    tx: Transaction,
    city: City,
    caller: Caller,
    resource: Resource,
    ident: str,
    expected: Precondition,
) -> Reply:
    """Remove a record that nothing refers to.

    Raises
    ------
    PreconditionRequired, PreconditionFailed, NotFound
    BadInput
        Naming each place that refers to it.
    """
    expected.require()
    known = _seen(tx, caller, resource, ident)
    expected.check(known.digest)
    removed = {(kind, ident): None for kind in _kinds_with(tx, resource, ident)}
    change(tx, city, caller, f"{resource.word}/{ident}", removed)
    return Reply(204)


def read_parameters(city: City) -> tuple[Parameters, str]:
    """The city's choices and their digest: the documented defaults, where it made none."""
    with city.store.reading() as tx:
        parameters = CatalogRecords(tx).parameters()
    return parameters, encoded(parameters)[1]


def put_parameters(
    tx: Transaction, city: City, caller: Caller, parameters: Parameters, expected: Precondition
) -> Reply:
    """Replace the city's choices. Raises PreconditionRequired, PreconditionFailed."""
    expected.check(encoded(CatalogRecords(tx).parameters())[1])
    change(tx, city, caller, "parameters", {(RecordKind.PARAMETERS, "parameters"): parameters})
    return Reply.json(parameters, etag=encoded(parameters)[1])


def change(
    tx: Transaction, city: City, caller: Caller, subject: str, changes: Changes
) -> CatalogVersion | None:
    """Make a version of the catalogue, if every record still fits; none where nothing changes.

    Raises
    ------
    NotAllowed
        When a dataset is, or would be, of a department that is not the caller's.
    BadInput
        With every place that does not fit.
    """
    head = city.snapshots.at_head(tx)
    after = head.records.with_changes(changes)
    _require_kept(caller, head.records, changes)
    defects = _unknown_members(caller, after, changes) or change_defects(
        head.records, after, changes, lambda name: _may_name(caller, head, after, name)
    )
    if defects:
        raise BadInput(defects)
    return commit(tx, caller, subject, changes)


def commit(
    tx: Transaction, caller: Caller, subject: str, changes: Changes
) -> CatalogVersion | None:
    """Make a version of changes that were found to fit, with its audit record."""
    version = CatalogRecords(tx).apply(changes, caller.subject)
    if version is not None:
        tx.record(
            AuditEvent(
                action=action_of(version.changes),
                actor=caller.subject,
                subject=subject,
                detail={
                    "version": version.version,
                    "digest": version.digest,
                    "summary": version.summary,
                    "changed": version.changed,
                    "records": [
                        {"kind": c.kind.value, "id": c.id, "digest": c.digest}
                        for c in version.changes[:_AUDITED]
                    ],
                },
                request_id=caller.request_id,
            )
        )
    return version


_AUDITED = 20
"""Changes that an audit record lists; its digest covers all."""


def ident_of(model: Frozen) -> str:
    """The id under which a record is kept."""
    ident = getattr(model, "id", None)
    return ident if isinstance(ident, str) else relation_id(_relation(model))


class _Relations(Frozen):
    relations: tuple[Relation, ...]


def relation_of(document: Any, ident: str | None = None) -> Relation:
    """The relation in a decoded body; an `id` may stand there, if it is the right one.

    Parameters
    ----------
    ident
        The id in the path: that of the relation that is replaced.

    Raises
    ------
    BadInput
        With all defects.
    """
    named = document.get("id") if isinstance(document, dict) else None
    if named is not None:
        document = {key: value for key, value in document.items() if key != "id"}
    (relation,) = model_of({"relations": [document]}, _Relations).relations
    if named is not None and named not in (ident, relation_id(relation)):
        raise BadInput([Defect(BODY, "", "id", "is not the id of this relation; leave it out")])
    return relation


def body_of(record: StoredRecord) -> str:
    """A record as clients see it: its stored JSON; of a relation with its id in front."""
    if record.kind is RecordKind.RELATION:
        return f'{{"id":"{record.id}",{record.body[1:]}'
    return record.body


def reply_with(resource: Resource, ident: str, model: Frozen, status: int) -> Reply:
    """The reply to a change of one record."""
    body, digest = encoded(model)
    stored = StoredRecord(kind=resource.kinds[0], id=ident, version=1, digest=digest, body=body)
    headers = {"content-type": JSON, "etag": f'"{digest}"'}
    where = f"/v1/{resource.name}/{ident.replace('/', '%2F')}"
    headers |= {"location": where} if status == 201 else {"content-location": where}
    return replace(Reply(status), body=body_of(stored).encode(), headers=headers)


def _seen(tx: Transaction, caller: Caller, resource: Resource, ident: str) -> StoredRecord:
    known = find_record(tx, resource.kinds, ident, caller.rows)
    if known is None:
        raise NotFound(f"there is no {resource.word} {ident}")
    return known


def _kinds_with(tx: Transaction, resource: Resource, ident: str) -> Sequence[RecordKind]:
    records = CatalogRecords(tx)
    return [kind for kind in resource.kinds if records.get(kind, ident) is not None]


def _require_kept(caller: Caller, before: Records, changes: Changes) -> None:
    """Callers change their own datasets alone, which stay their own, and relations of these."""
    for (kind, ident), model in changes.items():
        if kind is RecordKind.DATASET:
            touched = [before.datasets.get(ident), model]
        elif kind is RecordKind.RELATION and ident in before.relations:
            names = related_datasets(before.relations[ident])
            touched = [before.datasets.get(name) for name in names]
        else:
            continue
        for dataset in touched:
            if isinstance(dataset, Dataset) and not keeps(caller.rows, dataset):
                raise NotAllowed("a dataset of it is not, or would not stay, your department's")


def _unknown_members(caller: Caller, after: Records, changes: Changes) -> list[Defect]:
    """Datasets that changed relations name and that are not the caller's: as if not there."""
    if caller.rows.all:
        return []
    return [
        Defect(BODY, "", "", f"there is no dataset {name}")
        for (kind, _), model in changes.items()
        if kind is RecordKind.RELATION and model is not None
        for name in related_datasets(_relation(model))
        if (dataset := after.datasets.get(name)) is None or not keeps(caller.rows, dataset)
    ]


def _may_name(caller: Caller, head: Snapshot, after: Records, name: str) -> bool:
    known = after.datasets.get(name) or head.records.datasets.get(name)
    return known is None or sees(caller.rows, known)


def _relation(model: Frozen) -> Relation:
    if isinstance(model, DerivedFrom) or hasattr(model, "members"):
        return model  # type: ignore[return-value]
    raise AssertionError(f"{type(model).__name__} is no relation")
