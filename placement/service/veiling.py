"""Explanations for people who may not see every record: they name none that is hidden.

| part               | may name other datasets in        | what is done                          |
|--------------------|-----------------------------------|---------------------------------------|
| effective.chain    | the way back to the source        | hidden ones are left out              |
| effective.reasons  | sentences, and words of relations | all go, if any relative is hidden     |
| why                | members of a co-located group     | a sentence that names one is replaced |
| why_not.blocked_by | names of constraints              | the name keeps its family alone       |

Free text stands in relations (what a transformation is, why datasets are used together), and may
tell of any of its members. So reasons are not searched for names: they are shown only where every
dataset that could have a part in them may be seen. Everything else that an explanation holds is of
the dataset itself, of sites, operators and roles, or a sum over the whole city.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable

from models import Catalog, DerivedFrom, Explanation, Plan, WhyNot

HIDDEN = "records that you may not see"


def veiled(explanation: Explanation, plan: Plan, seen: Collection[str]) -> Explanation:
    """An explanation as somebody may read it who sees only some datasets.

    Parameters
    ----------
    explanation
        Of a dataset that is seen.
    plan
        What it was made from.
    seen
        Ids of the datasets that the reader may see.
    """
    hidden = frozenset(plan.eligibility.datasets) - frozenset(seen)
    effective = explanation.effective
    reasons = effective.reasons
    if reasons and not hidden.isdisjoint(relatives(plan.inputs.catalog, effective.dataset)):
        reasons = (f"its class follows from the catalogue's relations, some of them with {HIDDEN}",)
    return explanation.model_copy(
        update={
            "effective": effective.model_copy(
                update={
                    "chain": tuple(name for name in effective.chain if name not in hidden),
                    "reasons": reasons,
                }
            ),
            "why": tuple(_sentence(sentence, hidden) for sentence in explanation.why),
            "why_not": tuple(_why_not(item, hidden) for item in explanation.why_not),
        }
    )


def relatives(catalog: Catalog, dataset: str) -> frozenset[str]:
    """Every dataset that any chain of relations leads to."""
    neighbours: defaultdict[str, set[str]] = defaultdict(set)
    for relation in catalog.relations:
        if isinstance(relation, DerivedFrom):
            members: tuple[str, ...] = (relation.derived, relation.source)
        else:
            members = relation.members
        for member in members:
            neighbours[member].update(members)
    found, waiting = {dataset}, [dataset]
    while waiting:
        new = neighbours[waiting.pop()] - found
        found |= new
        waiting += new
    return frozenset(found)


def _sentence(sentence: str, hidden: Collection[str]) -> str:
    return f"it has to do with {HIDDEN}" if _names_any(sentence, hidden) else sentence


def _why_not(item: WhyNot, hidden: Collection[str]) -> WhyNot:
    names = dict.fromkeys(_constraint(name, hidden) for name in item.blocked_by)
    return item.model_copy(update={"blocked_by": tuple(names)})


def _constraint(name: str, hidden: Collection[str]) -> str:
    """separation[a|b] becomes separation[records that you may not see]."""
    return f"{name.split('[', 1)[0]}[{HIDDEN}]" if _names_any(name, hidden) else name


def _names_any(text: str, names: Iterable[str]) -> bool:
    """Whether a name stands in a text, not as a part of a longer word."""
    return any(
        name in text and re.search(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", text)
        for name in names
    )
