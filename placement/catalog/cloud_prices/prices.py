"""Storage and egress prices of a price list, in exact EUR per GB."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from models import decimal_text
from placement.catalog.assumptions import Assumptions
from placement.catalog.nodes import Node

_SMALLEST_RATE = Decimal("0.001")
_PLACES = Decimal("0.000000001")


@dataclass(frozen=True)
class Rates:
    """Exchange rates that the list itself states."""

    per_eur: dict[str, Decimal]
    """Units of a currency for one euro."""
    day: str
    """The day they are of, as written."""


@dataclass(frozen=True)
class Prices:
    """Prices of one provider, the same at all its locations; None where not offered or stated."""

    object_eur_per_gb_month: Decimal | None
    block_eur_per_gb_month: Decimal | None
    egress_eur_per_gb: Decimal | None
    speaks_s3: bool
    software: str
    """Open-source storage that the list names: "ceph", "openstack" or ""."""


def read_rates(providers: dict[str, Node]) -> Rates:
    """The newest exchange rates against the euro in the list; only EUR where there are none."""
    found = Rates({"EUR": Decimal(1)}, "")
    for provider in providers.values():
        fx = provider.node("fx")
        if fx is not None and fx.text("base") == "EUR" and fx.text("rate_date") > found.day:
            rates = fx.node("rates")
            stated = _usable(rates) if rates else {}
            found = Rates({**found.per_eur, **stated}, fx.text("rate_date"))
    return found


def _usable(rates: Node) -> dict[str, Decimal]:
    """Rates in a range that real currencies have; the euro stays one."""
    numbers = {currency: rates.number(currency, maximum=10**6) for currency in rates.value}
    return {c: n for c, n in numbers.items() if n and n >= _SMALLEST_RATE and c != "EUR"}


def read_prices(name: str, offer: Node, terms: Node, rates: Rates, assumed: Assumptions) -> Prices:
    """Prices of the provider `name` from its price list entry and its entry among providers."""
    storage = offer.node("object_storage")
    block = offer.node("block_storage")
    texts = f"{storage.text('type')} {storage.text('notes')}".lower() if storage else ""
    return Prices(
        object_eur_per_gb_month=_storage_price(name, storage, rates, assumed),
        block_eur_per_gb_month=_storage_price(name, block, rates, assumed),
        egress_eur_per_gb=_egress_price(name, offer, terms, rates, assumed),
        speaks_s3="s3" in texts,
        software=_software(f"{texts} {offer.text('notes')}".lower()),
    )


def _software(text: str) -> str:
    """Open-source storage that a provider's notes name."""
    if "ceph" in text:
        return "ceph"
    openstack = ("openstack", "swift", "sovereign cloud stack")
    return "openstack" if any(word in text for word in openstack) else ""


def _storage_price(
    name: str, node: Node | None, rates: Rates, assumed: Assumptions
) -> Decimal | None:
    """EUR per GB and month; the cheapest tier where only tiers are priced."""
    if node is None or not node.flag("available", default=True):
        return None
    if any(node.value.get(key) for key in ("base_monthly", "allocation_block_gb")):
        assumed.note(
            "prices: base fees and billing in whole blocks are left out", name, of="provider"
        )
    price = _per_gb(node)
    if price is None:
        tiers = node.node("tiers")
        listed = [_per_gb(tier) for _, tier in tiers.members()] if tiers else []
        price = min((p for p in listed if p is not None), default=None)
        if price is not None:
            assumed.note(
                "prices: the cheapest tier, where only tiers are priced", name, of="provider"
            )
    if price == 0:
        assumed.note("prices: storage at no price counts as not offered", name, of="provider")
        return None
    return _in_eur(name, node, price, rates, assumed)


def _per_gb(node: Node) -> Decimal | None:
    price = node.number("price_per_gb_monthly")
    per_tb = node.number("price_per_tb_monthly")
    return per_tb / 1000 if price is None and per_tb is not None else price


def _egress_price(
    name: str, offer: Node, terms: Node, rates: Rates, assumed: Assumptions
) -> Decimal | None:
    """The highest price stated for a gigabyte that leaves; 0 where traffic is unlimited.

    None where there is an allowance but no price beyond it.
    """
    egress, storage = offer.node("egress"), offer.node("object_storage")
    stated = [
        _in_eur(name, node, node.number(key), rates, assumed)
        for node, key in (
            (egress, "price_per_gb"),
            (egress, "price_per_gb_overage"),
            (storage, "egress_price_per_gb"),
        )
        if node is not None
    ]
    known = [price for price in stated if price is not None]
    if known:
        if max(known) and any(n and _has_allowance(n) for n in (egress, storage)):
            assumed.note(
                "egress_price_eur_per_gb: free allowances are left out, every GB costs the "
                "highest price stated",
                name,
                of="provider",
            )
        return max(known)
    free = (egress.value.get("free_tb") if egress else None, terms.value.get("egress_free_tb"))
    return Decimal(0) if "unlimited" in free else None


def _has_allowance(node: Node) -> bool:
    keys = (
        "free_tb",
        "free_gb",
        "free_gb_per_instance_hour",
        "free_egress_tb",
        "included_egress_tb",
    )
    return any(node.value.get(key) for key in keys)


def _in_eur(
    name: str, node: Node, price: Decimal | None, rates: Rates, assumed: Assumptions
) -> Decimal | None:
    currency = node.text("currency") or "EUR"
    if price is None:
        return None
    if currency not in rates.per_eur:
        node.defect("currency", f"there is no exchange rate for {currency} in the list")
        return None
    if currency != "EUR":
        rate = rates.per_eur[currency]
        assumed.note(
            f"prices: {currency} at {rate} for 1 EUR, the list's own rate of {rates.day}",
            name,
            of="provider",
        )
        price = price / rate
    return Decimal(decimal_text(price.quantize(_PLACES, ROUND_HALF_EVEN)))
