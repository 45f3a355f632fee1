"""Messages read strictly: CloudEvents 1.0 as structured JSON, with data that our models know."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field, ValidationError

from models import DatasetChange, DatasetDrift, EventType, Frozen, PlanEnded
from placement.client.receiving.answers import Refuse

_EXTENSION = re.compile(r"[a-z0-9]{1,50}", re.ASCII)
_DATA: dict[EventType, type[DatasetChange] | type[DatasetDrift] | type[PlanEnded]] = {
    EventType.DATASET_PLACED: DatasetChange,
    EventType.DATASET_MOVED: DatasetChange,
    EventType.DATASET_RETIRED: DatasetChange,
    EventType.OBLIGATIONS_CHANGED: DatasetChange,
    EventType.DATASET_DRIFTED: DatasetDrift,
    EventType.DATASET_SETTLED: DatasetDrift,
    EventType.PLAN_SUPERSEDED: PlanEnded,
    EventType.PLAN_WITHDRAWN: PlanEnded,
}


class Received(Frozen):
    """A message that is proven and understood, as an effect gets it."""

    id: str
    """The same at every delivery."""
    sequence: Annotated[int, Field(ge=1)]
    """Its place among all events of the service."""
    type: EventType
    at: datetime
    source: str
    data: DatasetChange | DatasetDrift | PlanEnded
    again: bool = False
    """It was begun before, and not brought to an end: some of its effect may be there."""

    @property
    def dataset(self) -> str | None:
        """The dataset that it concerns; none: it concerns a plan."""
        return None if isinstance(self.data, PlanEnded) else self.data.dataset


class _Envelope(Frozen):
    """CloudEvents 1.0 and the two extensions that we need; others are left out before."""

    specversion: Literal["1.0"]
    id: Annotated[str, Field(pattern=r"^evt_[0-9a-f]{32}$")]
    source: Annotated[str, Field(min_length=1, max_length=2000)]
    type: EventType
    time: AwareDatetime
    subject: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    datacontenttype: Literal["application/json"] = "application/json"
    dataschema: Annotated[str, Field(min_length=1, max_length=2000)] | None = None
    placementsequence: Annotated[int, Field(ge=1, lt=2**63, strict=True)]
    partitionkey: str | None = None
    """The dataset, where the event concerns one."""
    data: dict[str, Any]


def read_message(body: bytes, ident: str) -> Received:
    """The message in a body whose signature holds.

    Parameters
    ----------
    ident
        `webhook-id`: the message must have it, too.

    Raises
    ------
    Refuse
        When it is not what we understand, naming the first field that is not.
    """
    document = _strict(body)
    extensions = document.keys() - _Envelope.model_fields.keys()
    if not all(_EXTENSION.fullmatch(name) for name in extensions) or "data_base64" in document:
        raise Refuse("not a message: an attribute that CloudEvents 1.0 does not know")
    try:
        envelope = _Envelope.model_validate(
            {name: value for name, value in document.items() if name not in extensions}
        )
        # As JSON and strictly: true is no number there, and a number no text.
        told = json.dumps(envelope.data, allow_nan=False)
        data = _DATA[envelope.type].model_validate_json(told, strict=True)
        received = Received(
            id=envelope.id,
            sequence=envelope.placementsequence,
            type=envelope.type,
            at=envelope.time,
            source=envelope.source,
            data=data,
        )
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise Refuse(f"not a message: {where[:100] or 'it'} is not as expected") from error
    except ValueError as error:
        raise Refuse("not a message: a number is too large") from error
    _require_sense(received, ident)
    if envelope.partitionkey not in (None, received.dataset):
        raise Refuse("not a message: its partition key is another dataset")
    return received


def _require_sense(received: Received, ident: str) -> None:
    """What the parts of a message say must agree."""
    if received.id != ident:
        raise Refuse("not a message: its id is not that of its signature")
    data = received.data
    if not isinstance(data, DatasetChange):
        return
    if data.expires_at.tzinfo is None or data.approved_at.tzinfo is None:
        raise Refuse("not a message: a moment without a time zone")
    if (received.type is EventType.DATASET_RETIRED) != (not data.sites):
        raise Refuse("not a message: its type and its sites do not agree")


def _strict(body: bytes) -> dict[str, Any]:
    """One JSON object in UTF-8 without repeated keys."""
    try:
        document = json.loads(
            body.decode("utf-8"), object_pairs_hook=_distinct, parse_constant=_no_constant
        )
    except (ValueError, RecursionError) as error:
        raise Refuse("not a message: not JSON, or a key is repeated") from error
    if not isinstance(document, dict):
        raise Refuse("not a message: an object is expected")
    return document


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    decoded = dict(pairs)
    if len(decoded) != len(pairs):
        raise ValueError("a key is repeated")
    return decoded


def _no_constant(_text: str) -> float:
    raise ValueError("not JSON")
