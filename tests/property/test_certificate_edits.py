"""Any single edit of any leaf of a plan file: it fails to load, or `verify` says so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from models import Plan, sha256_of
from placement.certificate import plan_digest, verify_plan
from tests.certificate_cases import POLICIES, ask, ask_segregated, release, town

PLAN = release(town())
TEXT = PLAN.model_dump_json()
Path = tuple[str | int, ...]

BY_DIGEST_ALONE = {
    # no one can compute these again; `placement.certificate.verify` lists them
    ("created_at",),
    ("solver",),
    ("versions",),
    ("eligibility", "obligations"),
    # an order that changes no answer
    ("prices",),
    ("eligibility", "segregated_duties"),
    # choices of the city, where the true parameters are not given
    ("parameters",),
    # any prices prove a bound; these prove the same one
    ("prices", 2, "price"),
}


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every leaf, and every list that is not empty."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from paths(item, (*path, key))
    elif isinstance(value, list) and value:
        yield path
        for number, item in enumerate(value):
            yield from paths(item, (*path, number))
    else:
        yield path


def others(value: Any) -> list[Any]:
    """Values of the same form that say something else."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int | float):
        return [value + 1, value - 1, 2 * value]
    if isinstance(value, list):
        return [value[:-1], [*value, *value[-1:]], value[::-1], []]
    if value is None:
        return [1, "x", True]
    try:
        number = Decimal(value)
    except InvalidOperation:
        return [f"{value}x", value[:-1], None]
    return [str(number + Decimal("0.01")), str(number * 2), str(-number - 1)]


PATHS = list(paths(json.loads(TEXT)))


@st.composite
def edits(draw: st.DrawFn) -> tuple[Path, dict[str, Any]]:
    document = json.loads(TEXT)
    path = draw(st.sampled_from(PATHS))
    here: Any = document
    for step in path[:-1]:
        here = here[step]
    here[path[-1]] = draw(st.sampled_from(others(here[path[-1]])))
    return path, document


def fails(plan: Plan) -> bool:
    case = town()
    certificate = verify_plan(
        plan, case.catalog, case.register, ask, ask_segregated, policies_digest=POLICIES
    )
    return not certificate.holds


@settings(max_examples=150, deadline=None)
@given(edits())
def test_no_single_edit_goes_unnoticed(edit):
    path, document = edit
    try:
        plan = Plan.model_validate_json(json.dumps(document))
    except ValidationError:
        return
    assert plan == PLAN or fails(plan), path


@settings(max_examples=150, deadline=None)
@given(edits())
def test_with_the_digests_made_to_fit_only_what_nobody_can_compute_goes_unnoticed(edit):
    path, document = edit
    try:
        plan = Plan.model_validate_json(json.dumps(document))
    except ValidationError:
        return
    if plan == PLAN or path == ("digest",):
        return
    digests = {
        "catalog": sha256_of(plan.inputs.catalog),
        "sites": sha256_of(plan.inputs.sites),
        "parameters": sha256_of(plan.parameters),
        "policies": plan.digests.policies,
    }
    plan = plan.model_copy(update={"digests": plan.digests.model_copy(update=digests)})
    plan = plan.model_copy(update={"digest": plan_digest(plan)})
    alone = any(path[: len(known)] == known for known in BY_DIGEST_ALONE if len(known) > 1)
    alone = alone or path in BY_DIGEST_ALONE or path[:1] in BY_DIGEST_ALONE - {("prices",)}
    assert alone or plan == PLAN or fails(plan), path
