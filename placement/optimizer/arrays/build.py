"""From a columnar catalogue, its facts and its verdicts to an ArrayProblem, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models import FixedPair, Operator, Parameters, Role, Site
from models.columns import (
    MICRO,
    CatalogColumns,
    EligibilityColumns,
    FactColumns,
    Integers,
    Numbers32,
    PlacedColumns,
)
from placement.errors import SolverError
from placement.optimizer.arrays.classes import (
    Classes,
    SiteArrays,
    class_costs,
    critical_classes,
    open_pairs,
    read_classes,
    read_sites,
    verdicts,
)
from placement.optimizer.arrays.heavy import heavy_order
from placement.optimizer.arrays.limits import Totals, Weights, limits
from placement.optimizer.arrays.problem import Apart, ArrayProblem, Lineage, Segregation
from placement.optimizer.arrays.solution import ArraySolution
from placement.optimizer.arrays.units import Parts, contract
from placement.optimizer.attributes import Flags, Floats, Indices

PRICE_UNIT = 10**12
"""Row prices are published in 1e-12 EUR, messages and prices of pairs in 1e-6 EUR."""
MESSAGE_UNIT = 10**6


@dataclass(frozen=True)
class City:
    """Everything a placement problem of N datasets at S sites is made of."""

    columns: CatalogColumns
    facts: FactColumns
    eligibility: EligibilityColumns
    sites: tuple[Site, ...]
    operators: tuple[Operator, ...]
    roles: tuple[Role, ...]
    parameters: Parameters
    fixed: tuple[FixedPair, ...] = ()


@dataclass(frozen=True)
class Built:
    """An array problem, and what of the city its units, sites and flows are."""

    problem: ArrayProblem
    unit_of: Indices
    """(N,) unit of each dataset."""
    site_order: Indices
    """(S,) row in the register of each site of the problem."""
    edge_of: Indices
    """(F,) edge of the problem's lineage that each flow of the facts is part of, or -1."""
    share: Floats
    """(F,) the flow's part in that edge."""
    pair_of: Indices
    """(Q,) pair of the problem's `apart` whose price each pair of the facts carries, or -1: of
    several between the same units the first one with their level."""


def build(city: City) -> Built:
    """The arrays of a city.

    Raises
    ------
    SolverError
        Where a site's operator, a dataset's site of today or a fixed pair is not given.
    """
    columns, facts = city.columns, city.facts
    sites = read_sites(city.sites, city.operators)
    lost = {s for held in columns.current_sites for s in held} - set(sites.ids)
    if lost:
        raise SolverError(f"datasets rest at sites that are not given: {', '.join(sorted(lost))}")
    classes = read_classes(columns, city.eligibility)
    parts = _fixed(_parts(city, classes, sites), city, sites)
    units = contract(parts, facts.co_location)
    flows = _flows(facts, units.unit_of, units.parts, sites)
    apart, pair_of = _apart(facts, units.unit_of)
    problem = ArrayProblem(
        class_of=units.parts.class_of,
        features=units.parts.features,
        counts=np.ones(len(units.first)),
        cost=units.parts.cost,
        open=units.parts.open,
        replicas=units.parts.replicas,
        operator_of=sites.operator_of,
        rows=units.parts.rows,
        lineage=flows.single,
        replicated=flows.replicated,
        apart=apart,
        segregations=tuple(_segregations(city, classes, units.parts, units.unit_of, sites)),
    )
    problem, order = heavy_order(problem)
    place = np.empty(len(order), dtype=np.intp)
    place[order] = np.arange(len(order))
    return Built(problem, place[units.unit_of], sites.order, flows.edge_of, flows.share, pair_of)


def placed(built: Built, solution: ArraySolution) -> PlacedColumns:
    """The plan by dataset, sites as rows of the register, with its prices in whole numbers.

    Prices of rows are rounded, messages and prices of pairs rounded down: bounds are those of the
    numbers given here.
    """
    if solution.sites is None:
        raise SolverError("there is no plan to hand out")
    at = solution.sites.reshape(built.problem.units, -1)
    rows = np.where(at >= 0, built.site_order[at], np.iinfo(np.int32).max)
    rows.sort(axis=1)
    by_unit = np.where(rows == np.iinfo(np.int32).max, -1, rows).astype(np.int32)
    priced = zip(built.problem.rows, solution.prices.tolist(), strict=True)
    prices = {row.name: round(price * PRICE_UNIT) for row, price in priced}
    places, pairs = _meetings(built, solution)
    return PlacedColumns(
        sites=by_unit[built.unit_of],
        row_prices={name: price for name, price in prices.items() if price > 0},
        flow_prices=_published(built, solution.messages),
        pair_places=places,
        pair_prices=pairs,
    )


def _published(
    built: Built, messages: Floats | None
) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """(F, S) messages of the facts' flows at the register's sites."""
    shape = len(built.edge_of), len(built.site_order)
    if messages is None or not len(messages):
        return np.zeros((0, shape[1]), dtype=np.int64)
    published = np.zeros(shape, dtype=np.int64)
    flows = np.flatnonzero(built.edge_of >= 0)
    shares = messages[built.edge_of[flows]] * built.share[flows, None]
    published[np.ix_(flows, built.site_order)] = np.floor(shares * MESSAGE_UNIT)
    return published


def _meetings(built: Built, solution: ArraySolution) -> tuple[Numbers32, Integers]:
    """(Q,) register rows of the places, and prices, of the facts' pairs; (0,) without prices."""
    count = len(built.pair_of)
    places, prices = np.full(count, -1, dtype=np.int32), np.zeros(count, dtype=np.int64)
    if solution.apart_places is not None and solution.apart_prices is not None:
        problem, own = built.problem, np.flatnonzero(built.pair_of >= 0)
        pair = built.pair_of[own]
        amounts = np.floor(solution.apart_prices[pair] * MESSAGE_UNIT).astype(np.int64)
        own, pair, amounts = own[amounts > 0], pair[amounts > 0], amounts[amounts > 0]
        first = np.full(int(problem.operator_of.max()) + 1, problem.sites)
        np.minimum.at(first, problem.operator_of, built.site_order)
        at, whole = solution.apart_places[pair], problem.apart.whole_operator[pair]
        places[own[whole]] = first[at[whole]]
        places[own[~whole]] = built.site_order[at[~whole]]
        prices[own] = amounts
    kept = count if prices.any() else 0
    return places[:kept], prices[:kept]


def _parts(city: City, classes: Classes, sites: SiteArrays) -> Parts:
    columns, parameters = city.columns, city.parameters
    eligible, closed, penalty = verdicts(city.eligibility, sites)
    critical = critical_classes(classes, parameters)
    opened = open_pairs(classes, sites, eligible, critical, parameters.alternatives_min)
    cost = class_costs(classes, sites, columns, city.roles, parameters, penalty)
    features = np.stack(
        [
            np.ones(len(columns)),
            columns.volume_gb.astype(np.float64),
            columns.monthly_egress_ugb / MICRO,
            columns.monthly_read_ugb / MICRO,
        ]
    )
    weights = Weights(
        classes, sites, critical, closed[classes.profile], _stays(classes, sites, columns)
    )
    return Parts(
        class_of=classes.class_of,
        features=features,
        cost=np.where(opened[:, None, :], cost, 0.0),
        open=opened,
        replicas=classes.replicas,
        rows=tuple(limits(weights, parameters, _totals(columns, classes, critical))),
    )


def _totals(columns: CatalogColumns, classes: Classes, critical: Flags) -> Totals:
    replicas = classes.replicas[classes.class_of]
    held = np.array([bool(sites) for sites in columns.current_sites], dtype=np.bool_)
    return Totals(
        volume_gb=int((columns.volume_gb * replicas).sum()),
        critical=int(replicas[critical[classes.class_of]].sum()),
        placed=int(held[columns.current_of].sum()),
    )


def _stays(classes: Classes, sites: SiteArrays, columns: CatalogColumns) -> Floats:
    column = {site: s for s, site in enumerate(sites.ids)}
    stays = np.zeros((len(columns.current_sites), len(sites.ids)))
    for row, held in enumerate(columns.current_sites):
        if held:
            stays[row, column[held[0]]] = 1.0
    return stays[classes.current]


def _fixed(parts: Parts, city: City, sites: SiteArrays) -> Parts:
    """Datasets with fixed pairs become classes of their own, open only as the pairs allow."""
    rows: dict[int, list[FixedPair]] = {}
    for pair in city.fixed:
        row = city.columns.ids.index(pair.dataset).as_py()
        if row < 0 or pair.site not in sites.ids:
            raise SolverError(f"no such pair to fix: {pair.dataset} at {pair.site}")
        rows.setdefault(row, []).append(pair)
    if not rows:
        return parts
    at = np.array(sorted(rows), dtype=np.intp)
    old = parts.class_of[at]
    opened = np.stack(
        [
            _open_as_fixed(parts, k, rows[row], sites)
            for row, k in zip(at.tolist(), old, strict=True)
        ]
    )
    class_of = parts.class_of.copy()
    class_of[at] = len(parts.cost) + np.arange(len(at))
    return Parts(
        class_of=class_of,
        features=parts.features,
        cost=np.concatenate([parts.cost, parts.cost[old]]),
        open=np.concatenate([parts.open, opened]),
        replicas=np.concatenate([parts.replicas, parts.replicas[old]]),
        rows=tuple(
            row
            if len(row.weights) == 1
            else type(row)(
                row.name,
                row.sites,
                row.features,
                np.concatenate([row.weights, row.weights[old]]),
                row.rhs,
            )
            for row in parts.rows
        ),
    )


def _open_as_fixed(parts: Parts, k: int, pairs: Sequence[FixedPair], sites: SiteArrays) -> Flags:
    opened: Flags = parts.open[k].copy()
    required = [sites.ids.index(pair.site) for pair in pairs if pair.allowed]
    if required and parts.replicas[k] > 1:
        raise SolverError(f"{pairs[0].dataset} has replicas: none of them can be required here")
    if required:
        kept = np.zeros_like(opened)
        kept[required] = len(required) == 1
        opened &= kept
    opened[[sites.ids.index(pair.site) for pair in pairs if not pair.allowed]] = False
    return opened


@dataclass(frozen=True)
class _Flows:
    single: Lineage
    replicated: Lineage
    edge_of: Indices
    share: Floats


def _flows(facts: FactColumns, unit_of: Indices, parts: Parts, sites: SiteArrays) -> _Flows:
    """Flows between units; those within a unit cost nothing, as its members never part."""
    ends = np.stack([unit_of[facts.flow_source], unit_of[facts.flow_derived]], axis=1)
    yearly = 12.0 * facts.flow_ugb / MICRO
    apart = np.flatnonzero(ends[:, 0] != ends[:, 1])
    distinct, edge = np.unique(ends[apart], axis=0, return_inverse=True)
    edge = edge.ravel()
    total = np.bincount(edge, yearly[apart], len(distinct))
    replicas = parts.replicas[parts.class_of]
    single = (replicas[distinct] == 1).all(axis=1) if len(distinct) else np.zeros(0, np.bool_)
    number = np.where(single, np.cumsum(single) - 1, -1)
    edge_of = np.full(len(ends), -1, dtype=np.intp)
    share = np.zeros(len(ends))
    edge_of[apart] = number[edge]
    share[apart] = yearly[apart] / total[edge]
    return _Flows(
        _lineage(distinct[single], total[single], sites),
        _lineage(distinct[~single], total[~single], sites),
        edge_of,
        share,
    )


def _lineage(ends: Indices, yearly: Floats, sites: SiteArrays) -> Lineage:
    source, derived = ends.reshape(-1, 2).T
    return Lineage(
        np.ascontiguousarray(source), np.ascontiguousarray(derived), yearly, sites.egress_price
    )


def _apart(facts: FactColumns, unit_of: Indices) -> tuple[Apart, Indices]:
    """Distinct pairs of units; where both levels are asked for, the operator's holds.

    Beside them, for each pair of the facts, the pair of units whose price it carries, or -1.
    """
    ends = np.sort(
        np.stack([unit_of[facts.pair_first], unit_of[facts.pair_second]], axis=1), axis=1
    )
    distinct, pair = np.unique(ends, axis=0, return_inverse=True)
    pair = pair.ravel()
    whole = np.zeros(len(distinct), dtype=np.bool_)
    np.logical_or.at(whole, pair, facts.pair_whole_operator)
    if (distinct[:, 0] == distinct[:, 1]).any():
        raise SolverError("datasets must rest both together and apart")
    first, second = distinct.reshape(-1, 2).T
    alike = np.flatnonzero(facts.pair_whole_operator == whole[pair])
    numbers, at = np.unique(pair[alike], return_index=True)
    pair_of = np.full(len(pair), -1, dtype=np.intp)
    pair_of[alike[at]] = numbers
    return Apart(np.ascontiguousarray(first), np.ascontiguousarray(second), whole), pair_of


def _segregations(
    city: City, classes: Classes, parts: Parts, unit_of: Indices, sites: SiteArrays
) -> list[Segregation]:
    """Carriers of each duty by class of units; a group carries what any member carries."""
    found = []
    rules = sorted(
        set(city.eligibility.table.segregated_duties), key=lambda r: (r.site, r.duty, r.other)
    )
    unit_class = parts.class_of[unit_of]
    for rule in rules:
        sides = []
        for duty in (rule.duty, rule.other):
            of_class = np.array([duty in d.duties for d in classes.datasets], dtype=np.bool_)
            carriers = np.zeros(len(parts.cost), dtype=np.bool_)
            carriers[unit_class[of_class[classes.class_of]]] = True
            sides.append(carriers)
        found.append(Segregation(sites.ids.index(rule.site), sides[0], sides[1]))
    return found
