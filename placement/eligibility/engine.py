"""Asks OPA which dataset may rest at which site."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from models import (
    EligibilityTable,
    PolicyBatchInput,
    PolicyDataset,
    PolicyInput,
    PolicySite,
    Verdict,
)
from placement.eligibility.answers import (
    VerdictReader,
    WireBatch,
    WirePair,
    as_segregated,
    read_batch,
    read_pairs,
    read_verdict,
)
from placement.eligibility.binary import find_opa
from placement.eligibility.bundle import read_bundle
from placement.eligibility.hosts import ManagedOpa, OpaHost, SharedOpa, parse_endpoint
from placement.eligibility.questions import BATCH, SEGREGATED_DUTIES, VERDICT, SegregationInput
from placement.errors import PolicyEngineError
from placement.settings import Settings

MAX_PAIRS = 5_000
"""Pairs (profile, site) in one batched query. An answer takes some 4 kB a pair, which bounds its
memory; more pairs go into several queries, as many at a time as there are processors."""


class PolicyEngine:
    """One OPA with one revision of the policies. Safe to use from several threads.

    Parameters
    ----------
    host
        The OPA to ask.
    revision
        SHA-256 of the policies, checked in every answer.
    deadline_s
        Seconds that one call of a method may take, whatever the number of queries behind it.

    Raises
    ------
    PolicyEngineError
        From every method, when OPA fails, is late, or says anything that is not an answer.
    """

    def __init__(self, host: OpaHost, revision: str, deadline_s: float) -> None:
        self._host = host
        self._deadline_s = deadline_s
        self.revision = revision
        # An empty question tells whether the policies are there, and are these policies.
        empty = {"datasets": [], "sites": [], "duties": [], "as_of": "2000-01-01"}
        result, self.opa_version = host.query(BATCH, empty, deadline_s)
        read_batch(result, profiles=0, sites=0)

    def evaluate(
        self,
        datasets: Sequence[tuple[str, PolicyDataset]],
        sites: Sequence[PolicySite],
        as_of: date,
    ) -> EligibilityTable:
        """Verdicts for N datasets at S sites; datasets with equal views share a profile.

        Profiles stand in the order in which they first appear.
        """
        profiles: dict[PolicyDataset, int] = {}
        profile_of = tuple(profiles.setdefault(view, len(profiles)) for _, view in datasets)
        reader = VerdictReader()
        rows: list[tuple[Verdict, ...]] = []
        pairs: list[WirePair] = []
        questions = _questions(tuple(profiles), tuple(sites), as_of)
        with _collector_paused(), _model_errors(), self._answers(questions) as answers:
            for batch in answers:
                rows.extend(tuple(map(reader.read, row)) for row in batch.verdicts)
                pairs.extend(batch.segregated_duties)
        names = tuple(site.id for site in sites)
        with _model_errors():
            return EligibilityTable(
                datasets=tuple(name for name, _ in datasets),
                sites=names,
                profile_of=profile_of,
                verdicts=tuple(rows),
                obligations=reader.obligations(),
                segregated_duties=as_segregated(pairs, names, questions[0].duties),
                policy_revision=self.revision,
                opa_version=self.opa_version,
                as_of=as_of,
            )

    def ask(self, question: PolicyInput) -> Verdict:
        """The verdict of one dataset at one site, by a query of its own."""
        result = self._query(VERDICT, question.model_dump(mode="json"), self._deadline_s)
        with _model_errors():
            return VerdictReader().read(read_verdict(result))

    def ask_segregated(
        self, site: PolicySite, duties: Sequence[str], as_of: date
    ) -> frozenset[tuple[str, str]]:
        """The pairs of these duties, in alphabetical order, that must not meet at the site."""
        question = SegregationInput(site=site, duties=tuple(sorted(set(duties))), as_of=as_of)
        result = self._query(SEGREGATED_DUTIES, question.model_dump(mode="json"), self._deadline_s)
        with _model_errors():
            pairs = as_segregated(read_pairs(result), [site.id], duties)
        return frozenset((pair.duty, pair.other) for pair in pairs)

    @contextmanager
    def _answers(self, questions: Sequence[PolicyBatchInput]) -> Iterator[Iterator[WireBatch]]:
        """The answers in the order of the questions, all within one deadline."""
        end = time.monotonic() + self._deadline_s

        def answer(question: PolicyBatchInput) -> WireBatch:
            left = end - time.monotonic()
            if left <= 0:
                raise PolicyEngineError(f"OPA did not answer within {self._deadline_s:.1f} s")
            result = self._query(BATCH, question.model_dump(mode="json"), left)
            return read_batch(result, len(question.datasets), len(question.sites))

        pool = ThreadPoolExecutor(min(len(questions), os.cpu_count() or 1), "opa-batch")
        try:
            yield pool.map(answer, questions)
        finally:
            # Who interrupts does not wait for answers; closing the host ends what still runs.
            pool.shutdown(wait=False, cancel_futures=True)

    def _query(self, rule: str, document: Mapping[str, Any], seconds: float) -> Any:
        result, version = self._host.query(rule, document, seconds)
        if version != self.opa_version:
            raise PolicyEngineError(f"OPA changed from {self.opa_version} to {version} half-way")
        return result


@contextmanager
def open_engine(policies: Path, settings: Settings) -> Iterator[PolicyEngine]:
    """An engine for the policies in a folder, until the `with` block ends.

    With `settings.opa_url` it asks the OPA there; else it starts one and stops it again.

    Raises
    ------
    PolicyEngineError
        When the policies cannot be read, or OPA is missing, too old or does not start.
    PolicyRevisionMismatch
        When a shared OPA does not hold the same policies.
    BadInput
        When `settings.opa_url`, `.opa_token` or `.opa_ca_file` cannot be used.
    """
    bundle = read_bundle(policies)
    host: OpaHost
    if settings.opa_url is not None:
        endpoint = parse_endpoint(settings.opa_url, settings.opa_token, settings.opa_ca_file)
        host = SharedOpa(endpoint, bundle.digest)
    else:
        host = ManagedOpa(find_opa(settings.opa_bin), bundle)
    try:
        yield PolicyEngine(host, bundle.digest, settings.opa_deadline_s)
    finally:
        host.close()


def _questions(
    profiles: tuple[PolicyDataset, ...], sites: tuple[PolicySite, ...], as_of: date
) -> list[PolicyBatchInput]:
    """The batched questions; only the first asks about duties, which depend on sites alone."""
    size = max(1, MAX_PAIRS // max(1, len(sites)))
    duties = tuple(sorted({duty for view in profiles for duty in view.duties}))
    return [
        PolicyBatchInput(
            datasets=profiles[start : start + size],
            sites=sites,
            duties=duties if start == 0 else (),
            as_of=as_of,
        )
        for start in range(0, max(1, len(profiles)), size)
    ]


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Without the cycle collector: it walks millions of new objects, for ever, and none is a cycle.

    Measured on 20,000 pairs: reading them takes 3.3 s instead of 11 s.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def _model_errors() -> Iterator[None]:
    """A value that the models refuse, such as an obligation without a proper code, is an error."""
    try:
        yield
    except ValidationError as error:
        defect = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in defect["loc"])
        raise PolicyEngineError(f"OPA's answer: {error.title}.{place}: {defect['msg']}") from error
