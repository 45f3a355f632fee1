"""python -m tests.benchmarks.sharded --units 1000000 --sites 20 --shards 1 2 4

One problem over several processes: what sharding costs, and what crosses between them.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from tests.benchmarks.instances import Recipe, make_instance


def made_part(recipe, part, parts):
    """Every parts-th unit of a made problem, made where it is wanted."""
    problem = make_instance(recipe)
    return problem.take(np.arange(part, problem.units, parts))


def loaders(recipe, parts):
    return [partial(made_part, recipe, part, parts) for part in range(parts)]
