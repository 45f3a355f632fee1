"""Exact re-check of HiGHS's answer, from the problem itself, in integers and fractions.

HiGHS holds rows to a tolerance, which in a row of large volumes is gigabytes. What it lets slip
in a coupling row is cut off for good with a cover inequality (Crowder, Johnson, Padberg 1983):
if a set K of placements overloads a row, then sum_{K} x <= |K| - 1 holds for every plan, so the
next answer is neither worse than the best plan nor overloaded in the same way. Any other
constraint has coefficients of one; an answer that breaks those is an error.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import floor

from models import Dataset, Parameters, Problem, Site, StorageKind
from placement.errors import SolverError

Placed = Mapping[str, tuple[str, ...]]
"""Site ids of every dataset."""


@dataclass(frozen=True)
class Overload:
    """A coupling row that is exceeded, and a minimal set of (dataset, site) that exceeds it."""

    name: str
    cover: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class _Load:
    """One placement's part in a coupling row."""

    name: str
    weight: Fraction
    dataset: str
    site: str


class ExactCheck:
    """All constraints of one problem, to be held against answers."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._datasets = {d.id: d for d in problem.datasets}
        self._sites = {s.id: s for s in problem.sites}
        self._row = {d.id: i for i, d in enumerate(problem.datasets)}
        self._column = {s.id: j for j, s in enumerate(problem.sites)}
        self._capped = {o.id for o in problem.operators if not o.municipal}
        self._unit: dict[str, tuple[str, ...]] = {d.id: (d.id,) for d in problem.datasets}
        self._unit.update({d: group for group in problem.facts.co_location for d in group})
        self._limits = _limits(problem)

    def overloads(self, placed: Placed) -> list[Overload]:
        """Coupling rows that an answer exceeds; [] for a good answer.

        Raises
        ------
        SolverError
            Where the answer breaks a constraint that no tolerance explains.
        """
        broken = next(self._broken(placed), None)
        if broken is not None:
            raise SolverError(f"the solver's answer breaks {broken}")
        return self.exceeded(placed)

    def holds(self, placed: Placed) -> bool:
        """Whether placements meet every constraint."""
        return next(self._broken(placed), None) is None and not self.exceeded(placed)

    def exceeded(self, placed: Placed) -> list[Overload]:
        """Coupling rows that placements exceed, whatever else they break."""
        loads: dict[str, list[_Load]] = defaultdict(list)
        for load in self._loads(placed):
            loads[load.name].append(load)
        return [
            self._overload(name, given)
            for name, given in sorted(loads.items())
            if sum(load.weight for load in given) > self._limits[name]
        ]

    def _overload(self, name: str, loads: list[_Load]) -> Overload:
        """The heaviest placements, by unit, until the row is exceeded."""
        by_unit: dict[tuple[tuple[str, ...], str], Fraction] = defaultdict(Fraction)
        for load in loads:
            by_unit[self._unit[load.dataset], load.site] += load.weight
        total, cover = Fraction(0), []
        for (unit, site), weight in sorted(by_unit.items(), key=lambda item: (-item[1], item[0])):
            cover.append((unit[0], site))
            total += weight
            if total > self._limits[name]:
                break
        return Overload(name, tuple(cover))

    def _loads(self, placed: Placed) -> Iterator[_Load]:
        parameters, table = self._problem.parameters, self._problem.eligibility
        for name, at in placed.items():
            dataset = self._datasets[name]
            for site in (self._sites[s] for s in at):
                closed = table.verdict(self._row[name], self._column[site.id]).closed_stack
                volume = Fraction(dataset.volume_gb)
                yield _Load(f"capacity[{site.id}]", volume, name, site.id)
                if closed:
                    yield _Load("closed_stack", volume, name, site.id)
                if site.operator not in self._capped:
                    continue
                yield _Load(f"concentration_volume[{site.operator}]", volume, name, site.id)
                if is_critical(dataset, parameters):
                    row = f"concentration_critical[{site.operator}]"
                    yield _Load(row, Fraction(1), name, site.id)
                if parameters.exit_budget_eur is not None:
                    cost = exact_exit_cost(dataset, site, parameters, closed=closed)
                    yield _Load("exit_budget", cost, name, site.id)

    def _broken(self, placed: Placed) -> Iterator[str]:
        """Constraints with coefficients of one that an answer breaks."""
        yield from self._broken_assignments(placed)
        facts = self._problem.facts
        for group in facts.co_location:
            if len({placed[member] for member in group}) > 1:
                yield f"co_location[{'|'.join(group)}]"
        for pair in facts.separations:
            a, b = placed[pair.first], placed[pair.second]
            if pair.level == "operator":
                a, b = self._operators(a), self._operators(b)
            if set(a) & set(b):
                yield f"separation[{pair.first}|{pair.second}]"
        for rule in self._problem.eligibility.segregated_duties:
            here = [d for d in self._problem.datasets if rule.site in placed[d.id]]
            one = {d.id for d in here if rule.duty in d.duties}
            other = {d.id for d in here if rule.other in d.duties}
            if one and other and len(one | other) > 1:
                yield f"segregation[{rule.site}]"
        limit = self._problem.parameters.moves_max
        moved = sum(
            d.current_site is not None and d.current_site not in placed[d.id]
            for d in self._problem.datasets
        )
        if limit is not None and moved > limit:
            yield "moves"

    def _broken_assignments(self, placed: Placed) -> Iterator[str]:
        table = self._problem.eligibility
        for dataset in self._problem.datasets:
            at = placed[dataset.id]
            eligible = all(
                table.verdict(self._row[dataset.id], self._column[s]).eligible
                and storage_price(dataset, self._sites[s]) is not None
                for s in at
            )
            if len(set(at)) != dataset.replicas or not eligible:
                yield f"assignment[{dataset.id}]"
            if dataset.replicas > 1 and len(set(self._operators(at))) < len(at):
                yield f"replica_separation[{dataset.id}]"
            if not all(self._has_alternatives(dataset, s) for s in at):
                yield f"alternatives[{dataset.id}]"
        for pair in self._problem.fixed:
            if (pair.site in placed[pair.dataset]) is not pair.allowed:
                yield f"fixed[{pair.dataset}|{pair.site}]"

    def _has_alternatives(self, dataset: Dataset, at: str) -> bool:
        parameters, table = self._problem.parameters, self._problem.eligibility
        if not is_critical(dataset, parameters):
            return True
        others = {
            site.operator
            for site in self._problem.sites
            if table.verdict(self._row[dataset.id], self._column[site.id]).eligible
            and storage_price(dataset, site) is not None
        } - {self._sites[at].operator}
        return len(others) >= parameters.alternatives_min

    def _operators(self, at: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(self._sites[s].operator for s in at)


def is_critical(dataset: Dataset, parameters: Parameters) -> bool:
    """Availability is at least the critical level."""
    return dataset.availability is not None and dataset.availability >= parameters.critical_level


def storage_price(dataset: Dataset, site: Site) -> Fraction | None:
    """EUR per GB and month for the dataset's kind of storage; none when not offered."""
    price = (
        site.object_price_eur_per_gb_month
        if dataset.storage is StorageKind.OBJECT
        else site.block_price_eur_per_gb_month
    )
    return None if price is None else Fraction(price)


def exact_exit_cost(
    dataset: Dataset, site: Site, parameters: Parameters, *, closed: bool
) -> Fraction:
    """e_ds of [exit_budget], EUR once, at a site that the city does not run itself."""
    days = (site.exit_notice_days or 0) + (site.transfer_window_days or 0)
    price = storage_price(dataset, site) or Fraction(0)
    kept = dataset.volume_gb * (Fraction(site.egress_price_eur_per_gb) + price * days / 30)
    return kept + (Fraction(parameters.closed_rework_eur_per_dataset) if closed else 0)


def _limits(problem: Problem) -> Mapping[str, Fraction]:
    """Right-hand side of every coupling row with weights beyond one."""
    parameters = problem.parameters
    volume = sum(d.volume_gb * d.replicas for d in problem.datasets)
    critical = sum(d.replicas for d in problem.datasets if is_critical(d, parameters))
    limits = {f"capacity[{s.id}]": Fraction(s.capacity_gb) for s in problem.sites}
    share = Fraction(parameters.operator_volume_share_max)
    most = max(1, floor(Fraction(parameters.operator_critical_share_max) * critical))
    for operator in problem.operators:
        limits[f"concentration_volume[{operator.id}]"] = share * volume
        limits[f"concentration_critical[{operator.id}]"] = Fraction(most)
    limits["closed_stack"] = Fraction(parameters.closed_stack_share_max) * volume
    limits["exit_budget"] = Fraction(parameters.exit_budget_eur or 0)
    return limits
