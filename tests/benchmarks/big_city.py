"""A city of any size made from a seed, as a catalogue folder: a million datasets in seconds.

The classes, sites and prices are those of `city.py`: 42 kinds, from open data to special
categories, that real policies let rest at the city's own sites and at some of the clouds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models import CollectorKind, Dataset, Dpia, Interface, Level, Parameters, Site, StorageKind
from models.columns import CatalogColumns, Derivations, Groups, Separations
from placement.catalog import write_json
from placement.catalog.columns import write_catalog_folder
from placement.catalog.columns.writing import Kind
from tests.benchmarks import city

CLASSES = 5
CRITICAL, REPLICATED = 0.15, 0.02
BLOCK, RESTING = 0.3, 1 / 3
AGGREGATED = 0.1
"""Share of derivations that end inheritance, and so may come from another class."""
_AT_ONCE = 1 << 20
_KINDS: dict[str, Kind] = {kind: kind for kind in get_args(Kind)}


def make_big_city(
    folder: Path,
    datasets: int,
    sites: int,
    seed: int,
    edges: float = 0.0,
    apart: float = 0.0,
    kind: Kind = "parquet",
) -> CatalogColumns:
    """Write a catalogue folder with sites.json and parameters.json beside its parts.

    Parameters
    ----------
    folder
        A place where nothing is.
    datasets, sites
        How many.
    seed
        Of everything that is drawn.
    edges
        Lineage edges a dataset, between datasets of one class unless reviewed; no cycles.
    apart
        Pairs to be separated, a share of the number of datasets.
    kind
        "parquet" or "jsonl".
    """
    rng = np.random.default_rng(seed)
    columns = _columns(rng, datasets, edges, apart, seed)
    write_catalog_folder(columns, folder, kind)
    replicas = np.array([k.replicas for k in columns.kinds])[columns.kind_of]
    volume = int((columns.volume_gb * replicas).sum())
    write_json(_register(volume, sites, rng), folder / "sites.json")
    write_json(_parameters(datasets), folder / "parameters.json")
    return columns


def _columns(rng, datasets, edges, apart, seed):
    kinds, class_of_kind = _kinds()
    class_of = rng.integers(CLASSES, size=datasets)
    kind_of = _kind_of(rng, class_of, kinds, class_of_kind)
    volume = np.minimum(np.ceil(rng.lognormal(4.0, 2.0, datasets)), 10**7).astype(np.int64)
    used, first, again = np.unique(kind_of, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty(len(order), dtype=np.int32)
    rank[order] = np.arange(len(order))
    at = np.where(rng.random(datasets) < RESTING, 1 + rng.integers(2, size=datasets), 0)
    numbers = pc.utf8_lpad(pa.array(np.arange(datasets)).cast(pa.string()), 9, "0")
    return CatalogColumns(
        municipality="Benchmark",
        source=f"generated from seed {seed}",
        ids=pc.binary_join_element_wise("d", numbers, ""),
        kind_of=rank[again],
        kinds=tuple(
            kinds[k].model_copy(update={"id": f"kind-{n}", "title": f"Kind {n}"})
            for n, k in enumerate(used[order].tolist())
        ),
        volume_gb=volume,
        monthly_read_ugb=_thousandths(volume * rng.uniform(0, 0.3, datasets)),
        monthly_egress_ugb=_thousandths(volume * rng.uniform(0, 0.2, datasets)),
        current_of=at.astype(np.int32),
        current_sites=((), ("s00",), ("s01",)),
        derivations=_derivations(rng, class_of, volume, int(edges * datasets)),
        co_located=_no_groups(),
        separated=_separated(rng, datasets, int(apart * datasets)),
        cumulated=_no_groups(),
        roles=tuple(city._role(name) for name in ("user", "operations")),
    )


def _kinds():
    """42 kinds: class, storage and interface, and how available; with the class of each."""
    storages = [(StorageKind.OBJECT, i) for i in city.OBJECT_INTERFACES]
    block = (StorageKind.BLOCK, Interface.POSTGRESQL)
    found, classes = [], []
    for number in range(CLASSES):
        for storage, interface in [*storages, block] if number else storages:
            for availability, replicas in ((Level.NORMAL, 1), (Level.HIGH, 1), (Level.HIGH, 2)):
                found.append(_kind(number, storage, interface, availability, replicas))
                classes.append(number)
    return found, np.array(classes)


def _kind(number, storage, interface, availability, replicas):
    return Dataset(
        id="kind",
        title="kind",
        owner_department="City",
        steward="steward@city.example",
        integrity=Level.NORMAL,
        availability=availability,
        lawful_basis="art. 6(1)(e) GDPR",
        dpia=Dpia.FULL,
        readers=("user",),
        writers=("user",),
        administrators=("user",),
        collected_by=CollectorKind.MUNICIPALITY,
        volume_gb=0,
        monthly_read_gb=Decimal(0),
        monthly_egress_gb=Decimal(0),
        storage=storage,
        interfaces=(interface,),
        replicas=replicas,
        **city._classified(number),
    )


def _kind_of(rng, class_of, kinds, class_of_kind):
    size = len(class_of)
    start = np.searchsorted(class_of_kind, np.arange(CLASSES))
    block = (class_of > 0) & (rng.random(size) < BLOCK)
    storage = np.where(block, 2, rng.integers(2, size=size))
    replicated = rng.random(size) < REPLICATED
    critical = rng.random(size) < CRITICAL
    service = np.where(replicated, 2, np.where(critical, 1, 0))
    return start[class_of] + 3 * storage + service


def _thousandths(amounts):
    return np.rint(amounts * 1000).astype(np.int64) * 1000


def _derivations(rng, class_of, volume, count):
    """From a lower row to a higher one, and within a class but for reviewed aggregations."""
    size = len(class_of)
    by_class = np.argsort(class_of, kind="stable")
    ends = rng.random(count) < AGGREGATED
    one = rng.integers(size, size=count)
    starts = np.searchsorted(class_of[by_class], np.arange(CLASSES + 1))
    low, high = starts[class_of[one]], starts[class_of[one] + 1]
    alike = by_class[low + (rng.random(count) * (high - low)).astype(np.int64)]
    other = np.where(ends, rng.integers(size, size=count), alike)
    pairs = np.sort(np.stack([one, other]), axis=0)
    _, keep = np.unique(pairs[0] * size + pairs[1], return_index=True)
    keep = keep[pairs[0, keep] != pairs[1, keep]]
    source, derived = pairs[:, keep]
    flow = _thousandths(volume[source] * rng.uniform(0.01, 0.3, len(keep)))
    return Derivations(source, derived, flow, ends[keep])


def _separated(rng, size, count):
    first = rng.integers(size, size=count)
    second = (first + 1 + rng.integers(max(1, size - 1), size=count)) % size
    pairs = np.unique(np.sort(np.stack([first, second], axis=1), axis=1), axis=0)
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    groups = Groups(2 * np.arange(len(pairs) + 1, dtype=np.int64), pairs.reshape(-1))
    return Separations(groups, rng.random(len(pairs)) < 0.5)


def _no_groups():
    return Groups(np.zeros(1, dtype=np.int64), np.empty(0, dtype=np.int64))


def _register(volume_gb, sites, rng):
    """Sites as in `city.py`; with more of them, cheap ones are smaller, and the reverse."""
    register = city._register(volume_gb, rng)
    made = tuple(_scaled(city._site(k, volume_gb, rng), volume_gb, sites) for k in range(sites))
    used = {site.operator for site in made}
    operators = tuple(o for o in register.operators if o.id in used)
    return register.model_copy(update={"sites": made, "operators": operators})


def _scaled(site: Site, volume_gb: int, sites: int) -> Site:
    if site.capacity_gb >= volume_gb:
        return site
    capacity = min(volume_gb, site.capacity_gb * city.SITES // sites)
    return site.model_copy(update={"capacity_gb": capacity})


def _parameters(datasets: int) -> Parameters:
    return Parameters(
        as_of=city.AS_OF,
        time_limit_s=600,
        operator_volume_share_max=Decimal("0.15"),
        operator_critical_share_max=Decimal("0.15"),
        closed_stack_share_max=Decimal("0.2"),
        moves_max=datasets // 5,
    )


def main(arguments: Sequence[str]) -> None:
    """`python -m tests.benchmarks.big_city FOLDER DATASETS SITES SEED [EDGES [KIND]]`."""
    folder, datasets, sites, seed, *rest = arguments
    started = time.perf_counter()
    make_big_city(
        Path(folder),
        int(datasets),
        int(sites),
        int(seed),
        float(rest[0]) if rest else 0.0,
        kind=_KINDS[rest[1]] if len(rest) > 1 else "parquet",
    )
    print(f"{datasets} datasets, {sites} sites: {time.perf_counter() - started:.1f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
