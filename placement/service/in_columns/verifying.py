"""Verifying a plan of columns: the certificate again, and what its file says of itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from models import Certificate, Check, SiteRegister, Termination, sha256_of
from models.column_plan import ColumnPlan
from models.columns import EligibilityColumns, PlacedColumns, ProfileTable
from placement.catalog.columns import PlanColumns, placements_digest, read_plan_columns
from placement.certificate import relative_gap
from placement.certificate.columns import ColumnCertificate, certify_columns
from placement.eligibility import open_engine
from placement.eligibility.columns import evaluate_columns
from placement.errors import BadInput, Defect
from placement.reading import Request, policies_of
from placement.service.in_columns.header import (
    PROFILE,
    digests_of,
    plan_digest,
    row_prices,
    tallies_of,
)
from placement.service.in_columns.reading import ColumnReading, read_columns
from placement.settings import Settings
from placement.steps import Report, Step, silent


def verify(
    plan_file: Path, request: Request, settings: Settings, progress: Report = silent
) -> Certificate:
    """The certificate of a plan of columns, worked out again from the raw inputs.

    Raises
    ------
    BadInput, PolicyEngineError
    """
    found = read_plan_columns(plan_file)
    if PROFILE not in found.extra:
        raise BadInput([Defect(str(plan_file), "", PROFILE, "the column is missing")])
    plan = header_of(found, plan_file)
    read = read_columns(request, progress, plan=plan.parameters)
    with open_engine(policies_of(request, settings), settings) as engine:
        eligibility = evaluate_columns(
            engine, read.columns, read.facts, read.register, read.parameters
        )
        progress(Step("verify", "checking the plan against the inputs and the policies"))
        placed = _in_register_order(found, read.register)
        proof = certify_columns(
            read.columns,
            read.register,
            read.parameters,
            eligibility,
            read.facts,
            placed,
            ask=engine.ask,
            ask_segregated=engine.ask_segregated,
            objective_eur=plan.objective_eur,
            dual_bound_eur=plan.dual_bound_eur,
        )
    said = list(_statements(plan, found, placed, read, eligibility, proof))
    untrue = tuple(statement for statement, is_so in said if not is_so)
    stated = Check(name="file", holds=not untrue, checked=len(said), failures=untrue)
    own = proof.certificate
    return own.model_copy(update={"checks": (*own.checks, stated)})


def header_of(found: PlanColumns, plan_file: Path) -> ColumnPlan:
    """The header of a plan file. Raises BadInput."""
    try:
        return ColumnPlan.model_validate_json(found.header)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise BadInput([Defect(str(plan_file), "header", place, first["msg"])]) from None


def _statements(
    plan: ColumnPlan,
    found: PlanColumns,
    placed: PlacedColumns,
    read: ColumnReading,
    eligibility: EligibilityColumns,
    proof: ColumnCertificate,
) -> Iterator[tuple[str, bool]]:
    """Everything that a plan file says of itself, and whether it is so."""
    own = proof.certificate
    for name, digest in digests_of(read, eligibility).model_dump().items():
        yield (
            f"digest of {name}: the plan was made on others",
            getattr(plan.digests, name) == digest,
        )
    profiles = found.extra[PROFILE]
    stated = placements_digest(found.ids, profiles, found.placed)
    yield "placements: not those that the header was written for", plan.placements_digest == stated
    yield "digest: the header was changed", plan.digest == plan_digest(plan)
    same = plan.municipality == read.columns.municipality and plan.datasets == len(read.columns)
    yield "datasets: not those of the catalogue", same and found.ids.equals(read.columns.ids)
    yield "profile: not those of the datasets", np.array_equal(profiles, eligibility.profile_of)
    tallies = {tally.site: tally for tally in tallies_of(read, placed)}
    yield (
        "sites: the sums are not those of the placements",
        tallies == {t.site: t for t in plan.sites},
    )
    yield (
        "verdicts: not those of the policies",
        _verdicts(plan.eligibility) == _verdicts(eligibility.table),
    )
    yield "register: not the one of its digest", sha256_of(plan.site_register) == plan.digests.sites
    yield (
        "parameters: not those of their digest",
        sha256_of(plan.parameters) == plan.digests.parameters,
    )
    yield "prices: the header and the file differ", plan.prices == row_prices(found.placed)
    costs = plan.costs_eur_per_year == proof.costs and plan.objective_eur == own.objective_eur
    yield "costs: not those of the placements", costs
    yield "certificate: it is another", _told(plan.certificate) == _told(own)
    least, most = own.price_bound_eur, plan.objective_eur
    yield "dual bound: not between price bound and objective", least <= plan.dual_bound_eur <= most
    gap = relative_gap(plan.objective_eur, plan.dual_bound_eur)
    yield "gap: not that of objective and dual bound", plan.gap == gap
    within = plan.termination is Termination.WITHIN_GAP
    yield "termination: only a plan within its gap is released", within


def _verdicts(table: ProfileTable) -> tuple[object, ...]:
    """What a table says, whatever the order of the sites."""
    order = sorted(range(len(table.sites)), key=lambda s: table.sites[s])
    rows = tuple(tuple(row[s] for s in order) for row in table.verdicts)
    return sorted(table.sites), rows, table.obligations, table.segregated_duties, table.as_of


def _told(certificate: Certificate) -> tuple[object, ...]:
    """What a certificate says, but for how much it looked at."""
    amounts = certificate.objective_eur, certificate.price_bound_eur, certificate.price_gap
    return *amounts, [(check.name, check.holds) for check in certificate.checks]


def _in_register_order(found: PlanColumns, register: SiteRegister) -> PlacedColumns:
    """The file's placements with sites as rows of the register; unknown ones are out of range."""
    row = {site.id: s for s, site in enumerate(register.sites)}
    rows = np.array([row.get(site, len(row)) for site in found.site_ids], dtype=np.int32)
    at = found.placed.sites
    there = at >= 0
    sites = np.where(there, rows[np.maximum(at, 0)], -1).astype(np.int32)
    order = np.argsort(np.where(there, sites, np.iinfo(np.int32).max), axis=1, kind="stable")
    sites = np.take_along_axis(sites, order, axis=1)
    flows = np.zeros((len(found.placed.flow_prices), len(row)), dtype=np.int64)
    known = rows < len(row)
    flows[:, rows[known]] = found.placed.flow_prices[:, known]
    places = found.placed.pair_places
    known_places = (places >= 0) & (places < len(rows))
    places = np.where(known_places, rows[np.where(known_places, places, 0)], places)
    return PlacedColumns(
        sites, found.placed.row_prices, flows, places.astype(np.int32), found.placed.pair_prices
    )
