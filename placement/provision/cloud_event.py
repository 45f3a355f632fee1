"""Events as CloudEvents 1.0: structured JSON, one event a message.

Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
"""

from __future__ import annotations

from models import OutboxEvent

CONTENT_TYPE = "application/cloudevents+json"
DEFAULT_SOURCE = "/placement"


def cloud_event(event: OutboxEvent, source: str = DEFAULT_SOURCE) -> bytes:
    """An event as it is sent.

    Parameters
    ----------
    event
        As it stands in the outbox.
    source
        The service that tells it: a URL, or a path.

    Returns
    -------
    bytes
        UTF-8 JSON, the same at every delivery. Beside CloudEvents' own attributes:
        `placementsequence` (of one dataset, greater is later) and `partitionkey` (the dataset:
        events with the same key are in order).
    """
    from cloudevents.core.formats.json import JSONFormat
    from cloudevents.core.v1.event import CloudEvent

    attributes = {
        "specversion": "1.0",
        "id": event.id,
        "source": source,
        "type": event.type.value,
        "subject": subject(event),
        "time": event.at,
        "datacontenttype": "application/json",
        "placementsequence": event.sequence,
    }
    if event.dataset is not None:
        attributes["partitionkey"] = event.dataset
    return JSONFormat().write(CloudEvent(attributes, event.data))


def subject(event: OutboxEvent) -> str:
    """What an event concerns: a dataset, or a decision's plan."""
    if event.dataset is None:
        return f"decision/{event.decision}"
    return f"dataset/{event.dataset}"
