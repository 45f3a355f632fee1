"""Fresh verdicts: every (dataset, site) pair is put to the raw policies by a single query."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date

from models import PolicyInput, PolicySite, Verdict, canonical_json
from placement.certificate.city import City

Ask = Callable[[PolicyInput], Verdict]
"""One single query to the raw policies; safe to call from several threads."""

AskSegregated = Callable[[PolicySite, Sequence[str], date], frozenset[tuple[str, str]]]
"""The pairs of duties (first < second) whose datasets must not meet at this site."""

QUERIES_AT_ONCE = 4


@dataclass(frozen=True)
class Verdicts:
    """What the policies say, kept once for datasets that policies cannot tell apart."""

    profile_of: Mapping[str, int]
    """Dataset -> row, numbered as they first occur in the catalogue."""
    rows: tuple[Mapping[str, Verdict], ...]
    """For each row: site -> verdict."""
    segregated: Mapping[str, frozenset[tuple[str, str]]]
    """Site -> pairs of duties that must not meet there."""

    def of(self, dataset: str, site: str) -> Verdict:
        """The verdict for one pair."""
        return self.rows[self.profile_of[dataset]][site]

    def at(self, dataset: str) -> Mapping[str, Verdict]:
        """The dataset's verdicts by site."""
        return self.rows[self.profile_of[dataset]]


def ask_everything(city: City, ask: Ask, ask_segregated: AskSegregated, as_of: date) -> Verdicts:
    """Ask once for each distinct question. An error of the policy engine ends it all."""
    profile_of, examples = _profiles(city)
    questions = [
        PolicyInput(dataset=city.policy_datasets[example], site=site, as_of=as_of)
        for example in examples
        for site in city.policy_sites.values()
    ]
    pool = ThreadPoolExecutor(max_workers=QUERIES_AT_ONCE)
    try:
        answers = list(pool.map(ask, questions))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    width = len(city.sites)
    rows = (answers[row * width : (row + 1) * width] for row in range(len(examples)))
    return Verdicts(
        profile_of=profile_of,
        rows=tuple(dict(zip(city.sites, row, strict=True)) for row in rows),
        segregated=_segregated(city, ask_segregated, as_of),
    )


def _profiles(city: City) -> tuple[dict[str, int], list[str]]:
    """Number the distinct policy documents, and name one dataset for each."""
    number: dict[bytes, int] = {}
    profile_of: dict[str, int] = {}
    examples: list[str] = []
    for dataset, document in city.policy_datasets.items():
        key = canonical_json(document)
        if key not in number:
            number[key] = len(examples)
            examples.append(dataset)
        profile_of[dataset] = number[key]
    return profile_of, examples


def _segregated(
    city: City, ask_segregated: AskSegregated, as_of: date
) -> dict[str, frozenset[tuple[str, str]]]:
    duties = sorted({duty for d in city.datasets.values() for duty in d.duties})
    return {name: ask_segregated(site, duties, as_of) for name, site in city.policy_sites.items()}
