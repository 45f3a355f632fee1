"""Where datasets are: which places hold data, beside where the plan wants it.

A place that holds data has its dataset. A place that was provisioned and is not there any more has
not. An empty place says nothing as long as nobody ever found its dataset anywhere: it may have been
made a moment ago, and data takes longer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

from models import Actual, ActualSite, Evidence, NewObservation, ProvisioningState
from placement.client.hooking.folders import place_name

if TYPE_CHECKING:
    from placement.client import Client


class Holding(Protocol):
    """Where datasets are put."""

    def held(self) -> Mapping[str, bool]:
        """Names of the places that there are, and whether data is in each."""

    def reference(self, name: str) -> str:
        """Where a place is."""


def look(client: Client, places: Holding, say: Callable[[str], object]) -> int:
    """Look for every dataset of the plan that stands, and tell the service; how many drifted.

    Parameters
    ----------
    client
        Of a caller who may report.
    say
        Gets a line for each dataset that something was told of.
    """
    sites = [site.id for site in client.sites.list()]
    held, looked, told, drifted = places.held(), 0, 0, 0
    for placed in client.placements():
        looked += 1
        seen = observed(places, held, placed.actual, sites)
        if seen is None:
            continue
        told += 1
        client.observe(placed.dataset, seen)
        drift = client.placement(placed.dataset).actual.drift
        drifted += bool(drift)
        say(f"{placed.dataset}: {'; '.join(drift) or seen.evidence.summary}")
    say(f"{looked} datasets looked for, {told} told of, {drifted} not as decided")
    return drifted


def observed(
    places: Holding, held: Mapping[str, bool], actual: Actual, sites: Iterable[str]
) -> NewObservation | None:
    """What to say of a dataset; none: nothing.

    Parameters
    ----------
    held
        What `places` held a moment ago: asked once for all datasets.
    actual
        What is known of the dataset.
    sites
        Every site of the register.
    """
    wanted = {site.site for site in actual.sites if site.found or _provisioned(site)}
    names = {site: place_name(site, actual.dataset) for site in {*wanted, *sites}}
    found = sorted(site for site, name in names.items() if held.get(name, False))
    known = bool(found) or any(site.found is not None for site in actual.sites)
    missed = sorted(site for site in wanted - {*found} if known or names[site] not in held)
    if not (found or missed):
        return None
    told = [f"data in {places.reference(names[site])}" for site in found]
    told += [
        f"{places.reference(names[site])} {'is empty' if names[site] in held else 'is not there'}"
        for site in missed
    ]
    evidence = Evidence(summary="; ".join(told)[:2000])
    return NewObservation(found=tuple(found), looked_at=tuple(missed), evidence=evidence)


def _provisioned(site: ActualSite) -> bool:
    return site.desired and site.state in (ProvisioningState.DONE, ProvisioningState.FAILED)
