"""The price bound of a million datasets: no plan costs less, from prices alone.

For row prices p >= 0, messages 0 <= m_es <= 12 f_e g_s of flows e with one replica at both ends
and prices l_q >= 0 of separated pairs q at one place each, with units u (co-located groups, else
single datasets) of n_u replicas,

    L(p, m, l) = sum_u (sum of the n_u smallest, over operators, of the smallest, over their light
                 sites s open to u, of sum over d in u of c'_ds) - sum_r p_r b_r - sum_q l_q

is a lower bound on the cost of every plan: the argument, and what is relaxed, stands in
`placement.certificate.bound`. c' is defined in `reduced`. Here a derived dataset is granted the
*largest* message of an operator's sites, at each of them. The source rests at s and pays m_es.
If the derived dataset rests with the same operator, it is granted max_t m_et >= m_es: together
they pay no more than the flow costs, nothing. If it rests with another operator, it is granted
0 or more, and m_es is at most what the flow costs, 12 f_e g_s.

How it is computed
------------------
1. Sites s(u) are chosen by c' in float64 (`reduced`, `choice`).
2. V, the value of L at that choice, is summed exactly: loads are whole numbers, coefficients and
   prices fractions (`loads`). A choice other than the cheapest makes V too large, so V alone is
   no lower bound.
3. A computed value is within gamma_k M of the exact one, M the sum of the magnitudes of its
   terms. If T is the chosen and T* the cheapest set of sites of a unit, then
   c'(T) - gamma M(T) <= computed(T) <= computed(T*) <= c'(T*) + gamma M(T*), and since all terms
   are >= 0 but those of moves and of messages granted, whose magnitudes are at most g_u,
   M(T*) <= c'(T*) + 2 g_u <= c'(T) + 2 g_u <= M(T) + 2 g_u. So V exceeds L by at most

       slack = 2 gamma sum_u (M(T_u) + g_u),

   also summed exactly. V - slack <= L <= V: it is a lower bound whatever the rounding. With
   k = 40, the slack is 1e-14 of the cost and of what the rows are priced at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from models.columns import Groups, Integers, Numbers32
from placement.certificate.columns.choice import Chooser
from placement.certificate.columns.city import ColumnCity
from placement.certificate.columns.costs import Terms
from placement.certificate.columns.loads import Term, loads_of
from placement.certificate.columns.prices import BLOCK, MESSAGE_UNIT, Prices
from placement.certificate.columns.reduced import ReducedCosts
from placement.certificate.columns.rows import Row, Totals
from placement.certificate.columns.sums import add_up

MANTISSA = 2**53


@dataclass(frozen=True)
class Bound:
    """What the prices prove."""

    value: Fraction
    """V - slack, EUR a year: no plan costs less."""
    slack: Fraction
    """L is at most this much above `value`."""
    unplaceable: Integers
    """Datasets that have too few open sites for any plan."""


def price_bound(
    city: ColumnCity,
    costs: Terms,
    rows: Mapping[str, Row],
    totals: Totals,
    prices: Prices,
    groups: Groups,
) -> Bound:
    """L(p, m, l) from below."""
    paid = {name: price for name, price in prices.rows.items() if price}
    terms: list[Term] = [term for component in costs.values() for term in component]
    terms += [t.times(price) for name, price in paid.items() for t in rows[name].terms]
    reduced = ReducedCosts(city, terms, prices.messages, prices.meetings)
    choice = Chooser(city, rows, reduced).choose(groups)
    loads = loads_of(city, choice.sites)
    cost = sum((loads.value(component) for component in costs.values()), Fraction(0))
    loaded = {name: price * rows[name].load(loads) for name, price in paid.items()}
    messages = _messages(city, prices.messages, reduced, choice.sites)
    apart = Fraction(prices.meetings.paid(choice.sites, city.places.operator_of), MESSAGE_UNIT)
    constant = sum((price * rows[name].limit for name, price in paid.items()), Fraction(0))
    constant += Fraction(prices.meetings.total, MESSAGE_UNIT)
    value = cost + sum(loaded.values(), Fraction(0)) + messages.paid - messages.granted
    value += apart - constant
    magnitude = cost + sum(map(abs, loaded.values()), Fraction(0)) + messages.paid
    magnitude += messages.granted + messages.most + apart
    magnitude += paid.get("moves", Fraction(0)) * totals.placed
    k = reduced.roundings(int(np.diff(groups.offsets).max(initial=0)))
    slack = 2 * Fraction(k, MANTISSA - k) * magnitude
    return Bound(value - slack, slack, choice.unplaceable)


@dataclass(frozen=True)
class _Messages:
    """EUR a year, exactly."""

    paid: Fraction
    """By sources, where they are chosen to rest."""
    granted: Fraction
    """To what derives from them."""
    most: Fraction
    """The largest that each flow could be granted."""


def _messages(
    city: ColumnCity, messages: NDArray[np.int64], reduced: ReducedCosts, sites: Numbers32
) -> _Messages:
    paid = granted = most = 0
    facts, first, operators = city.facts, sites[:, 0], city.places.operator_of
    for begin in range(0, len(messages), BLOCK):
        part = slice(begin, min(begin + BLOCK, len(messages)))
        rows = np.arange(part.stop - part.start)
        source, derived = first[facts.flow_source[part]], first[facts.flow_derived[part]]
        grants = reduced.granted(part)
        paid += add_up(np.where(source >= 0, messages[part][rows, source], 0))
        granted += add_up(np.where(derived >= 0, grants[rows, operators[derived]], 0))
        most += add_up(grants.max(axis=1))
    return _Messages(*(Fraction(total, MESSAGE_UNIT) for total in (paid, granted, most)))
