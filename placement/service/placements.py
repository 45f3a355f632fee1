"""Approved placements: read, listed, explained.

Reading one is a single indexed query whose answer was written when the plan was approved. Whoever
may not see every record gets explanations that name no record that is hidden from them.
"""

from __future__ import annotations

from models import DecisionRecord, Explanation
from placement.errors import BadInput, Defect, NotFound
from placement.explaining import explain
from placement.service.actual import actual_of, with_actual
from placement.service.city import Caller, City
from placement.service.plans import plan_of
from placement.service.veiling import veiled
from placement.store.decisions import Decisions
from placement.store.placed import Placed, PlacedFilter


def read(city: City, caller: Caller, dataset: str, *, in_force: bool = False) -> str:
    """The JSON of a dataset's PlacementStatus by the plan that stands, or by the one in force.

    Raises
    ------
    NotFound
        When no plan stands, it does not place the dataset, or the caller may not see it.
    """
    with city.store.reading() as tx:
        body = Placed(tx, in_force=in_force).read(dataset, caller.rows)
        if body is None:
            raise _not_found(dataset)
        return with_actual(tx, [(dataset, body)], in_force=in_force)[0][1]


def list_placements(
    city: City,
    caller: Caller,
    limit: int,
    *,
    after: str = "",
    where: PlacedFilter | None = None,
    in_force: bool = False,
) -> tuple[tuple[str, str], ...]:
    """(dataset, JSON) of at most `limit` placements that follow a dataset, in order of their ids.

    Where no plan stands there are none.
    """
    with city.store.reading() as tx:
        placed = Placed(tx, in_force=in_force)
        rows = placed.list(caller.rows, limit, after=after, where=where)
        return with_actual(tx, rows, in_force=in_force)


def explain_placement(
    city: City, caller: Caller, dataset: str, site: str | None = None
) -> Explanation:
    """Why a dataset is placed where it is, by the plan that stands, and why not elsewhere.

    Parameters
    ----------
    site
        The one other site to ask about; none: all of them.

    Raises
    ------
    NotFound
        As `read` does.
    BadInput
        When the plan knows no such site.
    SolverError, StoreError
    """
    with city.store.reading() as tx:
        placed, decisions = Placed(tx), Decisions(tx)
        record = decisions.standing()
        body = placed.read(dataset, caller.rows)
        if record is None or body is None:
            raise _not_found(dataset)
        seen = None if caller.rows.all else placed.admitted(record.number, caller.rows)
        drift = actual_of(tx, {dataset: body})[dataset].drift
    explanation = _explained(city, record, dataset, site, seen)
    return explanation.model_copy(update={"drift": drift})


def _explained(
    city: City,
    record: DecisionRecord,
    dataset: str,
    site: str | None,
    seen: frozenset[str] | None,
) -> Explanation:
    plan = plan_of(city.store, record)
    if site is not None and site not in plan.eligibility.sites:
        raise BadInput([Defect("", f"site {site}", "", "not in the plan that stands")])
    explanation = explain(plan, dataset, site)
    return explanation if seen is None else veiled(explanation, plan, seen)


def _not_found(dataset: str) -> NotFound:
    return NotFound(f"no approved plan that you may see places the dataset {dataset}")
