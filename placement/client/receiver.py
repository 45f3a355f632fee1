"""A receiver of events: proven, understood, not late, certified, and each of them once.

    signature -> time -> CloudEvent -> done before? -> expired, withdrawn, certified? -> effect

    def place(received: Received, journal: sqlite3.Connection) -> None:
        ...

    receiver = Receiver([secret], Path("journal.sqlite3"), place)
    answer = receiver.handle(headers, body)    # or: serve(receiver, "127.0.0.1", 8080)

Once-only is the receiver's, by the message's id. What an effect writes over the journal's
connection happens exactly once. What it does elsewhere happens at least once: if the process dies
between the effect and the journal's commit, the effect is asked for again, with `again` set, and
must find what it did before.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from models import Certificate, DatasetChange, EventType, PlanEnded
from models.canonical import sha256_of
from placement.client.receiving import journal
from placement.client.receiving.answers import Answer, Refuse, Result, Unproven
from placement.client.receiving.journal import Busy, Journal
from placement.client.receiving.message import Received, read_message
from placement.client.receiving.verifying import secret_keys, verified_id
from placement.errors import PlacementError

__all__ = ["Answer", "Effect", "Receiver", "Received", "Refuse", "Result"]

Effect = Callable[[Received, sqlite3.Connection], None]
"""Does what a message asks for. It raises Refuse to refuse it for good; after every other exception
the sender tries again."""
CertificateOf = Callable[[int], Certificate]
"""The certificate of a decision, such as `lambda number: client.plan(number).certificate`."""
TOLERANCE_S = 300.0

_log = logging.getLogger(__name__)


class Receiver:
    """Handles messages. Safe to use from several threads; of a journal, effects run one by one.

    Parameters
    ----------
    secrets
        whsec_...; several while one is rotated.
    journal_file
        A SQLite file of the receiver's own, on a disk of this machine.
    effect
        What is done about a message.
    tolerance_s
        Seconds by which the sender's clock may differ.
    clock
        Now, with a time zone.
    certificate_of
        Where to get certificates; none: the digest in the event is believed unseen.

    Raises
    ------
    BadInput
        When a secret is none.
    """

    def __init__(
        self,
        secrets: Sequence[str],
        journal_file: Path,
        effect: Effect,
        *,
        tolerance_s: float = TOLERANCE_S,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        certificate_of: CertificateOf | None = None,
    ) -> None:
        self._keys = secret_keys(secrets)
        self._journal = Journal(journal_file)
        self._effect = effect
        self._tolerance_s = tolerance_s
        self._clock = clock
        self._certificate_of = certificate_of

    def handle(self, headers: Mapping[str, str], body: bytes) -> Answer:
        """The answer to a message; never an exception for what it says, or for what failed.

        Parameters
        ----------
        headers
            Of the request, by name in any case; each once.
        body
            The bytes of the request, as they came.
        """
        try:
            now = self._clock()
            ident = verified_id(self._keys, headers, body, now, self._tolerance_s)
            received = read_message(body, ident)
            result = self._once(received, now)
            _log.info("%s, %s: %s", received.dataset or received.type, received.id, result)
            return Answer(result)
        except Unproven as error:
            # Whoever reaches the port can make this line, so that it is no warning.
            _log.info("a message is not proven: %s", error)
            return Answer(Result.UNPROVEN, str(error))
        except Refuse as error:
            _log.warning("a message was refused: %s", error)
            return Answer(Result.REFUSED, str(error))
        except Busy:
            _log.info("a message came while others were at work: it is asked for again")
            return Answer(Result.FAILED, "others are at work here; try again")
        except Exception:  # noqa: BLE001  whatever an effect raises, the sender is to try again
            _log.exception("a message failed")
            return Answer(Result.FAILED, "it failed here; the receiver's log says why")

    def _once(self, received: Received, now: datetime) -> Result:
        if self._journal.state(received.id) in ("done", "overtaken"):
            return Result.REPEATED
        self._require_current(received, now)
        with self._journal.turn():
            return self._in_turn(received)

    def _in_turn(self, received: Received) -> Result:
        with self._journal.writing() as connection:
            again = journal.begin(connection, received)
        with self._journal.writing() as connection:
            # Somebody else may have brought it to an end while we waited for the lock.
            if journal.state(connection, received.id) != "begun":
                return Result.REPEATED
            if journal.overtaken(connection, received):
                journal.end(connection, received, "overtaken")
                return Result.OVERTAKEN
            self._effect(received.model_copy(update={"again": again}), connection)
            if received.type is EventType.PLAN_WITHDRAWN and isinstance(received.data, PlanEnded):
                journal.withdraw(connection, received.data.decision)
            journal.end(connection, received, "done")
        return Result.DONE

    def _require_current(self, received: Received, now: datetime) -> None:
        """Refuse a change by a plan that is expired, withdrawn or not certified."""
        change = received.data
        if not isinstance(change, DatasetChange):
            return
        if change.expires_at <= now:
            raise Refuse(f"expired at {change.expires_at.isoformat()}")
        if self._journal.is_withdrawn(change.decision):
            raise Refuse(f"decision {change.decision} was withdrawn")
        if self._certificate_of is None:
            return
        try:
            certificate = self._certificate_of(change.decision)
        except PlacementError as error:
            raise _Unavailable(f"the certificate cannot be had: {error.code}") from error
        if sha256_of(certificate) != change.certificate:
            raise Refuse(f"the certificate of decision {change.decision} is another one")
        if not certificate.holds or not certificate.checks:
            raise Refuse(f"the certificate of decision {change.decision} does not hold")


class _Unavailable(Exception):
    """Something that a message is checked with is not to be had now."""
