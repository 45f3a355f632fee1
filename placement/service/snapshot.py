"""Snapshots: one version of the catalogue in memory, with everything that follows from it.

A process keeps the last few, under the chained digest of their version: what a digest names never
changes, so a kept snapshot is right whenever its digest is the current one.
"""

from __future__ import annotations

import gc
import threading
from collections import OrderedDict
from collections.abc import Mapping
from datetime import UTC, date, datetime

from models import (
    FIRST_PREVIOUS,
    Catalog,
    EffectiveClass,
    GraphFacts,
    Parameters,
    PolicyDataset,
    PolicySite,
    Role,
    SiteRegister,
    policy_dataset,
    policy_site,
)
from placement.catalog import check_references
from placement.errors import BadInput, StoreError
from placement.graph import derive_facts
from placement.reading import Reading
from placement.service.rederiving import rederived
from placement.store import Store, Transaction
from placement.store.catalog import CatalogRecords
from placement.store.head import Head, read_head
from placement.store.records import Changes, Records

KEPT = 4
"""Snapshots that a process keeps. They share the records that did not change."""


class Snapshot:
    """One version of the catalogue. Safe to read from several threads.

    Parameters
    ----------
    version, digest
        Of the catalogue.
    records
        All records of that version.
    facts
        What follows from the relations, where it is known already; else it is derived when it is
        first asked for.
    """

    def __init__(
        self, version: int, digest: str, records: Records, facts: GraphFacts | None = None
    ) -> None:
        self.version = version
        self.digest = digest
        self.records = records
        self.catalog: Catalog = records.as_catalog()
        self.register: SiteRegister = records.as_register()
        self.parameters: Parameters = records.parameters
        """`as_of` is none unless the city set it."""
        self.roles: Mapping[str, Role] = {**records.site_roles, **records.roles}
        """Every role, of the city and of operators."""
        self._facts = facts
        self._effective: Mapping[str, EffectiveClass] | None = None
        self._dataset_views: dict[str, PolicyDataset] = {}
        self._site_views: dict[str, PolicySite] = {}
        self._deriving = threading.Lock()

    @property
    def facts(self) -> GraphFacts:
        """Effective classes, in the order of the catalogue, and the merged relations.

        Raises
        ------
        StoreError
            When the stored relations contradict each other.
        """
        with self._deriving:
            if self._facts is None:
                self._facts = _derived(self.catalog, self.parameters)
            return self._facts

    @property
    def known_facts(self) -> GraphFacts | None:
        """The facts, if somebody asked for them before."""
        return self._facts

    def effective(self, dataset: str) -> EffectiveClass:
        """The effective class of a dataset. Raises KeyError."""
        if self._effective is None:
            self._effective = {found.dataset: found for found in self.facts.effective}
        return self._effective[dataset]

    def dataset_view(self, dataset: str) -> PolicyDataset:
        """The profile of a dataset, as policies see it. Raises KeyError."""
        view = self._dataset_views.get(dataset)
        if view is None:
            view = policy_dataset(
                self.records.datasets[dataset],
                self.effective(dataset),
                self.roles,
                self.records.contracts,
            )
            self._dataset_views[dataset] = view
        return view

    def site_view(self, site: str) -> PolicySite:
        """A site, as policies see it. Raises KeyError."""
        view = self._site_views.get(site)
        if view is None:
            view = policy_site(self.records.sites[site], self.records.operators, self.roles)
            self._site_views[site] = view
        return view

    def site_views_beside(self, site: str, several: int) -> tuple[PolicySite, ...]:
        """The views of a site and its neighbours: the register in parts of `several` sites."""
        names = list(self.records.sites)
        first = names.index(site) // several * several
        return tuple(map(self.site_view, names[first : first + several]))

    def day(self, as_of: date | None = None) -> date:
        """The day to judge by: the one given, or the city's, or today (UTC)."""
        return as_of or self.parameters.as_of or datetime.now(UTC).date()

    def reading(self, as_of: date | None = None) -> Reading:
        """The snapshot as inputs of a decision, for a day (see `day`).

        Raises
        ------
        StoreError
            When the stored records do not fit together.
        """
        try:
            check_references(self.catalog, self.register, catalog_file="", register_file="")
        except BadInput as error:
            raise StoreError("the stored records name others that are not there") from error
        parameters = self.parameters.model_copy(update={"as_of": self.day(as_of)})
        return Reading(self.catalog, self.register, parameters, self.facts)


class Snapshots:
    """The snapshots of one process. Safe to use from several threads; one builds at a time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: OrderedDict[str, Snapshot] = OrderedDict()
        self._lock = threading.Lock()
        self._building = threading.Lock()

    def at_head(self, tx: Transaction | None = None) -> Snapshot:
        """The current version: as a transaction sees it, or as it is now. Raises StoreError."""
        if tx is None:
            with self._store.reading() as reading:
                return self.at_head(reading)
        return self.of(tx, read_head(tx))

    def of(self, tx: Transaction, head: Head) -> Snapshot:
        """The snapshot of a head that was read in the same transaction. Raises StoreError."""
        found = self._find(head.digest)
        if found is not None:
            return found
        with self._building:
            found = self._find(head.digest)
            if found is None:
                found = self._built(tx, head)
                self._keep(found)
            return found

    def kept(self, head: Head) -> Snapshot | None:
        """The snapshot of a head, if this process holds it already."""
        return self._find(head.digest)

    def _find(self, digest: str) -> Snapshot | None:
        with self._lock:
            found = self._kept.get(digest)
            if found is not None:
                self._kept.move_to_end(digest)
            return found

    def _keep(self, snapshot: Snapshot) -> None:
        with self._lock:
            self._kept[snapshot.digest] = snapshot
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)

    def _built(self, tx: Transaction, head: Head) -> Snapshot:
        records = CatalogRecords(tx)
        base = self._base(records, head.version)
        if base is None:
            built = Snapshot(head.version, head.digest, records.load(head.version))
            _settle()
            return built
        changes = records.changes_since(base.version, head.version)
        return changed_snapshot(base, changes, head.version, head.digest)

    def _base(self, records: CatalogRecords, version: int) -> Snapshot | None:
        """The newest kept snapshot that is an earlier version of this very catalogue."""
        with self._lock:
            earlier = [kept for kept in self._kept.values() if kept.version < version]
        base = max(earlier, key=lambda kept: kept.version, default=None)
        if base is None or base.digest == FIRST_PREVIOUS:
            return None
        return base if records.version(base.version).digest == base.digest else None


def _settle() -> None:
    """Take what is kept out of the cycle collector's sight.

    It would walk through the millions of objects of a large catalogue again and again, for tenths
    of a second in which nobody is answered, and none of them is part of a cycle.
    """
    gc.collect()
    gc.freeze()


def changed_snapshot(base: Snapshot, changes: Changes, version: int, digest: str) -> Snapshot:
    """The snapshot that changes make of another one."""
    records = base.records.with_changes(changes)
    facts = base.known_facts
    if facts is not None:
        facts = rederived(facts, base.records, records, changes)
    return Snapshot(version, digest, records, facts)


def _derived(catalog: Catalog, parameters: Parameters) -> GraphFacts:
    try:
        return derive_facts(catalog, parameters)
    except (BadInput, KeyError) as error:
        raise StoreError("the stored relations contradict each other") from error
