"""From an approved plan to infrastructure: events, who gets them, and what became of them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from models.base import Flag, Frozen, Identifier
from models.dataset import AccessRights, GdprCategory
from models.levels import ClassificationLevel
from models.lifecycle import ApprovedPlacement, HostedAt
from models.plan import Sha256
from models.principal import Subject
from models.site import StorageKind

MOST_FILTERED = 1000
"""Values that one filter may name."""
MOST_OVERLAP_HOURS = 14 * 24


class EventType(StrEnum):
    """What happened, as it stands in `type` of the CloudEvent."""

    DATASET_PLACED = "placement.dataset.placed"
    """A dataset that no approved plan placed before, and that rested at these sites or nowhere."""
    DATASET_MOVED = "placement.dataset.moved"
    """Its sites differ from those of the plan that stood, or from where the catalogue has it."""
    DATASET_RETIRED = "placement.dataset.retired"
    """The plan that stood placed it, the new one does not."""
    OBLIGATIONS_CHANGED = "placement.dataset.obligations-changed"
    """Its sites stay; what its hosts must do, or who may do what with it, does not."""
    DATASET_DRIFTED = "placement.dataset.drifted"
    """It was found elsewhere than decided, or is not where it was said to be."""
    DATASET_SETTLED = "placement.dataset.settled"
    """It is where it was decided again, after it had drifted."""
    PLAN_SUPERSEDED = "placement.plan.superseded"
    PLAN_WITHDRAWN = "placement.plan.withdrawn"


class AccessLevel(StrEnum):
    """What a role may do with a dataset, the least first."""

    READ = "read"
    WRITE = "write"
    ADMINISTER = "administer"


class Grant(Frozen):
    """A role to grant access to, at the highest level that it needs."""

    role: Identifier
    level: AccessLevel


class DatasetChange(Frozen):
    """The data of a dataset's event: what is to be, in full; it names no earlier event."""

    decision: int
    dataset: Identifier
    title: str
    department: str | None
    sites: tuple[HostedAt, ...]
    """Where it is to rest, and what each host must do. Empty: it is retired."""
    from_sites: tuple[Identifier, ...]
    """Where it was to rest before, or else where the catalogue had it."""
    storage: StorageKind
    volume_gb: int
    """Volume of one replica."""
    confidentiality: ClassificationLevel | None
    """Effective class, as the two below."""
    gdpr_category: GdprCategory | None
    access_rights: AccessRights | None
    grants: tuple[Grant, ...]
    """Roles to grant access to at every site, sorted; nobody else is to have any."""
    plan: Sha256
    """Digest of the plan that the board stands behind."""
    certificate: Sha256
    """SHA-256 of the canonical JSON of its certificate."""
    policies: Sha256
    approved_at: datetime
    expires_at: datetime
    """Nobody should act on this event any more from then on."""


class DatasetDrift(Frozen):
    """The data of a drift's event, and of its end."""

    dataset: Identifier
    department: str | None
    decision: int
    """The plan that stands."""
    desired: tuple[Identifier, ...]
    """Sites by the plan, sorted."""
    found: tuple[Identifier, ...]
    """Sites where it was found, sorted."""
    observed_at: datetime
    observed_by: Subject


class PlanEnded(Frozen):
    """The data of a plan's event."""

    decision: int
    plan: Sha256
    replaced_by: int | None
    """The decision that superseded it; none: it was withdrawn."""


class OutboxEvent(Frozen):
    """An event as it is kept: written in the transaction of what it tells."""

    sequence: Annotated[int, Field(ge=1)]
    """Its place among all events; without gaps a reader need rely on."""
    id: Annotated[str, Field(pattern=r"^evt_[0-9a-f]{32}$")]
    """The same at every delivery: by it a receiver knows what it has done already."""
    type: EventType
    at: datetime
    dataset: Identifier | None
    """None: it concerns a plan. Events of one dataset are delivered in their order."""
    decision: int
    sites: tuple[Identifier, ...]
    """Sites that it concerns, those that it leaves, too: for filters."""
    operators: tuple[Identifier, ...]
    department: str | None
    data: dict[str, Any]
    """Plain JSON of DatasetChange, DatasetDrift or PlanEnded."""


# -- subscriptions --------------------------------------------------------------------------------


class SubscriptionForm(StrEnum):
    """How events are told."""

    CLOUDEVENTS = "cloudevents"
    """CloudEvents 1.0, structured JSON."""
    NGSI_LD = "ngsi-ld"
    """NGSI-LD notifications of entities."""


class SubscriptionState(StrEnum):
    """Whether a subscription gets anything."""

    ACTIVE = "active"
    PAUSED = "paused"
    """Events wait for it."""


class EventFilter(Frozen):
    """Which events a subscription gets. An empty list lets everything pass."""

    types: Annotated[tuple[EventType, ...], Field(max_length=MOST_FILTERED)] = ()
    sites: Annotated[tuple[Identifier, ...], Field(max_length=MOST_FILTERED)] = ()
    """One of them is enough."""
    operators: Annotated[tuple[Identifier, ...], Field(max_length=MOST_FILTERED)] = ()
    departments: Annotated[tuple[str, ...], Field(max_length=MOST_FILTERED)] = ()

    def admits(self, event: OutboxEvent) -> bool:
        """Whether an event passes. Events of plans pass by their type alone."""
        if self.types and event.type not in self.types:
            return False
        if event.dataset is None:
            return True
        return (
            _meets(self.sites, event.sites)
            and _meets(self.operators, event.operators)
            and (not self.departments or event.department in self.departments)
        )


class NewSubscription(Frozen):
    """What a subscriber asks for."""

    url: Annotated[str, Field(min_length=1, max_length=2000)]
    """https://..., at a host that the service's settings allow."""
    form: SubscriptionForm = SubscriptionForm.CLOUDEVENTS
    filter: EventFilter = EventFilter()
    description: Annotated[str, Field(max_length=500)] = ""
    ngsi_ld: dict[str, Any] | None = None
    """The NGSI-LD subscription as it was put, where the form is that."""


class SecretInfo(Frozen):
    """A secret that events are signed with. The secret itself is shown once, when it is made."""

    number: Annotated[int, Field(ge=1)]
    created_at: datetime
    expires_at: datetime | None
    """The end of the overlap after a rotation; none: it is the current one."""


class Subscription(Frozen):
    """Who gets events."""

    id: Annotated[str, Field(pattern=r"^sub_[0-9a-f]{32}$")]
    version: Annotated[int, Field(ge=1)]
    """Counts its changes: its ETag."""
    url: str
    form: SubscriptionForm
    filter: EventFilter
    description: str
    state: SubscriptionState
    created_at: datetime
    created_by: Subject
    secrets: tuple[SecretInfo, ...]
    waiting: Annotated[int, Field(ge=0)] = 0
    """Deliveries that are still to be made."""
    dead: Annotated[int, Field(ge=0)] = 0
    """Deliveries that were given up: each holds back what follows for the same dataset."""
    ngsi_ld: dict[str, Any] | None = None


class SubscriptionSecret(Frozen):
    """A subscription with a secret just made: the only time that it is shown."""

    subscription: Subscription
    secret: Annotated[str | None, Field(repr=False)]
    """whsec_..., as Standard Webhooks writes it; none in the reply to a repeated request."""


class SubscriptionChange(Frozen):
    """A subscription as it is to be from now on."""

    url: Annotated[str, Field(min_length=1, max_length=2000)]
    filter: EventFilter = EventFilter()
    description: Annotated[str, Field(max_length=500)] = ""
    state: SubscriptionState = SubscriptionState.ACTIVE


class SecretRotation(Frozen):
    """A wish for another secret."""

    overlap_hours: Annotated[int, Field(ge=0, le=MOST_OVERLAP_HOURS, strict=True)] = 24
    """How long events are signed with the former secret, too."""


class DeliveryChoice(Frozen):
    """Which deliveries are meant."""

    events: Annotated[tuple[str, ...], Field(min_length=1, max_length=MOST_FILTERED)] | None = None
    """Ids of their events; none: every dead one."""


class DeliveriesMoved(Frozen):
    """How many deliveries were redriven or discarded."""

    deliveries: Annotated[int, Field(ge=0)]


class DeliveryState(StrEnum):
    """How far a delivery is."""

    PENDING = "pending"
    DELIVERED = "delivered"
    """The receiver answered 2xx."""
    DEAD = "dead"
    """Every attempt failed. A person may try it again, or discard it."""
    DISCARDED = "discarded"
    """A person gave it up; what follows goes on."""


class Delivery(Frozen):
    """One event on its way to one subscription."""

    subscription: str
    event: str
    sequence: int
    """The event's."""
    type: EventType
    dataset: Identifier | None
    state: DeliveryState
    attempts: Annotated[int, Field(ge=0)]
    next_attempt_at: datetime | None
    """None: it is ended, or waits for an earlier one of its dataset."""
    last_status: int | None
    """HTTP status of the last attempt that got an answer."""
    last_error: str
    """Why the last attempt failed, in one line; never a secret, nor a body of the receiver's."""
    ended_at: datetime | None


# -- what became of it ----------------------------------------------------------------------------


class ProvisioningState(StrEnum):
    """What a provisioner says of one dataset at one site."""

    PENDING = "pending"
    """It is at it."""
    DONE = "done"
    """All is as the plan says: the dataset is there as demanded, or gone where it is not to be."""
    FAILED = "failed"


class Evidence(Frozen):
    """What a statement rests on."""

    summary: Annotated[str, Field(max_length=2000)] = ""
    reference: Annotated[str, Field(max_length=2000)] = ""
    """Such as the URL of a build, an ARN, or a ticket."""
    sha256: Sha256 | None = None
    """Of a log or a state file kept elsewhere."""


class NewProvisioningReport(Frozen):
    """A provisioner's report."""

    decision: Annotated[int, Field(ge=1)]
    site: Identifier
    state: ProvisioningState
    event: Annotated[str, Field(pattern=r"^evt_[0-9a-f]{32}$")] | None = None
    """The event that it acted on."""
    evidence: Evidence = Evidence()


class ProvisioningReport(Frozen):
    """A report as it was recorded. Of one dataset and site the latest counts."""

    number: Annotated[int, Field(ge=1)]
    dataset: Identifier
    at: datetime
    actor: Subject
    report: NewProvisioningReport


class NewObservation(Frozen):
    """Where somebody looked, and found a dataset or not."""

    found: tuple[Identifier, ...]
    """Sites where it was found."""
    looked_at: tuple[Identifier, ...] = ()
    """Further sites that were looked at, where it is not."""
    evidence: Evidence = Evidence()


class Observation(Frozen):
    """An observation as it was recorded."""

    number: Annotated[int, Field(ge=1)]
    dataset: Identifier
    at: datetime
    actor: Subject
    observation: NewObservation


class ActualSite(Frozen):
    """What is known of one dataset at one site."""

    site: Identifier
    desired: Flag
    """By the plan that stands."""
    state: ProvisioningState | None
    """What the provisioner said last of the plan that stands; none: nothing."""
    found: Flag | None
    """Whether it was there when somebody looked last; none: nobody did."""
    reported_at: datetime | None = None
    reported_by: Subject | None = None
    observed_at: datetime | None = None
    observed_by: Subject | None = None
    evidence: Evidence = Evidence()
    """Of what was said last."""


class Actual(Frozen):
    """What is known of where a dataset is, beside where it is to be."""

    dataset: Identifier
    sites: tuple[ActualSite, ...]
    """Desired sites and those where it was found, sorted."""
    drifted: Flag
    """It was found where it is not to be, or is missing where it was provisioned."""
    drift: tuple[str, ...] = ()
    """One sentence for each difference."""


class PlacementStatus(ApprovedPlacement):
    """A placement beside what is known of it, as /v1/placements shows it."""

    actual: Actual


def grants_of(placed: ApprovedPlacement) -> tuple[Grant, ...]:
    """Each role once, at the highest level that a placement names it for."""
    levels: dict[str, AccessLevel] = dict.fromkeys(placed.readers, AccessLevel.READ)
    levels |= dict.fromkeys(placed.writers, AccessLevel.WRITE)
    levels |= dict.fromkeys(placed.administrators, AccessLevel.ADMINISTER)
    return tuple(Grant(role=role, level=levels[role]) for role in sorted(levels))


def _meets(wanted: tuple[str, ...], given: tuple[str, ...]) -> bool:
    return not wanted or not set(wanted).isdisjoint(given)
