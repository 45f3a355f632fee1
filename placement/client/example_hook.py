"""An example hook: folders or S3 buckets as approved plans demand them, and what became of them.

    python -m placement.client.example_hook --secret-file F --port 8081 --folder D
        [--service URL --token-file F]
    python -m placement.client.example_hook --look --folder D --service URL --token-file F

It makes a place for a dataset at each site with the settings that the host obligations demand,
says `pending` before and `done` or `failed` after, each with evidence, and never deletes data: a
place that is left is removed when it is empty, and marked as long as it is not. With `--look` it
makes nothing: it tells the service in which places data is, once, as a timer would have it.
"""

from __future__ import annotations

import argparse
import json
import logging
import sqlite3
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from models import (
    DatasetChange,
    Evidence,
    HostedAt,
    NewProvisioningReport,
    ProvisioningState,
)
from placement.client.hooking.buckets import Buckets, s3_client
from placement.client.hooking.duties import Outcome
from placement.client.hooking.folders import Folders
from placement.client.hooking.looking import Holding, look
from placement.client.receiver import CertificateOf, Received, Receiver, Refuse
from placement.client.receiving.server import ReceiverServer
from placement.errors import BadInput, Conflict, Defect, PlacementError
from placement.settings import trusted_url

if TYPE_CHECKING:
    from placement.client import Client

Report = Callable[[str, NewProvisioningReport], object]
"""Tells the service what became of a dataset, such as `client.report`."""


class Places(Holding, Protocol):
    """Where datasets are put."""

    def make(self, change: DatasetChange, hosted: HostedAt) -> Outcome:
        """A place at a site, made or brought up to date."""

    def leave(self, change: DatasetChange, site: str) -> str:
        """Give up a place; empty: it is gone, else what it is waiting for."""


class Hook:
    """What is done about a message. It can be repeated: all of it looks at what is there.

    Parameters
    ----------
    places
        Where to put datasets.
    report
        Tells the service; none: nobody is told.
    """

    def __init__(self, places: Places, report: Report | None = None) -> None:
        self._places = places
        self._report = report

    def __call__(self, received: Received, _journal: sqlite3.Connection) -> None:
        """Do what a message asks for; messages of drift and of plans ask for nothing.

        Raises
        ------
        Refuse
            When the service says that the plan says nothing any more.
        """
        change = received.data
        if not isinstance(change, DatasetChange):
            return
        kept = {hosted.site for hosted in change.sites}
        left = [site for site in change.from_sites if site not in kept]
        # Before anything is made: a plan that is stale is refused here.
        for site in (*sorted(kept), *left):
            self._tell(received, change, site, ProvisioningState.PENDING, Evidence())
        for hosted in change.sites:
            outcome = self._places.make(change, hosted)
            state = ProvisioningState.FAILED if outcome.unmet else ProvisioningState.DONE
            evidence = Evidence(summary=outcome.summary, reference=outcome.reference)
            self._tell(received, change, hosted.site, state, evidence)
        for site in left:
            waits = self._places.leave(change, site)
            state = ProvisioningState.PENDING if waits else ProvisioningState.DONE
            evidence = Evidence(summary=waits or "no place of this hook's is left here")
            self._tell(received, change, site, state, evidence)

    def _tell(
        self,
        received: Received,
        change: DatasetChange,
        site: str,
        state: ProvisioningState,
        evidence: Evidence,
    ) -> None:
        if self._report is None:
            return
        told = NewProvisioningReport(
            decision=change.decision, site=site, state=state, event=received.id, evidence=evidence
        )
        try:
            self._report(change.dataset, told)
        except Conflict as error:
            raise Refuse(f"the service takes no report: {error}") from error


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until interrupted; the exit code."""
    options = _options().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("placement").setLevel(logging.INFO)
    try:
        if options.look:
            return _look(options)
        report, certificate_of = _service(options)
        receiver = Receiver(
            _lines(options.secret_file, "--secret-file"),
            options.journal or options.secret_file.with_suffix(".journal.sqlite3"),
            Hook(_places(options), report),
            certificate_of=certificate_of,
        )
        server = ReceiverServer(receiver, options.host, options.port)
    except PlacementError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except OSError as error:
        sys.stderr.write(f"{options.host}:{options.port}: {error.strerror}\n")
        return 2
    with server:
        sys.stderr.write(f"listening on http://{options.host}:{server.port}\n")
        sys.stderr.flush()
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return 0
    return 0


def _look(options: argparse.Namespace) -> int:
    """Tell the service where data is. 1: that is not where it was decided to be."""
    client = _client(options)
    if client is None:
        raise _bad("--service", "--look tells the service what it finds: its URL is expected")
    with client:
        return 1 if look(client, _places(options), print) else 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m placement.client.example_hook", description="An example hook."
    )
    add = parser.add_argument
    add("--secret-file", type=Path, help="whsec_..., one a line; the newest first")
    add("--host", default="127.0.0.1", help="address to listen on")
    add("--port", type=int, default=0, help="by default any free one")
    add("--look", action="store_true", help="only tell the service where data is; 1: it drifted")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--folder", type=Path, help="make folders below this one")
    where.add_argument("--s3-url", help="make buckets of this service; needs boto3")
    add("--city-key", help="id of the city's key in the S3 service's key management")
    add("--attested", type=Path, help="JSON: obligation -> where it stands that people see to it")
    add("--journal", type=Path, help="what was done; by default beside the secret file")
    add("--service", help="URL of the placement service, for certificates and reports")
    add("--token-file", type=Path, help="its bearer token")
    return parser


def _places(options: argparse.Namespace) -> Places:
    attested = _attested(options.attested)
    if options.folder is not None:
        if not options.folder.is_dir():
            raise _bad("--folder", "it is no folder")
        return Folders(options.folder, attested)
    if not trusted_url(options.s3_url):
        raise _bad("--s3-url", "https://..., or http:// with a loopback host, is expected")
    return Buckets(s3_client(options.s3_url), attested, options.city_key)


def _service(options: argparse.Namespace) -> tuple[Report | None, CertificateOf | None]:
    client = _client(options)
    if client is None:
        return None, None
    return client.report, lambda decision: client.plan(decision).certificate


def _client(options: argparse.Namespace) -> Client | None:
    """The service; none: none was named."""
    if options.service is None:
        return None
    from placement.client import Client

    if options.token_file is None:
        raise _bad("--token-file", "the service asks for a token")
    return Client(options.service, _lines(options.token_file, "--token-file")[0])


def _attested(path: Path | None) -> Mapping[str, str]:
    if path is None:
        return {}
    try:
        said = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise _bad("--attested", "it cannot be read as JSON") from error
    if not isinstance(said, dict) or not all(isinstance(one, str) for one in said.values()):
        raise _bad("--attested", 'such as {"security.report_breaches": "contract 12, art. 4"}')
    return said


def _lines(path: Path | None, option: str) -> list[str]:
    """What stands in a file, a line each, without blanks around."""
    if path is None:
        raise _bad(option, "a file is expected")
    try:
        text = path.read_text(encoding="ascii")
    except (OSError, ValueError) as error:
        raise _bad(option, "the file cannot be read as text") from error
    found = [line.strip() for line in text.splitlines() if line.strip()]
    if not found:
        raise _bad(option, "the file is empty")
    return found


def _bad(option: str, message: str) -> BadInput:
    return BadInput([Defect("", option, "", message)])


if __name__ == "__main__":
    sys.exit(main())
