"""Everything that can stop placement from answering.

PlacementError                      code                exit  HTTP
├── BadInput                        bad_input              2   422   a file or a value is wrong
├── PolicyEngineError               policy_engine          3   503   OPA could not answer
│   └── PolicyRevisionMismatch      policy_revision        3   503   OPA holds other policies
├── SolverError                     solver                 4   503   the solver failed
│   ├── GapNotReached               gap_not_reached        4   503   time ran out before the proof
│   └── CertificateError            certificate            4   500   a solution failed its re-check
└── StoreError                      store                  5   503   an answer was not recorded

*Ineligible* and *infeasible* are answers, not errors: they are data, and exit with 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


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
