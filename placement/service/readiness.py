"""Whether a process can answer: each part is asked, none is believed."""

from __future__ import annotations

from models import Frozen, PermissionInput, Principal, PrincipalKind
from placement.eligibility.questions import PERMISSION
from placement.errors import PlacementError
from placement.service.city import City
from placement.store.figures import Figures, read_figures
from placement.store.policies import Policies

OPA_S = 2.0
"""Seconds that OPA has."""

_NOBODY = PermissionInput(
    principal=Principal(subject="nobody", kind=PrincipalKind.MACHINE, roles=()),
    operation="service.ready",
    method="GET",
    route="/ready",
)
"""A question whose answer is known: who has no role may do nothing."""


class Readiness(Frozen):
    """What is ready, and what is not and why; nothing that an attacker could use."""

    ready: bool
    database: str
    policies: str
    opa: str
    recorder: str
    """What writes the audit log: without it nothing is answered."""

    @classmethod
    def of(cls, recorder: str, database: str, policies: str, opa: str) -> Readiness:
        """Ready when each part is `OK`."""
        ready = {recorder, database, policies, opa} == {OK}
        return cls(ready=ready, database=database, policies=policies, opa=opa, recorder=recorder)


OK = "ok"


def readiness(city: City) -> Readiness:
    """Ask the database, then OPA under the policies in force; takes at most a few seconds."""
    recorder = OK if city.recorder.takes else "takes no records"
    try:
        with city.store.reading() as tx:
            policies = Policies(tx)
            active, served = policies.active_revision(), policies.served_revisions()
    except PlacementError:
        return Readiness.of(recorder, "does not answer", "unknown", "not asked")
    if active is None:
        return Readiness.of(recorder, OK, "not yet confirmed by OPA", "not asked")
    return Readiness.of(recorder, OK, OK, _opa(city, served))


def figures(city: City) -> Figures:
    """Counts for monitoring. Raises StoreError."""
    with city.store.reading() as tx:
        return read_figures(tx)


def _opa(city: City, revisions: frozenset[str]) -> str:
    """OPA runs the authorisation policies and one of these revisions, and denies nobody's wish."""
    question = _NOBODY.model_dump(mode="json")
    for revision in sorted(revisions):
        try:
            answer, _ = city.opa.query(PERMISSION, question, OPA_S, revision)
        except PlacementError:
            continue
        if isinstance(answer, dict) and answer.get("allow") is False:
            return OK
        return "answers wrongly"
    return "does not answer, or holds other policies"
