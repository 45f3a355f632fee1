"""What a draft is worth: its defects, what it would change, and which rules never bite."""

from __future__ import annotations

import json
import shutil
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from models import (
    DraftDefect,
    DraftReport,
    EligibilityTable,
    ObligationShift,
    PolicyDraft,
    PolicyFiles,
    PolicyImpact,
    PolicyInput,
    PolicyRevision,
    PolicyUsage,
    RuleUse,
    VerdictChange,
    policy_dataset,
    policy_site,
)
from placement.eligibility import PolicyEngine
from placement.eligibility.binary import find_opa
from placement.eligibility.bundle import bundle_of
from placement.eligibility.schemas import MODELS, opa_schema
from placement.errors import Conflict, PolicyEngineError
from placement.example import CATALOG, PARAMETERS, SITES
from placement.reading import Reading, Request, read_inputs
from placement.review.asking import DraftHost, obligations
from placement.review.checks import check_draft
from placement.review.sandbox import Limits, SandboxError
from placement.review.workspace import Tools, Workspace, workspace
from placement.service.city import Caller, City
from placement.service.deciding import evaluate
from placement.settings import Settings, shipped_policies
from placement.steps import silent
from placement.store.policies import Policies

EXAMPLES = 100
_UNPLACEABLE_SHOWN = 100
_TURN = threading.Semaphore(1)
"""One sandbox at a time: each may take 512 MB and two processors."""
_DEADLINE_S = 120.0


def tools_of(settings: Settings) -> Tools:
    """The programs that look at drafts. Raises PolicyEngineError when there is no OPA."""
    regal = shutil.which(settings.regal_bin or "regal")
    config = shipped_policies() / ".regal" / "config.yaml"
    return Tools(
        opa=find_opa(settings.opa_bin),
        regal=None if regal is None else Path(regal).resolve(),
        regal_config=config.read_text(encoding="utf-8") if config.is_file() else None,
        schemas={
            f"{name}.json": json.dumps(opa_schema(model)).encode() for name, model in MODELS.items()
        },
        limits=replace(Limits(), network=not settings.sandbox),
    )


def examine(settings: Settings, files: PolicyFiles) -> DraftReport:
    """Check a draft; seconds. Raises PolicyEngineError when there is no OPA to check it with."""
    tools = tools_of(settings)
    with _TURN:
        return check_draft(files, tools, lambda here: _sample(here, files))


def impact(city: City, caller: Caller, draft: PolicyDraft, files: PolicyFiles) -> PolicyImpact:
    """What the draft would change on the current catalogue, compared with the active policies.

    Raises
    ------
    Conflict
        When the draft does not answer every question.
    PolicyEngineError
        When no policies are active, or they do not answer.
    """
    active, reading, version = _now(city)
    before = evaluate(reading, city.engine(active.revision))
    with _asked(city.settings, files) as here:
        try:
            engine = PolicyEngine(DraftHost(here), draft.revision, _DEADLINE_S)
            after = evaluate(reading, engine)
        except PolicyEngineError as error:
            # It is the draft that fails, not the service.
            raise Conflict("the draft does not answer every question; check it") from error
    found = _Changes(before, after)
    day = before.as_of
    return PolicyImpact(
        draft=draft.id,
        version=draft.version,
        revision_before=active.revision,
        revision_after=draft.revision,
        catalog_version=version,
        as_of=day,
        pairs=len(before.datasets) * len(before.sites),
        becomes_ineligible=found.kinds[True, False],
        becomes_eligible=found.kinds[False, True],
        fails_otherwise=found.kinds[True, True] + found.kinds[False, False],
        unplaceable_before=_unplaceable(before) if caller.rows.all else (),
        unplaceable_after=_unplaceable(after) if caller.rows.all else (),
        obligations=tuple(
            ObligationShift(obligation=code, gained=found.gained[code], lost=found.lost[code])
            for code in sorted(found.gained.keys() | found.lost.keys())
        ),
        examples=tuple(found.examples()) if caller.rows.all else (),
    )


def usage(city: City) -> PolicyUsage:
    """How often each obligation of the active policies bites on the current catalogue.

    Raises
    ------
    PolicyEngineError
        When no policies are active, or OPA does not answer.
    """
    active, reading, version = _now(city)
    table = evaluate(reading, city.engine(active.revision))
    with city.store.reading() as tx:
        files = Policies(tx).files(active.files)
    with _asked(city.settings, files) as here:
        try:
            stated = obligations(here)
        except SandboxError as error:
            raise PolicyEngineError(f"the active policies cannot be inspected: {error}") from error
    weights = Counter(table.profile_of)
    bites: Counter[str] = Counter()
    for profile, row in enumerate(table.verdicts):
        for verdict in row:
            for code in {violation.obligation for violation in verdict.violations}:
                bites[code] += weights[profile]
    return PolicyUsage(
        revision=active.revision,
        catalog_version=version,
        as_of=table.as_of,
        pairs=len(table.datasets) * len(table.sites),
        rules=tuple(
            RuleUse(obligation=code, violations=bites[code], never_fires=not bites[code])
            for code in sorted({*stated, *bites})
        ),
    )


class _Changes:
    """How two tables over the same pairs differ."""

    def __init__(self, before: EligibilityTable, after: EligibilityTable) -> None:
        self._before, self._after = before, after
        self.kinds: Counter[tuple[bool, bool]] = Counter()
        """(eligible before, eligible after) -> pairs whose violations changed."""
        self.gained: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()
        weights = Counter(before.profile_of)
        self._changed: dict[tuple[int, int], tuple[frozenset[str], frozenset[str]]] = {}
        for profile, rows in enumerate(zip(before.verdicts, after.verdicts, strict=True)):
            for site, (old, new) in enumerate(zip(*rows, strict=True)):
                failed = frozenset(item.obligation for item in old.violations)
                fails = frozenset(item.obligation for item in new.violations)
                if failed != fails:
                    weight = weights[profile]
                    self._changed[profile, site] = failed, fails
                    self.kinds[old.eligible, new.eligible] += weight
                    self.gained.update(dict.fromkeys(fails - failed, weight))
                    self.lost.update(dict.fromkeys(failed - fails, weight))

    def examples(self) -> list[VerdictChange]:
        """The first pairs that become (in)eligible, then others that fail otherwise."""
        found: list[VerdictChange] = []
        for turned in (True, False):
            for change in self._all():
                if len(found) == EXAMPLES:
                    return found
                if (change.eligible_before != change.eligible_after) is turned:
                    found.append(change)
        return found

    def _all(self) -> Iterator[VerdictChange]:
        for dataset, profile in zip(self._before.datasets, self._before.profile_of, strict=True):
            for number, site in enumerate(self._before.sites):
                changed = self._changed.get((profile, number))
                if changed is not None:
                    failed, fails = changed
                    yield VerdictChange(
                        dataset=dataset,
                        site=site,
                        eligible_before=self._before.verdicts[profile][number].eligible,
                        eligible_after=self._after.verdicts[profile][number].eligible,
                        gained=tuple(sorted(fails - failed)),
                        lost=tuple(sorted(failed - fails)),
                    )


def _unplaceable(table: EligibilityTable) -> tuple[str, ...]:
    nowhere = [not any(verdict.eligible for verdict in row) for row in table.verdicts]
    names = (
        name
        for name, profile in zip(table.datasets, table.profile_of, strict=True)
        if nowhere[profile]
    )
    return tuple(name for name, _ in zip(names, range(_UNPLACEABLE_SHOWN), strict=False))


def _now(city: City) -> tuple[PolicyRevision, Reading, int]:
    """The active policies, and the current catalogue with its version."""
    with city.store.reading() as tx:
        active = Policies(tx).active()
        snapshot = city.snapshots.at_head(tx)
    if active is None:
        raise PolicyEngineError("no policies are active: OPA has not confirmed any yet")
    return active, snapshot.reading(), snapshot.version


@contextmanager
def _asked(settings: Settings, files: PolicyFiles) -> Iterator[Workspace]:
    """A workspace to ask a draft in, when it is its turn."""
    try:
        with _TURN, workspace(files, tools_of(settings)) as here:
            yield here
    except SandboxError as error:
        raise PolicyEngineError(f"the draft cannot be asked: {error}") from error


def _sample(here: Workspace, files: PolicyFiles) -> Iterable[DraftDefect]:
    """The example city, asked of a draft: every entrypoint answers in the right shape."""
    request = Request(catalog=CATALOG, sites=SITES, parameters=PARAMETERS)
    reading = read_inputs(request, silent)
    catalog, register = reading.catalog, reading.register
    roles = {role.id: role for role in (*catalog.roles, *register.roles)}
    contracts = {contract.id: contract for contract in catalog.contracts}
    operators = {operator.id: operator for operator in register.operators}
    site = policy_site(register.sites[0], operators, roles)
    dataset = policy_dataset(catalog.datasets[0], reading.facts.effective[0], roles, contracts)
    try:
        engine = PolicyEngine(DraftHost(here), bundle_of(files).digest, _DEADLINE_S)
        table = evaluate(reading, engine)
        one = engine.ask(PolicyInput(dataset=dataset, site=site, as_of=table.as_of))
        engine.ask_segregated(site, ["audit", "payment"], table.as_of)
    except PolicyEngineError as error:
        return [DraftDefect(check="answer", file="", message=str(error)[:1000])]
    if one != table.verdicts[table.profile_of[0]][0]:
        message = "data.placement.verdict and data.placement.batch contradict each other"
        return [DraftDefect(check="answer", file="", message=message)]
    return []
