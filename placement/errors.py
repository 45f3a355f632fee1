"""Everything that can stop placement from answering.

PlacementError                      code                exit  HTTP
├── BadInput                        bad_input              2   422   a file or a value is wrong
├── PolicyEngineError               policy_engine          3   503   OPA could not answer
│   └── PolicyRevisionMismatch      policy_revision        3   503   OPA holds other policies
├── SolverError                     solver                 4   503   the solver failed
│   ├── GapNotReached               gap_not_reached        4   503   time ran out before the proof
│   └── CertificateError            certificate            4   500   a solution failed its re-check
├── StoreError                      store                  5   503   an answer was not recorded
├── IdentityProviderError           identity_provider      6   503   its keys are not known
├── ServiceError                    service                8   502   a placement service failed us
├── AccessError                     access                 6   403   somebody may not do this
│   ├── NotAuthenticated            not_authenticated      6   401   who asks is not proven
│   └── NotAllowed                  not_allowed            6   403   the policies say no
└── RequestError                    request                7   400   it cannot be met as put
    ├── NotFound                    not_found              7   404   there is no such thing to see
    ├── Conflict                    conflict               7   409   the state does not allow it
    │   └── StaleProposal           stale_proposal         7   409   its basis changed since
    ├── PreconditionFailed          precondition_failed    7   412   If-Match names another version
    ├── PreconditionRequired        precondition_required  7   428   If-Match is missing
    ├── IdempotencyMismatch         idempotency_mismatch   7   422   the key was another request's
    ├── JobCancelled                job_cancelled          7   409   somebody cancelled the work
    └── JobAbandoned                job_abandoned          7   500   it outlived every worker

*Ineligible* and *infeasible* are answers, not errors: they are data, and exit with 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a command line that only shows its help should not wait for our models
    from models import Stale


class PlacementError(Exception):
    """Placement could not answer. `code`, `exit_code` and `http_status` are stable."""

    code = "internal"
    exit_code = 70
    http_status = 500


@dataclass(frozen=True, order=True)
class Defect:
    """One thing wrong with an input: where it is, and what it is."""

    file: str
    record: str
    """Kind and id, such as "dataset bomen" or "site 3" where it has no id; "" for the file."""
    field: str
    """Dotted path below the record; "" for the record itself."""
    message: str

    def __str__(self) -> str:
        place = ": ".join(part for part in (self.file, self.record, self.field) if part)
        return f"{place}: {self.message}" if place else self.message


class BadInput(PlacementError):
    """Inputs are wrong; all defects of a file are reported at once."""

    code = "bad_input"
    exit_code = 2
    http_status = 422

    def __init__(self, defects: Sequence[Defect]) -> None:
        self.defects = tuple(sorted(set(defects)))
        super().__init__("\n".join(str(defect) for defect in self.defects))


class PolicyEngineError(PlacementError):
    """OPA is missing, died, was late, or said something that is not a verdict."""

    code = "policy_engine"
    exit_code = 3
    http_status = 503


class PolicyRevisionMismatch(PolicyEngineError):
    """OPA answered for policies other than those asked about."""

    code = "policy_revision"


class SolverError(PlacementError):
    """The solver failed, or said something that cannot be right."""

    code = "solver"
    exit_code = 4
    http_status = 503


class GapNotReached(SolverError):
    """Time ran out before a plan was proven to be within the gap asked for."""

    code = "gap_not_reached"


class CertificateError(SolverError):
    """A solution failed its re-check: nothing is released."""

    code = "certificate"
    http_status = 500


class StoreError(PlacementError):
    """An answer could not be recorded, so it is not released."""

    code = "store"
    exit_code = 5
    http_status = 503


class IdentityProviderError(PlacementError):
    """The keys of the identity provider are not known: nobody's token can be judged."""

    code = "identity_provider"
    exit_code = 6
    http_status = 503


class AccessError(PlacementError):
    """Somebody may not do this."""

    code = "access"
    exit_code = 6
    http_status = 403


class NotAuthenticated(AccessError):
    """Who asks is not proven: no token, or one that does not hold."""

    code = "not_authenticated"
    http_status = 401


class NotAllowed(AccessError):
    """The authorisation policies say no."""

    code = "not_allowed"


class RequestError(PlacementError):
    """The request cannot be met as it was put; another one may be."""

    code = "request"
    exit_code = 7
    http_status = 400


class NotFound(RequestError):
    """There is no such thing, or none that this principal may know of."""

    code = "not_found"
    http_status = 404


class Conflict(RequestError):
    """The present state does not allow it."""

    code = "conflict"
    http_status = 409


class StaleProposal(Conflict):
    """What a proposal was decided on changed since; `changes` names each part."""

    code = "stale_proposal"

    def __init__(self, message: str, changes: Sequence[Stale] = ()) -> None:
        self.changes = tuple(changes)
        super().__init__(message)


class PreconditionFailed(RequestError):
    """If-Match names a version that is not the current one."""

    code = "precondition_failed"
    http_status = 412


class PreconditionRequired(RequestError):
    """A change to something that others change, too, needs If-Match."""

    code = "precondition_required"
    http_status = 428


class IdempotencyMismatch(RequestError):
    """The Idempotency-Key belongs to another request."""

    code = "idempotency_mismatch"
    http_status = 422


class JobCancelled(RequestError):
    """Somebody cancelled the work."""

    code = "job_cancelled"
    http_status = 409


class JobAbandoned(RequestError):
    """Every worker that took the job died or failed; it is not tried again."""

    code = "job_abandoned"
    http_status = 500


class ServiceError(PlacementError):
    """A placement service that we are a client of cannot be reached, or answers oddly."""

    code = "service"
    exit_code = 8
    http_status = 502
