"""Which host obligations a setting meets, and which only people can."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from models import HostedAt

IN_TRANSIT = "security.encrypt_in_transit"
AT_REST = "security.encrypt_at_rest"
CITY_KEYS = "security.encrypt_with_city_keys"
ACCESS_LOG = "security.keep_access_log"
BACK_UP = "security.back_up_elsewhere"

_DAYS = re.compile(r"at least ([0-9]{1,5}) days")


@dataclass(frozen=True)
class Outcome:
    """What was made at one site, and which obligations it meets."""

    reference: str
    """Where it is: a path, or s3://bucket."""
    met: Mapping[str, str]
    """Code -> by what."""
    unmet: Mapping[str, str]
    """Code -> why not."""

    @property
    def summary(self) -> str:
        """One line a kind, for the evidence of a report."""
        parts = []
        for word, codes in (("met", self.met), ("not met", self.unmet)):
            if codes:
                told = "; ".join(f"{code}: {why}" for code, why in sorted(codes.items()))
                parts.append(f"{word}: {told}")
        return (" | ".join(parts) or "no obligations")[:2000]


def judged(
    hosted: HostedAt, reference: str, settings: Mapping[str, str], attested: Mapping[str, str]
) -> Outcome:
    """What becomes of the obligations at a site.

    Parameters
    ----------
    settings
        Code -> the setting that was made for it.
    attested
        Code -> where it stands that somebody sees to it, such as a contract's address: for what
        no setting can promise, such as restoring in an exercise, or reporting a breach.
    """
    met, unmet = {}, {}
    for code in sorted({one.code for one in hosted.host_obligations}):
        if code in settings:
            met[code] = settings[code]
        elif code in attested:
            met[code] = f"attested in {attested[code]}"
        else:
            unmet[code] = "no setting here meets it, and nobody attested it"
    return Outcome(reference, met, unmet)


def demands(hosted: HostedAt, code: str) -> bool:
    """Whether a site has an obligation."""
    return any(one.code == code for one in hosted.host_obligations)


def days_demanded(hosted: HostedAt, code: str) -> int | None:
    """For how many days at least, where the requirement says so."""
    found = [
        int(match[1])
        for one in hosted.host_obligations
        if one.code == code and (match := _DAYS.search(one.requirement))
    ]
    return max(found, default=None)
