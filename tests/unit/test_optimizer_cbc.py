"""A second solver on the same PuLP models: CBC must find plans of the same cost.

On a fixed set, and without its preprocessing: on random tiny problems CBC 2.10.3 called plans
optimal that cost twice the best with it, and crashed on some without.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pulp
import pytest
from pulp.apis.coin_api import pulp_cbc_path

from models import Flow, Problem, SeparatedPair, Termination
from placement.optimizer import solve
from placement.optimizer.instance import read_instance
from placement.optimizer.progress import Watch
from placement.optimizer.whole import whole_model
from tests.optimizer_cases import hard_problem

RELATED = {
    "co_location": (("d000", "d001", "d002"),),
    "separations": (
        SeparatedPair(first="d003", second="d004", level="site"),
        SeparatedPair(first="d005", second="d006", level="operator"),
    ),
    "flows": (
        Flow(source="d000", derived="d003", monthly_transfer_gb=Decimal(20)),
        Flow(source="d007", derived="d008", monthly_transfer_gb=Decimal(30)),
    ),
}


def cost_by_cbc(given: Problem) -> float:
    instance = read_instance(given)
    model = whole_model(instance, instance.allowed, [], Watch(60)).model
    finished = model.finish()
    cbc = pulp.COIN_CMD(path=pulp_cbc_path, msg=False, options=["preprocess off"])
    assert finished.solve(cbc) == pulp.LpStatusOptimal
    assert finished.sol_status == pulp.LpSolutionOptimal
    return float(pulp.value(finished.objective) / model.cost_scale)


@pytest.mark.parametrize("datasets", [9, 12, 15])
@pytest.mark.parametrize("operators", [3, 4])
@pytest.mark.parametrize("related", [False, True])
def test_cbc_finds_plans_of_the_same_cost(datasets, operators, related):
    given = hard_problem(datasets, operators, gap=0, time_limit_s=60)
    if related:
        changes: dict[str, Any] = {"facts": given.facts.model_copy(update=RELATED)}
        roomy = [s.model_copy(update={"capacity_gb": s.capacity_gb + 40}) for s in given.sites]
        paid = [
            s.model_copy(update={"egress_price_eur_per_gb": Decimal(k)})
            for k, s in enumerate(roomy)
        ]
        given = given.model_copy(update={**changes, "sites": tuple(paid)})
    solution = solve(given)
    assert solution.termination is Termination.WITHIN_GAP
    assert solution.objective_eur == pytest.approx(cost_by_cbc(given), rel=1e-6)
