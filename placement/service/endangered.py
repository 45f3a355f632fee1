"""Which datasets a missed clause endangers, read from the verdicts on them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from models import Catalog, DerivedFrom, EligibilityTable
from models.procurement import ContractClause, EndangeredDataset, MissedClause
from placement.reading import Reading


@dataclass(frozen=True)
class Findings:
    """The verdicts, by dataset and site, for the codes that contracts can meet."""

    read: Reading
    table: EligibilityTable

    def of_collection(
        self, clauses: Iterable[ContractClause], datasets: Collection[str]
    ) -> tuple[MissedClause, ...]:
        """What datasets under one contract, or under none, fail at some site."""
        numbers = self._numbers(datasets)
        found = []
        for clause in clauses:
            words: dict[int, frozenset[str]] = {}
            for number in numbers:
                row = self.table.verdicts[self.table.profile_of[number]]
                said = frozenset(
                    violation.message
                    for verdict in row
                    for violation in verdict.violations
                    if violation.obligation == clause.obligation
                )
                if said:
                    words[number] = said
            if words:
                found.append(self._missed(clause, words, endangers=words))
        return tuple(found)

    def of_hosting(
        self, clauses: Iterable[ContractClause], site: int, resting: Collection[str]
    ) -> tuple[MissedClause, ...]:
        """What datasets fail at one site."""
        here = set(self._numbers(resting))
        profiles = [
            {violation.obligation: violation.message for violation in row[site].violations}
            for row in self.table.verdicts
        ]
        found = []
        for clause in clauses:
            code = clause.obligation
            if not any(code in messages for messages in profiles):
                continue
            words = {
                number: frozenset((profiles[profile][code],))
                for number, profile in enumerate(self.table.profile_of)
                if code in profiles[profile]
            }
            endangers = [number for number in words if number in here]
            found.append(
                self._missed(
                    clause,
                    {number: words[number] for number in endangers} or words,
                    endangers=endangers,
                    whatever_data=len(words) == len(self.table.datasets),
                    keeps_out=len(words) - len(endangers),
                )
            )
        return tuple(found)

    def _missed(
        self,
        clause: ContractClause,
        words: Mapping[int, frozenset[str]],
        *,
        endangers: Iterable[int],
        whatever_data: bool = False,
        keeps_out: int = 0,
    ) -> MissedClause:
        return MissedClause(
            clause=clause,
            findings=tuple(sorted(frozenset[str]().union(*words.values()))),
            endangers=self._endangered(sorted(endangers)),
            whatever_data=whatever_data,
            keeps_out=keeps_out,
        )

    def _endangered(self, direct: list[int]) -> tuple[EndangeredDataset, ...]:
        """These datasets, and those derived from them, each once."""
        names = [self.table.datasets[number] for number in direct]
        origins: dict[str, str | None] = dict.fromkeys(names)
        derived = _derived(self.read.catalog)
        for name in names:
            waiting = [name]
            while waiting:
                for further in derived.get(waiting.pop(), ()):
                    if further not in origins:
                        origins[further] = name
                        waiting.append(further)
        places = {name: number for number, name in enumerate(self.table.datasets)}
        return tuple(self._dataset(places[name], origin) for name, origin in origins.items())

    def _dataset(self, number: int, origin: str | None) -> EndangeredDataset:
        dataset = self.read.catalog.datasets[number]
        effective = self.read.facts.effective[number]
        return EndangeredDataset(
            dataset=dataset.id,
            title=dataset.title,
            owner_department=dataset.owner_department,
            volume_gb=dataset.volume_gb,
            confidentiality=effective.confidentiality,
            gdpr_category=effective.gdpr_category,
            access_rights=effective.access_rights,
            derived_from=origin,
        )

    def _numbers(self, names: Collection[str]) -> list[int]:
        wanted = set(names)
        return [number for number, name in enumerate(self.table.datasets) if name in wanted]


def _derived(catalog: Catalog) -> Mapping[str, list[str]]:
    """Source -> what is derived from it, in the order of the catalogue's relations."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for relation in catalog.relations:
        if isinstance(relation, DerivedFrom):
            found[relation.source].append(relation.derived)
    return found
