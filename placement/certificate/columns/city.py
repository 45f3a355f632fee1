"""The columns, read once, with what certificates ask of sites, kinds and verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from models import Dataset, FixedPair, Parameters, Role, Site, SiteRegister, StorageKind, Verdict
from models.columns import (
    CatalogColumns,
    EligibilityColumns,
    FactColumns,
    Flags,
    Integers,
    Numbers32,
)
from placement.certificate.city import is_critical
from placement.certificate.columns.shapes import check_shapes
from placement.errors import CertificateError

STORAGE = tuple(StorageKind)


@dataclass(frozen=True)
class Places:
    """S sites and O operators, in register order."""

    sites: tuple[Site, ...]
    ids: tuple[str, ...]
    number: Mapping[str, int]
    operators: tuple[str, ...]
    operator_of: Integers
    """(S,)"""
    capped: Flags
    """(O,) concentration caps apply: one is not locked in with oneself."""

    def by_operator(self) -> list[Integers]:
        """The sites of each operator that has any."""
        operators = range(len(self.operators))
        found = [np.flatnonzero(self.operator_of == o) for o in operators]
        return [sites for sites in found if len(sites)]


@dataclass(frozen=True)
class Tariff:
    """What prices and limits see of a kind."""

    storage: StorageKind
    replicas: int
    critical: bool
    remote: tuple[Fraction, ...]
    """For each operator the share of the reader roles that are charged egress there."""


@dataclass(frozen=True)
class Verdicts:
    """The table of P profiles at S sites, in register order, as arrays."""

    eligible: Flags
    closed_stack: Flags
    penalty_eur: Integers
    hosts: Flags
    """(P, O) operators with an eligible site."""
    rows: tuple[tuple[Verdict, ...], ...]


@dataclass(frozen=True)
class ColumnCity:
    """N datasets as columns, beside sites, parameters and verdicts."""

    columns: CatalogColumns
    facts: FactColumns
    eligibility: EligibilityColumns
    parameters: Parameters
    places: Places
    roles: Mapping[str, Role]
    tariffs: tuple[Tariff, ...]
    tariff_of: Numbers32
    """(N,)"""
    replicas: Integers
    """(N,)"""
    critical: Flags
    """(N,)"""
    verdicts: Verdicts
    held: tuple[tuple[int, ...], ...]
    """For each row of current_sites the numbers of its sites."""
    fixed: tuple[tuple[int, int, bool], ...]
    """(dataset, site, must rest there or must not)."""

    def __len__(self) -> int:
        return len(self.columns)

    def name(self, dataset: int) -> str:
        """The id of a dataset."""
        return str(self.columns.ids[int(dataset)].as_py())

    @property
    def profile_of(self) -> Numbers32:
        """The profile of each dataset, (N,)."""
        return self.eligibility.profile_of

    @property
    def single(self) -> Flags:
        """(N,) datasets of one replica."""
        one: Flags = self.replicas == 1
        return one


def read_city(
    columns: CatalogColumns,
    register: SiteRegister,
    parameters: Parameters,
    eligibility: EligibilityColumns,
    facts: FactColumns,
    fixed: Sequence[FixedPair],
) -> ColumnCity:
    """Index the columns.

    Raises
    ------
    CertificateError
        Where columns do not fit together, or name sites and roles that are not given.
    """
    check_shapes(columns, eligibility, facts)
    places = _places(register)
    roles = {role.id: role for role in (*register.roles, *columns.roles)}
    tariffs, tariff_of_kind = _tariffs(columns.kinds, places, roles, parameters)
    replicas = np.array([kind.replicas for kind in columns.kinds], dtype=np.int64)
    critical = np.array([is_critical(kind, parameters) for kind in columns.kinds], dtype=np.bool_)
    kind_of = columns.kind_of
    return ColumnCity(
        columns=columns,
        facts=facts,
        eligibility=eligibility,
        parameters=parameters,
        places=places,
        roles=roles,
        tariffs=tariffs,
        tariff_of=tariff_of_kind[kind_of],
        replicas=replicas[kind_of],
        critical=critical[kind_of],
        verdicts=_verdicts(eligibility, places),
        held=_held(columns, places),
        fixed=tuple(_fixed(columns, places, fixed)),
    )


def _places(register: SiteRegister) -> Places:
    operators = tuple(operator.id for operator in register.operators)
    row = {name: o for o, name in enumerate(operators)}
    ids = tuple(site.id for site in register.sites)
    return Places(
        sites=register.sites,
        ids=ids,
        number={name: s for s, name in enumerate(ids)},
        operators=operators,
        operator_of=np.array([row[site.operator] for site in register.sites], dtype=np.int64),
        capped=np.array([not o.municipal for o in register.operators], dtype=np.bool_),
    )


def _tariffs(
    kinds: Sequence[Dataset], places: Places, roles: Mapping[str, Role], parameters: Parameters
) -> tuple[tuple[Tariff, ...], Numbers32]:
    """Distinct tariffs, and the tariff of each kind."""
    remote: dict[frozenset[str], tuple[Fraction, ...]] = {}
    number: dict[Tariff, int] = {}
    of_kind = []
    for kind in kinds:
        readers = frozenset(kind.readers)
        if readers not in remote:
            remote[readers] = _remote_shares(readers, places, roles)
        tariff = Tariff(kind.storage, kind.replicas, is_critical(kind, parameters), remote[readers])
        of_kind.append(number.setdefault(tariff, len(number)))
    return tuple(number), np.array(of_kind, dtype=np.int32)


def _remote_shares(
    readers: frozenset[str], places: Places, roles: Mapping[str, Role]
) -> tuple[Fraction, ...]:
    """R for each operator: readers without a workplace at any of its sites; 1 without readers."""
    if not readers:
        return (Fraction(1),) * len(places.operators)
    lost = readers - roles.keys()
    if lost:
        raise CertificateError(f"reader roles are not given: {', '.join(sorted(lost))}")
    near = [
        {int(places.operator_of[places.number[site]]) for site in roles[reader].workplace_sites}
        for reader in readers
    ]
    return tuple(
        Fraction(sum(o not in reached for reached in near), len(near))
        for o in range(len(places.operators))
    )


def _verdicts(eligibility: EligibilityColumns, places: Places) -> Verdicts:
    table = eligibility.table
    if sorted(table.sites) != sorted(places.ids):
        raise CertificateError("the table of verdicts is not one of the register's sites")
    column = {name: s for s, name in enumerate(table.sites)}
    order = [column[name] for name in places.ids]
    rows = tuple(tuple(row[s] for s in order) for row in table.verdicts)
    shape = len(rows), len(order)
    eligible = np.array([[v.eligible for v in row] for row in rows], dtype=np.bool_).reshape(shape)
    hosts = np.zeros((shape[0], len(places.operators)), dtype=np.bool_)
    for site, operator in enumerate(places.operator_of):
        hosts[:, operator] |= eligible[:, site]
    closed = np.array([[v.closed_stack for v in row] for row in rows], dtype=np.bool_)
    penalty = np.array([[v.penalty_eur_per_year for v in row] for row in rows], dtype=np.int64)
    return Verdicts(eligible, closed.reshape(shape), penalty.reshape(shape), hosts, rows)


def _held(columns: CatalogColumns, places: Places) -> tuple[tuple[int, ...], ...]:
    lost = {site for held in columns.current_sites for site in held} - places.number.keys()
    if lost:
        raise CertificateError(f"datasets rest at unknown sites today: {', '.join(sorted(lost))}")
    return tuple(tuple(places.number[site] for site in held) for held in columns.current_sites)


def _fixed(
    columns: CatalogColumns, places: Places, fixed: Sequence[FixedPair]
) -> list[tuple[int, int, bool]]:
    found = []
    for pair in fixed:
        row = columns.ids.index(pair.dataset).as_py()
        if row < 0 or pair.site not in places.number:
            raise CertificateError(f"no such pair to fix: {pair.dataset} at {pair.site}")
        found.append((row, places.number[pair.site], pair.allowed))
    return found
