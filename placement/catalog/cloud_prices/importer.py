"""From a price list to a register: one operator a provider, one site a location.

Taken from the list: countries of providers, locations, certificates, prices. All else is
assumed (terms.py), and every assumption is listed in the register with its count.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

from models import Operator, Role, Site, SiteRegister
from placement.catalog.assumptions import Assumptions
from placement.catalog.cloud_prices import terms
from placement.catalog.cloud_prices.certificates import certifications
from placement.catalog.cloud_prices.countries import country_of, is_country
from placement.catalog.cloud_prices.prices import Prices, read_prices, read_rates
from placement.catalog.cloud_prices.provider import SEAL_RULE, Provider
from placement.catalog.native import load_native_register
from placement.catalog.nodes import Folder, Node, is_identifier
from placement.catalog.places import shown
from placement.errors import BadInput, Defect

FILE_MAX_BYTES = 64 * 2**20
MUNICIPAL_SITES = Path(__file__).with_name("municipal_sites.json")
"""The sites that every import adds, in the native format, with prices and capacities."""
_FIRST_YEAR, _LAST_YEAR = 2000, 2100
_KINDS = {"managed": True, "vm-only": False}


def load_eu_cloud_prices(path: Path) -> SiteRegister:
    """The register of a folder with providers.json and normalized.json, and municipal sites.

    Raises
    ------
    BadInput
        With every defect of both files.
    """
    folder = Folder(path, file_max_bytes=FILE_MAX_BYTES)
    providers = folder.read("providers.json", "")
    listed = folder.read("normalized.json", "")
    offers = listed.node("providers") if listed else None
    if providers is None or listed is None or offers is None:
        if listed is not None and offers is None and not folder.defects:
            listed.defect("providers", "is missing")
        raise BadInput(folder.defects)
    list_date = _list_date(listed)
    importing = _Import(dict(_named(providers)), dict(_named(offers)), list_date)
    register = importing.register()
    if not providers.value:
        folder.defects.append(Defect(providers.file, "", "", "there is no provider"))
    if folder.defects:
        raise BadInput(folder.defects)
    return register


def _named(node: Node) -> Iterator[tuple[str, Node]]:
    for name, member in node.members():
        yield name, Node(member.folder, member.file, f"provider {name}", (), member.value)


def _list_date(listed: Node) -> date:
    text = listed.text("last_updated")
    try:
        day = date.fromisoformat(text[:10])
    except ValueError:
        day = date.min
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        listed.defect("last_updated", "a moment such as 2026-12-31T12:00:00Z is expected")
        return date(_FIRST_YEAR, 1, 1)
    return day


class _Import:
    """One import: both files, and what had to be assumed on the way."""

    def __init__(
        self, providers: dict[str, Node], offers: dict[str, Node], list_date: date
    ) -> None:
        self.providers = providers
        self.offers = offers
        self.valid_until = terms.valid_until(list_date)
        self.assumed = Assumptions()
        self.operators: list[Operator] = []
        self.sites: list[Site] = []
        self.roles: list[Role] = []

    def register(self) -> SiteRegister:
        self._add_municipal_sites()
        prices = self._prices()
        stated = [p.egress_eur_per_gb for p in prices.values() if p.egress_eur_per_gb is not None]
        highest = max(stated, default=Decimal(0))
        for name in prices:
            provider = self._provider(name, self.providers[name], prices[name], highest)
            if provider is not None:
                self._add_provider(provider, self.providers[name])
        return SiteRegister(
            source="eu-cloud-prices, with default municipal sites",
            assumptions=self.assumed.sentences(),
            operators=tuple(self.operators),
            sites=tuple(self.sites),
            roles=tuple(self.roles),
        )

    def _add_municipal_sites(self) -> None:
        municipal = load_native_register(MUNICIPAL_SITES)
        for sentence in municipal.assumptions:
            self.assumed.note(sentence, *(site.id for site in municipal.sites), of="site")
        self.operators += municipal.operators
        self.roles += municipal.roles
        self.sites += [self._dated(site) for site in municipal.sites]

    def _dated(self, site: Site) -> Site:
        """The site with certificates that are as old as the list, like everybody's."""
        dated = tuple(
            c.model_copy(update={"valid_until": self.valid_until}) for c in site.certifications
        )
        return site.model_copy(update={"certifications": dated})

    def _prices(self) -> dict[str, Prices]:
        rates = read_rates(self.offers)
        found = {}
        for name, node in self.providers.items():
            if name in self.offers:
                found[name] = read_prices(name, self.offers[name], node, rates, self.assumed)
            else:
                node.defect("", "has no entry in normalized.json")
        return found

    def _provider(
        self, name: str, node: Node, prices: Prices, highest_egress: Decimal
    ) -> Provider | None:
        """What the files say of a provider; None, with defects, where that is not enough."""
        country, kind = node.text("country"), node.text("type")
        checks = {
            "": (is_identifier(f"staff:{name}"), "the provider's key is not a valid id"),
            "id": (name not in {o.id for o in self.operators}, f"{name} is a municipal operator"),
            "country": (is_country(country), "a country code of two capital letters is expected"),
            "type": (kind in _KINDS, "managed or vm-only is expected"),
            "locations": (bool(node.texts("locations")), "there is no location"),
        }
        wrong = {field: message for field, (holds, message) in checks.items() if not holds}
        for field, message in wrong.items():
            node.defect(field, message)
        if wrong:
            return None
        egress = prices.egress_eur_per_gb
        if egress is None:
            self.assumed.note(
                "egress_price_eur_per_gb: an allowance without a price beyond it costs the highest "
                f"price in the list, {highest_egress.normalize():f} EUR per GB",
                name,
                of="provider",
            )
        return Provider(
            id=name,
            title=node.text("name") or name,
            country=country,
            managed=_KINDS[kind],
            certifications=certifications(
                node.texts("certifications"),
                self.offers[name].texts("certifications"),
                self.valid_until,
            ),
            prices=prices,
            egress_eur_per_gb=highest_egress if egress is None else egress,
        )

    def _add_provider(self, provider: Provider, node: Node) -> None:
        self.operators.append(provider.operator())
        self.roles.append(provider.staff())
        for sentence in provider.assumptions():
            self.assumed.note(sentence, provider.id, of="provider")
        for location in node.texts("locations"):
            country, by_table = country_of(provider.id, location)
            if not is_identifier(f"{provider.id}/{location}"):
                node.defect("locations", f"{shown(location)} makes no valid id")
                continue
            if country is None:
                node.defect("locations", f"the country of {shown(location)} is not known")
                continue
            site = provider.site(location, country)
            source = "a table of known codes" if by_table else "the letters of its code"
            self.assumed.note(f"country: from {source}", site.id, of="site")
            self.assumed.note(f"seal_level: {site.seal_level}; {SEAL_RULE}", site.id, of="site")
            self.sites.append(site)
