"""Exports: a plan's placements for infrastructure tools, once the plan is known to be whole.

What is exported is built, so an edited plan file must not get this far. A plan file is judged
without policies and without a solver: its digest, its inputs, its sums, its certificate, and
whether the verdicts in it allow every placement. Whether these are the verdicts of the city's
policies, `verify` finds out; that a board stands behind the plan, a service knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from models import ApprovedPlacement, Plan
from placement.certificate import plan_digest
from placement.errors import BadInput, Conflict, Defect, NotFound, ServiceError
from placement.provision.exports import Export, export_of
from placement.service.approved import approved_placements
from placement.service.rechecking import judged_by_itself

_NO_DECISION = 0
_FAILURES_TOLD = 3


def of_plan(plan: Plan, name: str) -> Export:
    """The export of a plan file.

    Parameters
    ----------
    plan
        What the file says.
    name
        What to call it in defects.

    Raises
    ------
    BadInput
        When the plan is not what somebody once decided, or its certificate does not hold.
    """
    require_whole(plan, name)
    return export_of(approved_placements(plan, _NO_DECISION), plan)


def standing_decision(placements: Iterable[ApprovedPlacement]) -> int:
    """The decision that all of a service's placements are of.

    Raises
    ------
    NotFound
        When there are none.
    Conflict
        When they are of several: a plan was approved while they were read.
    """
    numbers = {placed.decision for placed in placements}
    if not numbers:
        raise NotFound("no approved plan stands whose placements you may see")
    if len(numbers) > 1:
        raise Conflict("another plan was approved at this very moment: export again")
    return numbers.pop()


def of_approved(placements: Iterable[ApprovedPlacement], plan: Plan, decision: int) -> Export:
    """The export of what a service says to provision by a decision.

    Raises
    ------
    BadInput
        When the decision's plan is not whole.
    ServiceError
        When the placements are not those of the plan.
    """
    name = f"the plan of decision {decision}"
    require_whole(plan, name)
    given = [_approved(placed) for placed in placements]
    planned = {placed.dataset: placed for placed in approved_placements(plan, decision)}
    strange = [placed.dataset for placed in given if planned.get(placed.dataset) != placed]
    if strange or len({placed.dataset for placed in given}) != len(given):
        where = f" of {strange[0]}" if strange else ""
        raise ServiceError(f"the service names placements{where} that are not those of {name}")
    return export_of(given, plan, decision)


def _approved(placed: ApprovedPlacement) -> ApprovedPlacement:
    """What a plan says of a placement, without what became of it since."""
    fields = ApprovedPlacement.model_fields
    return ApprovedPlacement(**{name: getattr(placed, name) for name in fields})


def require_whole(plan: Plan, name: str) -> None:
    """Raise BadInput unless a plan's own parts fit together and its certificate holds."""
    digest = plan_digest(plan)
    if digest != plan.digest:
        raise _defect(name, "digest", "the plan was changed since it was decided: it is no plan")
    if not plan.certificate.holds:
        raise _defect(name, "certificate", "the certificate does not hold")
    for field in _gaps(plan):
        raise _defect(name, field, "does not fit the plan's own inputs")
    failed = [check for check in judged_by_itself(plan).checks if not check.holds]
    if failed:
        raise BadInput(
            [
                Defect(name, "", "", f"{check.name}: {failure}")
                for check in failed
                for failure in check.failures[:_FAILURES_TOLD]
            ]
        )


def _gaps(plan: Plan) -> Iterator[str]:
    """Parts that are too short, too long, or of something else: they cannot even be compared."""
    table = plan.eligibility
    datasets = tuple(dataset.id for dataset in plan.inputs.catalog.datasets)
    sites = tuple(site.id for site in plan.inputs.sites.sites)
    if table.datasets != datasets or len(table.profile_of) != len(datasets):
        yield "eligibility.datasets"
    if table.sites != sites or any(len(row) != len(sites) for row in table.verdicts):
        yield "eligibility.sites"
    if any(not 0 <= row < len(table.verdicts) for row in table.profile_of):
        yield "eligibility.profile_of"
    if table.as_of != plan.parameters.as_of:
        yield "eligibility.as_of"
    if tuple(effective.dataset for effective in plan.effective) != datasets:
        yield "effective"
    if tuple(placed.dataset for placed in plan.placements) != datasets:
        yield "placements"


def _defect(name: str, field: str, message: str) -> BadInput:
    return BadInput([Defect(name, "", field, message)])
