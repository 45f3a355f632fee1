"""What a dataset costs at each site by itself, to say why it rests where it does."""

from __future__ import annotations

from models import Problem
from placement.optimizer.instance import read_instance


def own_costs(problem: Problem, dataset: str) -> dict[str, float]:
    """EUR a year of one replica at every site that is open to it, by site id.

    The separable components alone: no lineage, no shared constraint. Co-located datasets move
    together and are counted together. Sites that [alternatives] or eligibility rule out are left
    out.

    Raises
    ------
    KeyError
        Where the problem has no such dataset.
    """
    instance = read_instance(problem)
    names = {d.id: row for row, d in enumerate(instance.of.datasets)}
    number = names[dataset]
    unit = next(u for u, members in enumerate(instance.members) if number in members)
    return {
        site.id: float(instance.cost[unit, s])
        for s, site in enumerate(instance.of.sites)
        if instance.allowed[unit, s]
    }
