"""Subscriptions: who gets events, what they are signed with, and how many wait.

A secret is kept sealed: this module neither seals nor opens it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, update

from models import (
    DeliveryState,
    EventFilter,
    NewSubscription,
    SecretInfo,
    Subscription,
    SubscriptionForm,
    SubscriptionState,
)
from placement.errors import NotFound
from placement.store.engine import Transaction
from placement.store.tables import (
    DeliveryRow,
    OutboxRow,
    SubscriptionRow,
    SubscriptionSecretRow,
)


@dataclass(frozen=True)
class Receiver:
    """What is needed to deliver to a subscription."""

    subscription: Subscription
    """Without its counts."""
    secrets: tuple[tuple[SecretInfo, str], ...]
    """With their sealed texts, the current one first."""


class Subscriptions:
    """The subscriptions of a store, seen in one transaction.

    Everything that changes one locks its row: so no delivery is made or settled meanwhile.
    """

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._session = tx.session

    def create(
        self, id_: str, asked: NewSubscription, created_by: str, sealed_secret: str
    ) -> Subscription:
        """Keep a new one, active: it gets what happens from now on.

        Parameters
        ----------
        id_
            sub_ and 32 hexadecimal digits.
        sealed_secret
            Its first secret, encrypted.
        """
        row = SubscriptionRow(
            id=id_,
            version=1,
            url=asked.url,
            form=asked.form.value,
            filter=asked.filter.model_dump(mode="json"),
            description=asked.description,
            ngsi_ld=asked.ngsi_ld,
            state=SubscriptionState.ACTIVE.value,
            created_at=self._tx.now,
            created_by=created_by,
            position=self._session.scalar(select(func.max(OutboxRow.sequence))) or 0,
        )
        self._session.add(row)
        self._session.flush()
        return self.add_secret(id_, sealed_secret, self._tx.now)

    def get(self, id_: str) -> Subscription:
        """One subscription. Raises NotFound."""
        return self._shown([self._row(id_)])[0]

    def list(self, limit: int, after: str | None = None) -> tuple[Subscription, ...]:
        """At most `limit` in the order of their ids, behind the one called `after`."""
        query = select(SubscriptionRow).order_by(SubscriptionRow.id).limit(limit)
        if after is not None:
            query = query.where(SubscriptionRow.id > after)
        return self._shown(self._session.scalars(query).all())

    def update(
        self,
        id_: str,
        *,
        url: str | None = None,
        filter: EventFilter | None = None,  # noqa: A002  the field's name
        description: str | None = None,
        state: SubscriptionState | None = None,
        ngsi_ld: dict[str, Any] | None = None,
    ) -> Subscription:
        """Change what is given, and count the version up.

        A new filter judges what nobody has looked at yet: what waits was let through before.
        Raises NotFound.
        """
        row = self._locked(id_)
        row.version += 1
        if url is not None:
            row.url = url
        if filter is not None:
            row.filter = filter.model_dump(mode="json")
        if description is not None:
            row.description = description
        if state is not None:
            row.state = state.value
        if ngsi_ld is not None:
            row.ngsi_ld = ngsi_ld
        self._session.flush()
        return self.get(id_)

    def delete(self, id_: str) -> None:
        """End it, with its secrets and everything that waits for it. Raises NotFound."""
        self._locked(id_)
        for table in (DeliveryRow, SubscriptionSecretRow):
            self._session.execute(delete(table).where(table.subscription == id_))
        self._session.execute(delete(SubscriptionRow).where(SubscriptionRow.id == id_))
        self._session.expire_all()

    # -- secrets ----------------------------------------------------------------------------

    def add_secret(self, id_: str, sealed: str, overlap_until: datetime) -> Subscription:
        """Make a secret the current one; those before it sign, too, until the overlap is over.

        Secrets that ended before are forgotten. Raises NotFound.
        """
        self._locked(id_)
        secret = SubscriptionSecretRow
        mine = secret.subscription == id_
        last = self._session.scalar(select(func.max(secret.number)).where(mine)) or 0
        self._session.execute(delete(secret).where(mine, secret.expires_at <= self._tx.now))
        self._session.execute(
            update(secret).where(mine, secret.expires_at.is_(None)).values(expires_at=overlap_until)
        )
        # Somebody who rotates again, at once, ends what leaked before sooner, too.
        self._session.execute(
            update(secret)
            .where(mine, secret.expires_at > overlap_until)
            .values(expires_at=overlap_until)
        )
        row = secret(
            subscription=id_,
            number=last + 1,
            sealed=sealed,
            created_at=self._tx.now,
            expires_at=None,
        )
        self._session.add(row)
        self._session.flush()
        return self.get(id_)

    def secrets(self, id_: str) -> tuple[tuple[SecretInfo, str], ...]:
        """Secrets with their sealed texts, the current one first, without those that have ended."""
        found = self._secrets([id_])
        return tuple((_info(row), row.sealed) for row in found)

    def receiver(self, id_: str) -> Receiver | None:
        """A subscription as the deliverer needs it; none: it was deleted."""
        row = self._session.get(SubscriptionRow, id_)
        if row is None:
            return None
        return Receiver(_subscription(row, (), {}), self.secrets(id_))

    # -- parts ------------------------------------------------------------------------------

    def _row(self, id_: str) -> SubscriptionRow:
        # What cannot be an id may not be a text either, to PostgreSQL.
        plain = id_.isascii() and id_.isprintable()
        row = self._session.get(SubscriptionRow, id_) if plain else None
        if row is None:
            raise NotFound("there is no such subscription")
        return row

    def _locked(self, id_: str) -> SubscriptionRow:
        row = self._row(id_)
        self._session.refresh(row, with_for_update=True)
        return row

    def _secrets(self, ids: Sequence[str]) -> Sequence[SubscriptionSecretRow]:
        secret = SubscriptionSecretRow
        query = select(secret).where(secret.subscription.in_(ids))
        query = query.where(secret.expires_at.is_(None) | (secret.expires_at > self._tx.now))
        query = query.order_by(secret.subscription, secret.number.desc())
        return self._session.scalars(query.execution_options(populate_existing=True)).all()

    def _shown(self, rows: Sequence[SubscriptionRow]) -> tuple[Subscription, ...]:
        ids = [row.id for row in rows]
        secrets, counts = self._secrets(ids), self._counts(ids)
        return tuple(
            _subscription(row, [one for one in secrets if one.subscription == row.id], counts)
            for row in rows
        )

    def _counts(self, ids: Sequence[str]) -> dict[tuple[str, str], int]:
        """How many deliveries wait, and how many were given up, by subscription and state."""
        counted = (DeliveryState.PENDING.value, DeliveryState.DEAD.value)
        query = (
            select(DeliveryRow.subscription, DeliveryRow.state, func.count())
            .where(DeliveryRow.subscription.in_(ids), DeliveryRow.state.in_(counted))
            .group_by(DeliveryRow.subscription, DeliveryRow.state)
        )
        found = self._session.execute(query)
        return {(subscription, state): count for subscription, state, count in found}


def _subscription(
    row: SubscriptionRow,
    secrets: Sequence[SubscriptionSecretRow],
    counts: Mapping[tuple[str, str], int],
) -> Subscription:
    return Subscription(
        id=row.id,
        version=row.version,
        url=row.url,
        form=SubscriptionForm(row.form),
        filter=EventFilter.model_validate(row.filter),
        description=row.description,
        state=SubscriptionState(row.state),
        created_at=row.created_at,
        created_by=row.created_by,
        secrets=tuple(map(_info, secrets)),
        waiting=counts.get((row.id, DeliveryState.PENDING.value), 0),
        dead=counts.get((row.id, DeliveryState.DEAD.value), 0),
        ngsi_ld=row.ngsi_ld,
    )


def _info(row: SubscriptionSecretRow) -> SecretInfo:
    return SecretInfo(number=row.number, created_at=row.created_at, expires_at=row.expires_at)
