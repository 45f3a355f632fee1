"""Whether a dataset is where it was decided, as far as anybody said.

| said                                | the site is to hold it | it is not to hold it         |
|-------------------------------------|------------------------|------------------------------|
| nothing                             | not known              | -                            |
| provisioner: done                   | as decided             | gone                         |
| found there                         | as decided             | **drift**, unless it was     |
|                                     |                        | removed since, or may still  |
|                                     |                        | rest there                   |
| not found, after it was done, or by | **drift**              | gone                         |
| a plan that is in force             |                        |                              |

While a plan is approved and not in force, data may still rest where it did before: at the sites of
the plan in force, or, without one, where the catalogue had it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from models import Actual, ActualSite, ProvisioningState
from placement.store.actual import Known


@dataclass(frozen=True)
class Desired:
    """Where one dataset is to be."""

    sites: tuple[str, ...]
    """By the plan that stands."""
    tolerated: tuple[str, ...] = ()
    """Where it may still rest."""
    in_force: bool = False
    """Data rests as that plan says, so the board was told."""


def judged(dataset: str, desired: Desired, known: Sequence[Known]) -> Actual:
    """What is known of a dataset, and how that differs from what was decided.

    Parameters
    ----------
    known
        The last that was said of it at each site, at most one of each.
    """
    said = {one.site: one for one in known}
    shown = sorted({*desired.sites, *(one.site for one in known)})
    sites = tuple(_at(site, desired.sites, said.get(site)) for site in shown)
    drift = tuple(_differences(sites, desired))
    return Actual(dataset=dataset, sites=sites, drifted=bool(drift), drift=drift)


def found_at(actual: Actual) -> tuple[str, ...]:
    """Sites where it was found and nobody removed it since, sorted."""
    return tuple(site.site for site in actual.sites if _is_there(site))


def _at(site: str, desired: Collection[str], known: Known | None) -> ActualSite:
    if known is None:
        return ActualSite(site=site, desired=site in desired, state=None, found=None)
    return ActualSite(
        site=site,
        desired=site in desired,
        state=known.state,
        found=known.found,
        reported_at=known.reported_at,
        reported_by=known.reported_by,
        observed_at=known.observed_at,
        observed_by=known.observed_by,
        evidence=known.evidence,
    )


def _differences(sites: Sequence[ActualSite], desired: Desired) -> Iterator[str]:
    for site in sites:
        when = "" if site.observed_at is None else f" on {site.observed_at.date()}"
        if not site.desired:
            if _is_there(site) and site.site not in desired.tolerated:
                yield f"it was found at {site.site}{when}, where it is not to be"
        elif site.found is False and _should_be_there(site, desired):
            yield f"it was not found at {site.site}{when}, where it is to be"


def _is_there(site: ActualSite) -> bool:
    """It was found, and was not removed since by a provisioner."""
    if not site.found:
        return False
    removed = site.state is ProvisioningState.DONE and not site.desired
    return not (removed and _follows(site, reported=True))


def _should_be_there(site: ActualSite, desired: Desired) -> bool:
    if site.state is ProvisioningState.DONE:
        return _follows(site, reported=False)
    return desired.in_force and site.state is None


def _follows(site: ActualSite, *, reported: bool) -> bool:
    """Whether the report came after the observation, or the other way round."""
    if site.reported_at is None or site.observed_at is None:
        return site.reported_at is not None if reported else site.observed_at is not None
    if reported:
        return site.reported_at >= site.observed_at
    return site.observed_at >= site.reported_at
