"""What contracts must say, and which of the city's contracts do not say it.

Nothing is judged here. Which obligations a contract can meet is read from the METADATA of the
active policies; which of them fail is read from OPA's verdicts on the datasets in question:

| contract   | its datasets             | fails an obligation when                                |
|------------|--------------------------|---------------------------------------------------------|
| collection | those that name it       | the verdict of one of them names it, at any site        |
| hosting    | those that rest at site  | the verdict of one of them at that site names it, or    |
|            |                          | the verdicts of all datasets of the catalogue do        |

What only data that rests elsewhere would fail at a site is counted, but is no miss: it is why that
data does not rest there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from models import Catalog
from models.procurement import (
    ClauseChecklist,
    CollectionFinding,
    ContractClause,
    ContractKind,
    EndingContract,
    HostingFinding,
    ProcurementReport,
)
from placement.eligibility import PolicyEngine, open_engine
from placement.eligibility.bundle import bundle_of, read_bundle
from placement.eligibility.clauses import stated_clauses
from placement.errors import NotAllowed, PolicyEngineError, PolicyRevisionMismatch
from placement.reading import Reading, Request, policies_of, read_inputs
from placement.service.deciding import evaluate
from placement.service.endangered import Findings
from placement.settings import Settings, shipped_policies
from placement.steps import Report, silent

if TYPE_CHECKING:  # a command line that works on files should not wait for the database
    from models import PolicyRevision
    from placement.service.city import Caller, City

ENDING_WITHIN_DAYS = 180
"""Half a year: time enough for a tender."""


def checklist(policies: Path | None, settings: Settings) -> ClauseChecklist:
    """What the policies in a folder ask contracts to say; by default those in use.

    Raises
    ------
    PolicyEngineError
        When the policies cannot be read, or a clause in them is not whole.
    """
    folder = policies or settings.policies or shipped_policies()
    return stated_clauses(read_bundle(folder), settings.opa_bin)


def report(
    request: Request,
    settings: Settings,
    progress: Report = silent,
    *,
    ending_within_days: int = ENDING_WITHIN_DAYS,
) -> ProcurementReport:
    """The contracts of a city's files, and what they miss.

    Raises
    ------
    BadInput, PolicyEngineError
    """
    read = read_inputs(request, progress)
    asked = checklist(policies_of(request, settings), settings)
    with open_engine(policies_of(request, settings), settings) as engine:
        return report_on(read, engine, asked, progress, ending_within_days=ending_within_days)


def city_checklist(city: City) -> ClauseChecklist:
    """What the active policies of a service ask contracts to say. Raises PolicyEngineError."""
    return _stated(city, _active(city))


def city_report(
    city: City, caller: Caller, *, ending_within_days: int = ENDING_WITHIN_DAYS
) -> ProcurementReport:
    """The contracts in a service's records, and what they miss by its active policies.

    Raises
    ------
    NotAllowed
        When the caller does not see every record: a contract that endangers only what one cannot
        see would look sound.
    PolicyEngineError
        When no policies are active, or OPA does not answer.
    """
    if not caller.rows.all:
        raise NotAllowed("a report on contracts is for somebody who may see every record")
    active = _active(city)
    reading = city.snapshots.at_head().reading()
    engine = city.engine(active.revision)
    return report_on(reading, engine, _stated(city, active), ending_within_days=ending_within_days)


def report_on(
    read: Reading,
    engine: PolicyEngine,
    asked: ClauseChecklist,
    progress: Report = silent,
    *,
    ending_within_days: int = ENDING_WITHIN_DAYS,
) -> ProcurementReport:
    """The report on inputs that were read.

    Parameters
    ----------
    asked
        The clauses of the policies that the engine holds.
    ending_within_days
        Contracts that end up to so many days after the day of judgement are listed.

    Raises
    ------
    PolicyRevisionMismatch
        When the clauses are those of other policies.
    PolicyEngineError
    """
    if asked.policy_revision != engine.revision:
        raise PolicyRevisionMismatch("the policies changed while they were read; ask again")
    table = evaluate(read, engine, progress)
    found = Findings(read, table)
    collection = asked.of(ContractKind.COLLECTION)
    hosting = asked.of(ContractKind.HOSTING)
    of_contract = _collected(read.catalog)
    return ProcurementReport(
        municipality=read.catalog.municipality,
        as_of=table.as_of,
        policy_revision=table.policy_revision,
        ending_within_days=ending_within_days,
        collection=tuple(
            CollectionFinding(
                contract=contract,
                datasets=of_contract.get(contract.id, ()),
                missed=found.of_collection(collection, of_contract.get(contract.id, ())),
            )
            for contract in sorted(read.catalog.contracts, key=lambda contract: contract.id)
        ),
        hosting=_hosting(read, found, hosting),
        without_contract=found.of_collection(collection, of_contract.get(None, ())),
        without_datasets=tuple(
            sorted(c.id for c in read.catalog.contracts if c.id not in of_contract)
        ),
        ending=_ending(read, of_contract, ending_within_days),
    )


def _hosting(
    read: Reading, found: Findings, clauses: tuple[ContractClause, ...]
) -> tuple[HostingFinding, ...]:
    """A finding for every site of another operator; the city has no contract with itself."""
    own = {operator.id for operator in read.register.operators if operator.municipal}
    resting: defaultdict[str, list[str]] = defaultdict(list)
    for dataset in read.catalog.datasets:
        for site in dataset.current_sites:
            resting[site].append(dataset.id)
    return tuple(
        HostingFinding(
            site=site.id,
            title=site.title,
            operator=site.operator,
            clauses=site.clauses,
            datasets=tuple(resting[site.id]),
            missed=found.of_hosting(clauses, number, resting[site.id]),
        )
        for number, site in enumerate(read.register.sites)
        if site.operator not in own
    )


def _collected(catalog: Catalog) -> dict[str | None, tuple[str, ...]]:
    """Contract -> the datasets that name it; none: those that name no contract."""
    found: defaultdict[str | None, list[str]] = defaultdict(list)
    for dataset in catalog.datasets:
        found[dataset.contract].append(dataset.id)
    return {contract: tuple(names) for contract, names in found.items()}


def _ending(
    read: Reading, of_contract: Mapping[str | None, tuple[str, ...]], within: int
) -> tuple[EndingContract, ...]:
    today = read.parameters.as_of
    if today is None:
        raise AssertionError("the day of judgement is set when the parameters are read")
    last = today + timedelta(days=within)
    soon = [
        EndingContract(
            contract=contract.id,
            contractor=contract.contractor,
            end_date=contract.end_date,
            days_left=(contract.end_date - today).days,
            datasets=of_contract.get(contract.id, ()),
        )
        for contract in read.catalog.contracts
        if contract.end_date is not None and today <= contract.end_date <= last
    ]
    return tuple(sorted(soon, key=lambda ending: (ending.end_date, ending.contract)))


def _active(city: City) -> PolicyRevision:
    from placement.store.policies import Policies

    with city.store.reading() as tx:
        active = Policies(tx).active()
    if active is None:
        raise PolicyEngineError("no policies are active: OPA has not confirmed any yet")
    return active


_stated_last: dict[str, ClauseChecklist] = {}
"""Revision -> its checklist, of the last one asked about: a revision names its content."""


def _stated(city: City, active: PolicyRevision) -> ClauseChecklist:
    from placement.store.policies import Policies

    found = _stated_last.get(active.revision)
    if found is None:
        with city.store.reading() as tx:
            files = Policies(tx).files(active.files)
        found = stated_clauses(bundle_of(files), city.settings.opa_bin)
        _stated_last.clear()
        _stated_last[active.revision] = found
    return found
