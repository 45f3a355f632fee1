"""Effective classes: what a dataset inherits from its sources, and what cumulation adds.

Definition
----------
The certificate re-implements this text without this module; the two must agree on every value.

**Unknown is the top.** Levels are ordered 0 < 1 < 2 < 3 < 4 < unknown, GDPR categories
none < pseudonymised < personal < criminal < special < unknown, access rights
public < restricted < non_public < unknown. Unknown is `None`. So the maximum of anything with an
unknown is unknown (fail closed), and an unknown counts as "at least L" for every level L. A
dataset is *personal* when its base GDPR category (below) is not `none`; an unknown one is personal.

**Inheriting edges.** Every DerivedFrom relation inherits, except one whose own transformation has
`ends_inheritance` (an aggregation or anonymisation with reviewer and review date). Where the same
pair is related more than once, it inherits as soon as one of those relations does. The
*ancestors* A(d) are d itself and every dataset reached from d over inheriting edges, from derived
to source, any number of steps.

**Base**, inheritance alone:

- base confidentiality B(d), GDPR category G(d), access rights R(d): the maximum of the declared
  values over A(d);
- non-publication grounds: the union of the declared grounds over A(d), sorted, distinct.

**Cumulation** (Kumulationseffekt, BSI-Standard 200-2, 8.2). K is
`parameters.cumulation_datasets_min`. One dataset alone cumulates with nothing, so K below 2 turns
cumulation off. Cumulation is judged on base values only: no raise feeds another raise, so a class
rises by at most one level above the base it stems from. A dataset d is raised

- as a *member*: d is personal, L = B(d) is 1, 2 or 3, and d belongs to a group (of one Cumulated
  relation, each by itself; or a merged co-location group) in which at least K personal members,
  d among them, have a base confidentiality of at least L. Raised to L + 1.
- as a *combination*: with S(d) the distinct direct sources of d over inheriting edges, at least K
  personal ones have a base confidentiality of at least L, for some L in 1, 2, 3. Raised to L + 1
  for the largest such L. (Where B(d) is already higher, this changes nothing.)

Several raises do not add up; the highest counts. Level 0 (open) does not cumulate, and level 4 is
the top. A dataset whose base confidentiality is unknown stays unknown.

**Effective confidentiality.** The own level O(r) of r is the maximum of its declared level and
what it is raised to. E(d) is the maximum of O(r) over A(d): what derives from a raised dataset
inherits the raise. Effective GDPR category, access rights and grounds are the base ones.

**Chain.** The path over inheriting edges from d to an r in A(d) with O(r) = E(d) (both unknown
counts as equal): fewest steps first, then the lexicographically smallest sequence of ids (code
points). It is (d,) where O(d) = E(d).

Every value is a maximum, a union or a count over sets, so no order of the input matters; and all
are monotone: a higher declaration, another inheriting edge, member or group, or a lower K (of 2
or more) never lowers a class. A relation that ends inheritance adds nothing and takes nothing away.

Not inherited
-------------
Integrity and availability. BSI's maximum principle runs from data to the systems that carry it,
and placement judges a site by each dataset's own needs. Confidentiality is different: it follows
the copy, because whoever holds the derived data holds what it tells of the source.

Pseudonymisation and selection never end inheritance: pseudonymised data is personal data
(GDPR recital 26), so the derived dataset keeps the source's category, not a milder declared one.
"""

from __future__ import annotations

from collections.abc import Mapping

from models import Catalog, Dataset, EffectiveClass
from placement.graph.cumulation import Raise, cumulated_levels
from placement.graph.lineage import Lineage, inherit
from placement.graph.ranks import category_of, level_of, rank, rights_of
from placement.graph.reasons import Derivation, reasons_for


def effective_classes(
    catalog: Catalog,
    lineage: Lineage,
    groups: tuple[tuple[str, ...], ...],
    datasets_min: int,
) -> tuple[EffectiveClass, ...]:
    """The effective class of every dataset, in catalogue order, by the definition above.

    Parameters
    ----------
    groups
        Merged co-location groups.
    datasets_min
        K: `parameters.cumulation_datasets_min`.
    """
    datasets = {dataset.id: dataset for dataset in catalog.datasets}
    declared = {name: rank(dataset.confidentiality) for name, dataset in datasets.items()}
    base = inherit(lineage, declared).ranks
    gdpr = inherit(lineage, {name: rank(d.gdpr_category) for name, d in datasets.items()})
    personal = {name: base[name] for name, category in gdpr.ranks.items() if category > 0}
    raises = cumulated_levels(catalog, groups, lineage.sources, personal, datasets_min)
    derivation = Derivation(
        lineage=lineage,
        confidentiality=inherit(lineage, _own_levels(declared, raises)),
        gdpr_category=gdpr,
        access_rights=inherit(lineage, {n: rank(d.access_rights) for n, d in datasets.items()}),
        grounds=_united_grounds(lineage, datasets),
        raises=raises,
    )
    return tuple(_effective(dataset, derivation) for dataset in catalog.datasets)


def _own_levels(declared: Mapping[str, int], raises: Mapping[str, Raise]) -> dict[str, int]:
    return {
        name: max(level, raises[name].level) if name in raises else level
        for name, level in declared.items()
    }


def _united_grounds(lineage: Lineage, datasets: Mapping[str, Dataset]) -> dict[str, frozenset[str]]:
    grounds: dict[str, frozenset[str]] = {}
    for name in lineage.order:
        inherited = (grounds[source] for source in lineage.sources[name])
        grounds[name] = frozenset(datasets[name].non_publication_grounds).union(*inherited)
    return grounds


def _effective(dataset: Dataset, derivation: Derivation) -> EffectiveClass:
    name = dataset.id
    return EffectiveClass(
        dataset=name,
        confidentiality=level_of(derivation.confidentiality.ranks[name]),
        gdpr_category=category_of(derivation.gdpr_category.ranks[name]),
        access_rights=rights_of(derivation.access_rights.ranks[name]),
        non_publication_grounds=tuple(sorted(derivation.grounds[name])),
        chain=derivation.confidentiality.chains[name],
        reasons=reasons_for(dataset, derivation),
    )
