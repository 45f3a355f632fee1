"""The price bound: what no plan can cost less than, from prices alone and without a solver.

For prices p_r >= 0 of the coupling rows, flow prices 0 <= m_es <= 12 f_e g_s and prices l_q >= 0
of separated pairs q at a place P_q (the site they are priced at; all sites of the operator where
they part by operator),

    L(p, m, l) = sum over groups G (co-located datasets; else single ones) of the n_G smallest,
              over operators, of the smallest, over their sites s open to G, of
                  sum over d in G of [ c_ds + sum_r p_r w_r(d, s)
                      + sum over flows e out of d of m_es
                      - sum over flows e into d of max over the operator's sites t of m_et
                      + sum over pairs q of d with s in P_q of l_q ]
              - sum_r p_r b_r - sum_q l_q

with c_ds the cost of a replica on its own account, w and b from `rows`, n the replicas, f_e the
monthly GB of a flow with one replica at both ends and g_s the egress price. Weak duality makes it
a lower bound for *any* such prices (Geoffrion, Lagrangean relaxation for integer programming,
1974): for a plan that keeps every row, p_r (load_r - b_r) <= 0; and m_es less what the derived
dataset is granted is at most the cost of the flow. With the source's operator, it is granted
max_t m_et >= m_es, and the flow costs nothing; with another one, it is granted 0 or more, and
the flow costs 12 f_e g_s >= m_es.

A pair (i, j) pays l_q (sum over s in P_q of x_is + x_js) - l_q, which is at most 0 in every plan:
the sum is at most 1. At a site, i and j have at most one replica each, and do not both rest there.
With an operator, i has at most one replica, as replicas of one dataset rest with different
operators, so has j, and they do not both rest with it. So either may have any number of replicas,
and a member of a group pays for the group. A pair within one group is given no price: no plan
keeps it, and nothing would be proven of any.

The remaining choice of each group is the least over a set that holds all its choices in plans:

- Its n_G replicas rest with n_G different operators (replica_separation), so no choice costs
  less than the n_G smallest of the operators' smallest. For one replica that is the smallest.
- A site is open to G where it is allowed for every member and G alone, with the weights of all
  its members, fits into every row of weights >= 0 there: a row's other terms cannot make up for
  it. So `moves`, whose weights are negative, closes no site.

Where these leave fewer than n_G operators, no plan exists and every number is a bound; L then
keeps, as far as there are, the n_G smallest allowed sites. Segregation and flows with replicas
are relaxed, and separation where it has no price: that only lowers L.

Everything is counted in integers of 1/(tariff.unit * price_unit) EUR a year.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from fractions import Fraction

from placement.certificate.candidates import Candidates
from placement.certificate.city import City
from placement.certificate.costs import Tariff
from placement.certificate.exact import common_denominator, whole
from placement.certificate.prices import Prices
from placement.certificate.rows import Rows


def price_bound(
    city: City, tariff: Tariff, rows: Rows, candidates: Candidates, prices: Prices
) -> tuple[Fraction, tuple[str, ...]]:
    """L(p, m, l) in EUR a year, and the datasets that have too few allowed sites for any plan."""
    reduced = _ReducedCosts(city, tariff, rows, prices)
    grouped = {member for group in city.groups for member in group}
    singles = [(dataset,) for dataset in city.datasets if dataset not in grouped]
    total, failures = 0, list[str]()
    for group in (*city.groups, *singles):
        allowed = set.intersection(*(set(candidates.sites[member]) for member in group))
        wanted = city.datasets[group[0]].replicas
        if len(allowed) < wanted:
            names = ", ".join(group)
            failures.append(f"{names}: {len(allowed)} sites are allowed, {wanted} are needed")
        fitting = {s for s in allowed if _fits(group, s, rows)}
        usable = fitting if len({city.operator_of(s) for s in fitting}) >= wanted else allowed
        costs = {s: sum(reduced.of(member, s) for member in group) for s in usable}
        total += _least(costs, wanted, city)
    constant = sum(prices.pairs.values(), Fraction(0))
    for name, price in prices.rows.items():
        constant += price * rows.rows[name].limit / rows.rows[name].weight_unit
    return Fraction(total, reduced.unit) - constant, tuple(failures)


def _fits(group: tuple[str, ...], site: str, rows: Rows) -> bool:
    """Whether the group keeps every row of weights >= 0 at the site when nothing else rests."""
    load = Counter[str]()
    for member in group:
        for row, weight in rows.weights(member, site):
            load[row] += weight
    return all(
        weight <= rows.rows[row].limit
        for row, weight in load.items()
        if rows.rows[row].family != "moves"
    )


def _least(costs: Mapping[str, int], replicas: int, city: City) -> int:
    """The least sum of as many sites of different operators; of any sites if there are none."""
    cheapest: dict[str, int] = {}
    for site, cost in costs.items():
        operator = city.operator_of(site)
        cheapest[operator] = min(cost, cheapest.get(operator, cost))
    apart = len(cheapest) >= replicas
    return sum(sorted(cheapest.values() if apart else costs.values())[:replicas])


class _ReducedCosts:
    """Cost of one replica at one site when rows, flows and pairs are paid for at their prices."""

    def __init__(self, city: City, tariff: Tariff, rows: Rows, prices: Prices) -> None:
        self._city, self._tariff, self._rows = city, tariff, rows
        amounts = [*prices.rows.values(), *prices.flows.values(), *prices.pairs.values()]
        self._price_unit = common_denominator(amounts)
        self.unit = tariff.unit * self._price_unit
        # A weight counts 1/weight_unit of what is priced, and weight_unit divides tariff.unit.
        self._price = {
            name: whole(price * self.unit / rows.rows[name].weight_unit)
            for name, price in prices.rows.items()
            if price
        }
        self._paid: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._granted: defaultdict[tuple[str, str], int] = defaultdict(int)
        most: defaultdict[tuple[str, str, str], list[int]] = defaultdict(list)
        for (source, derived, site), price in prices.flows.items():
            self._paid[source, site] += whole(price * self.unit)
            most[source, derived, city.operator_of(site)].append(whole(price * self.unit))
        for (_, derived, operator), messages in most.items():
            self._granted[derived, operator] += max(messages)
        self._charge_pairs(prices)

    def _charge_pairs(self, prices: Prices) -> None:
        """Either of a pair pays at the site, or at all sites of the operator."""
        sites_of: defaultdict[str, list[str]] = defaultdict(list)
        for site in self._city.sites:
            sites_of[self._city.operator_of(site)].append(site)
        for (first, second, place), price in prices.pairs.items():
            whole_operator = self._city.separations[first, second] == "operator"
            for site in sites_of[place] if whole_operator else (place,):
                self._paid[first, site] += whole(price * self.unit)
                self._paid[second, site] += whole(price * self.unit)

    def of(self, dataset: str, site: str) -> int:
        """In 1/unit EUR a year."""
        cost = sum(self._tariff.pair(dataset, site)) * self._price_unit
        for row, weight in self._rows.weights(dataset, site):
            cost += self._price.get(row, 0) * weight
        cost += self._paid.get((dataset, site), 0)
        return cost - self._granted.get((dataset, self._city.operator_of(site)), 0)
