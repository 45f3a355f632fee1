"""Which country a provider's location code stands for. Never a guess: unknown codes have none."""

from __future__ import annotations

import re

_EEA_CODES = (
    "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IS IT LI LT LU LV MT NL NO PL PT RO SE SI SK"
)
_ISO_3166_CODES = (
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ "
    "BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM "
    "DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS "
    "GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN "
    "KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ "
    "MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM "
    "PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV "
    "SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI "
    "VN VU WF WS YE YT ZA ZM ZW"
)

EEA = frozenset(_EEA_CODES.split())
"""The European Economic Area, where the GDPR applies as it stands."""
_ISO_3166 = frozenset(_ISO_3166_CODES.split())

_BY_PROVIDER = {
    "aws": {
        "eu-central-1": "DE",
        "eu-central-2": "CH",
        "eu-north-1": "SE",
        "eu-south-1": "IT",
        "eu-south-2": "ES",
        "eu-west-1": "IE",
        "eu-west-2": "GB",
        "eu-west-3": "FR",
    },
    "azure": {
        "austriaeast": "AT",
        "belgiumcentral": "BE",
        "francecentral": "FR",
        "germanynorth": "DE",
        "germanywestcentral": "DE",
        "italynorth": "IT",
        "northeurope": "IE",
        "norwayeast": "NO",
        "polandcentral": "PL",
        "spaincentral": "ES",
        "swedencentral": "SE",
        "switzerlandnorth": "CH",
        "uksouth": "GB",
        "ukwest": "GB",
        "westeurope": "NL",
    },
    "civo": {"fra1": "DE", "lon1": "GB", "nyc1": "US", "phx1": "US"},
    "cyso": {"ge-fra": "DE"},
    "gcp": {
        "europe-central2": "PL",
        "europe-north1": "FI",
        "europe-southwest1": "ES",
        "europe-west1": "BE",
        "europe-west10": "DE",
        "europe-west12": "IT",
        "europe-west2": "GB",
        "europe-west3": "DE",
        "europe-west4": "NL",
        "europe-west6": "CH",
        "europe-west8": "IT",
        "europe-west9": "FR",
    },
    "gridscale": {
        "ams-1": "NL",
        "app-1": "CH",
        "ezh-1": "DE",
        "fra-1": "DE",
        "fra-2": "DE",
        "fra-3": "DE",
        "han-1": "DE",
        "luz-1": "CH",
        "wie-1": "AT",
    },
    "hetzner": {"fsn1": "DE", "hel1": "FI", "nbg1": "DE"},
    "nws": {"nbg3": "DE", "nbg4": "DE"},
    "ovh": {"bhs": "CA", "gra": "FR", "sbg": "FR", "waw": "PL"},
}
"""Codes that carry no country, from the providers' own region lists. cyso's "ge-fra" is
Frankfurt, not Georgia."""

_COUNTRY_FIRST = re.compile(r"^([a-z]{2})(?:$|[-/](?!(?:north|south|east|west|central)))")
_REGION_AND_COUNTRY = re.compile(r"^eu-([a-z]{2})-\d+$")


def country_of(provider: str, location: str) -> tuple[str | None, bool]:
    """The ISO 3166 country of a location code, and whether a table (not the code) says so.

    A code says its country by two letters in front ("de-fra1", "PT", "us-nj") or after "eu-"
    ("eu-de-1"). Compass words ("sa-east-1") are no country codes. None where nothing says it.
    """
    code = location.lower()
    if (known := _BY_PROVIDER.get(provider, {}).get(code)) is not None:
        return known, True
    match = _REGION_AND_COUNTRY.match(code) or _COUNTRY_FIRST.match(code)
    letters = match.group(1).upper() if match else ""
    letters = "GB" if letters == "UK" else letters
    return (letters, False) if letters in _ISO_3166 else (None, False)


def is_country(code: str) -> bool:
    """Whether a code is an ISO 3166-1 alpha-2 country."""
    return code in _ISO_3166
