"""The shape that OPA's answers must have; whatever else arrives is an error, never a verdict."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from models import (
    HostObligation,
    Obligation,
    Permission,
    Preference,
    SegregatedDuties,
    Severity,
    Source,
    Verdict,
    Violation,
)
from placement.errors import PolicyEngineError, PolicyRevisionMismatch

OLDEST_VERSION = (1, 10)
"""What the strictness of this package was measured against; OPA 2 may answer differently."""

T = TypeVar("T")


class _Wire(BaseModel):
    """As it comes over the wire: no conversions, no unknown keys, nothing left out."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


_Text = Annotated[str, Field(min_length=1, max_length=10_000)]


class _BundleState(_Wire):
    revision: str


class _Provenance(_Wire):
    # Build details differ between OPA's versions and say nothing about policies.
    model_config = ConfigDict(extra="ignore")

    version: str
    bundles: dict[str, _BundleState] = Field(default_factory=dict)


class _Envelope(_Wire):
    provenance: _Provenance
    result: Any = None
    decision_id: str | None = None


class _WireSource(_Wire):
    description: _Text
    ref: _Text


class _WireViolation(_Wire):
    obligation: _Text
    text: _Text
    severity: Literal["mandatory", "municipal"]
    sources: Annotated[list[_WireSource], Field(min_length=1)]
    message: _Text


class _WireHostObligation(_Wire):
    code: _Text
    requirement: _Text


class _WirePreference(_Wire):
    code: _Text
    message: _Text
    penalty_eur_per_year: int


class WireVerdict(_Wire):
    """One verdict; the site is eligible only by an explicit empty list of violations."""

    violations: list[_WireViolation]
    host_obligations: list[_WireHostObligation]
    preferences: list[_WirePreference]
    closed_stack: bool


class WirePair(_Wire):
    """Two duties that a site keeps apart."""

    site: _Text
    duty: _Text
    other: _Text


class WireBatch(_Wire):
    """P x S verdicts, and the duties that the S sites keep apart."""

    verdicts: list[list[WireVerdict]]
    segregated_duties: list[WirePair]


_PAIRS = TypeAdapter(list[WirePair], config=ConfigDict(strict=True))


class _WireRows(_Wire):
    all: bool
    departments: list[_Text]
    reader_roles: list[_Text]
    public: bool


class _WirePermission(_Wire):
    allow: bool
    reason: _Text
    rows: _WireRows


def open_envelope(body: Any, bundles: Mapping[str, str | None] | str) -> tuple[Any, str]:
    """The `result` of an answer and OPA's version, once its provenance is as expected.

    Parameters
    ----------
    bundles
        Name -> revision of exactly the bundles that OPA must hold, None where any revision will
        do, or none at all; or, where the names are not ours to choose, the one revision that must
        be among them.

    Raises
    ------
    PolicyRevisionMismatch
        When OPA answered from other policies.
    PolicyEngineError
        When the result is undefined, the answer carries a warning, or OPA is too old.
    """
    try:
        envelope = _Envelope.model_validate(body)
    except ValidationError as error:
        raise _unexpected(error, "") from error
    held = {name: state.revision for name, state in envelope.provenance.bundles.items()}
    if not _as_expected(held, bundles):
        raise PolicyRevisionMismatch(_mismatch(held, bundles))
    if "result" not in envelope.model_fields_set:
        raise PolicyEngineError(
            "OPA's answer is undefined: the policies do not define what was asked"
        )
    return envelope.result, checked_version(envelope.provenance.version)


def checked_version(version: str) -> str:
    """The version itself, if it is OPA 1.10 or a later 1.x.

    Raises
    ------
    PolicyEngineError
        For any other.
    """
    numbers = re.match(r"(\d{1,9})\.(\d{1,9})\.\d", version)
    found = (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)
    if found[0] != OLDEST_VERSION[0] or found < OLDEST_VERSION:
        raise PolicyEngineError(f"OPA 1.10 or a later 1.x is needed, not {version[:40]!r}")
    return version


def read_verdict(result: Any) -> WireVerdict:
    """The answer to a single question."""
    try:
        return WireVerdict.model_validate(result)
    except ValidationError as error:
        raise _unexpected(error, "result.") from error


def read_batch(result: Any, profiles: int, sites: int) -> WireBatch:
    """The answer to a batched question; exactly `profiles` rows of `sites` verdicts."""
    try:
        batch = WireBatch.model_validate(result)
    except ValidationError as error:
        raise _unexpected(error, "result.") from error
    widths = {len(row) for row in batch.verdicts}
    if len(batch.verdicts) != profiles or not widths <= {sites}:
        raise PolicyEngineError(
            f"OPA answered {len(batch.verdicts)} rows of {sorted(widths)} verdicts, "
            f"not {profiles} rows of {sites}"
        )
    return batch


def read_pairs(result: Any) -> list[WirePair]:
    """The answer to a segregation question."""
    try:
        return _PAIRS.validate_python(result)
    except ValidationError as error:
        raise _unexpected(error, "result.") from error


def read_permission(result: Any) -> Permission:
    """The answer to a question of who may do what."""
    try:
        return Permission.model_validate(_WirePermission.model_validate(result).model_dump())
    except ValidationError as error:
        raise _unexpected(error, "result.") from error


class VerdictReader:
    """Wire verdicts in the words of the models.

    Equal parts become one object: most pairs differ in little, and there can be 200,000 of them.
    """

    def __init__(self) -> None:
        self._first: dict[str, _WireViolation] = {}
        self._shared: dict[Any, Any] = {}

    def read(self, wire: WireVerdict) -> Verdict:
        """The verdict, its lists ordered by code, then text.

        Raises
        ------
        PolicyEngineError
            When one obligation comes with two texts, severities or lists of sources.
        pydantic.ValidationError
            When a code or a penalty is not one that the models accept.
        """
        for violation in wire.violations:
            self._note(violation)
        violations = [
            Violation(obligation=v.obligation, message=v.message) for v in wire.violations
        ]
        hosts = [
            HostObligation(code=h.code, requirement=h.requirement) for h in wire.host_obligations
        ]
        preferences = [
            Preference(code=p.code, message=p.message, penalty_eur_per_year=p.penalty_eur_per_year)
            for p in wire.preferences
        ]
        verdict = Verdict(
            violations=self._sorted(violations, lambda v: (v.obligation, v.message)),
            host_obligations=self._sorted(hosts, lambda h: (h.code, h.requirement)),
            preferences=self._sorted(preferences, lambda p: (p.code, p.message)),
            closed_stack=wire.closed_stack,
        )
        return self._share(verdict)

    def obligations(self) -> tuple[Obligation, ...]:
        """Every obligation that some verdict names, by code."""
        return tuple(_obligation(self._first[code]) for code in sorted(self._first))

    def _note(self, violation: _WireViolation) -> None:
        first = self._first.setdefault(violation.obligation, violation)
        if _terms(first) != _terms(violation):
            raise PolicyEngineError(
                f"the policies state the obligation {violation.obligation} in two ways"
            )

    def _sorted(self, parts: Iterable[T], key: Callable[[T], tuple[str, str]]) -> tuple[T, ...]:
        return tuple(self._share(part) for part in sorted(parts, key=key))

    def _share(self, part: T) -> T:
        shared: T = self._shared.setdefault(part, part)
        return shared


def as_segregated(
    pairs: Sequence[WirePair], sites: Iterable[str], duties: Iterable[str]
) -> tuple[SegregatedDuties, ...]:
    """The pairs, sorted; each of a site and of two duties asked about, and none twice."""
    known_sites, known_duties = set(sites), set(duties)
    keys = sorted((pair.site, pair.duty, pair.other) for pair in pairs)
    for site, duty, other in keys:
        if site not in known_sites or not {duty, other} <= known_duties or not duty < other:
            raise PolicyEngineError(
                f"OPA keeps {duty!r} and {other!r} apart at {site!r}, which was not asked"
            )
    if len(set(keys)) != len(keys):
        raise PolicyEngineError("OPA names a pair of segregated duties twice")
    return tuple(SegregatedDuties(site=s, duty=d, other=o) for s, d, o in keys)


def _terms(violation: _WireViolation) -> tuple[str, str, list[_WireSource]]:
    return violation.text, violation.severity, violation.sources


def _obligation(violation: _WireViolation) -> Obligation:
    return Obligation(
        code=violation.obligation,
        text=violation.text,
        severity=Severity(violation.severity),
        sources=tuple(Source(description=s.description, ref=s.ref) for s in violation.sources),
    )


def _as_expected(held: Mapping[str, str], bundles: Mapping[str, str | None] | str) -> bool:
    if isinstance(bundles, str):
        return bundles in held.values()
    return held.keys() <= bundles.keys() and all(
        held.get(name) == revision for name, revision in bundles.items() if revision is not None
    )


def _mismatch(held: Mapping[str, str], bundles: Mapping[str, str | None] | str) -> str:
    named = [bundles] if isinstance(bundles, str) else bundles.values()
    wanted = sorted(revision for revision in named if revision is not None)
    found = ", ".join(repr(revision[:80]) for revision in sorted(held.values())) or "no bundle"
    return f"OPA holds {found}, not the policies asked about ({', '.join(wanted)})"


def _unexpected(error: ValidationError, prefix: str) -> PolicyEngineError:
    defect = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = prefix + ".".join(str(part)[:80] for part in defect["loc"])
    return PolicyEngineError(
        f"OPA's answer has an unexpected shape: {place.rstrip('.')}: {defect['msg']}"
        f" ({error.error_count()} such)"
    )
