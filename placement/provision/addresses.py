"""Which addresses events may be sent to: the public ones, and networks that somebody allowed.

The tables follow the IANA registries of special-purpose addresses, as of 2026:
https://www.iana.org/assignments/iana-ipv4-special-registry
https://www.iana.org/assignments/iana-ipv6-special-registry
They stand here, and not in `ipaddress`: what it takes for public differs between patch versions.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NEVER = {
    "0.0.0.0/8": "no address of a host",
    "224.0.0.0/4": "multicast",
    "255.255.255.255/32": "broadcast",
    "100.100.100.200/32": "a cloud's metadata service",
    "168.63.129.16/32": "a cloud's metadata service",
    "169.254.169.254/32": "a cloud's metadata service",
    "169.254.170.2/32": "a cloud's metadata service",
    "192.0.0.192/32": "a cloud's metadata service",
    "::/128": "no address of a host",
    # A translator's own prefix: where it puts the IPv4 address, nobody else knows (RFC 8215).
    "64:ff9b:1::/48": "IPv4 inside IPv6",
    "ff00::/8": "multicast",
    "fd00:ec2::254/128": "a cloud's metadata service",
    "fd20:ce::254/128": "a cloud's metadata service",
}
"""Refused whatever networks are allowed."""

_SPECIAL = {
    "10.0.0.0/8": "private",
    "100.64.0.0/10": "a provider's own (carrier-grade NAT)",
    "127.0.0.0/8": "loopback",
    "169.254.0.0/16": "link-local",
    "172.16.0.0/12": "private",
    "192.0.0.0/24": "reserved for protocols",
    "192.0.2.0/24": "for documentation",
    "192.31.196.0/24": "reserved for protocols",
    "192.52.193.0/24": "reserved for protocols",
    "192.88.99.0/24": "reserved for protocols",
    "192.168.0.0/16": "private",
    "192.175.48.0/24": "reserved for protocols",
    "198.18.0.0/15": "for benchmarks",
    "198.51.100.0/24": "for documentation",
    "203.0.113.0/24": "for documentation",
    "240.0.0.0/4": "reserved",
    "::1/128": "loopback",
    "::ffff:0:0/96": "IPv4 inside IPv6",
    "::/96": "IPv4 inside IPv6",
    "64:ff9b::/96": "IPv4 inside IPv6",
    "100::/64": "discarded",
    "2001::/23": "reserved for protocols",
    "2001:db8::/32": "for documentation",
    "2002::/16": "IPv4 inside IPv6",
    "2620:4f:8000::/48": "reserved for protocols",
    "3fff::/20": "for documentation",
    "fc00::/7": "private",
    "fe80::/10": "link-local",
    "fec0::/10": "site-local",
}
"""Refused, unless a network that holds them is allowed."""

_UNICAST = ipaddress.IPv6Network("2000::/3")
"""All that was ever given out of IPv6 for everybody to reach."""


def _table(named: dict[str, str]) -> tuple[tuple[Network, str], ...]:
    return tuple((ipaddress.ip_network(text), why) for text, why in named.items())


_NEVER_TABLE = _table(_NEVER)
_SPECIAL_TABLE = _table(_SPECIAL)


def refusal(address: Address, allowed: Sequence[Network]) -> str:
    """Why nothing is sent to an address; empty: it may be.

    Parameters
    ----------
    address
        As a resolver or a URL gave it. One with a zone is refused.
    allowed
        Networks that are allowed although they are not public. An IPv4 address that an IPv6
        address carries must be allowed, too.
    """
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None:
        return "an address with a zone"
    never = _first(_NEVER_TABLE, address)
    if never:
        return never
    inner = carried(address)
    if inner is not None:
        why = refusal(inner, allowed)
        if why:
            return f"IPv4 inside IPv6, {why}"
    if within(address, allowed):
        return ""
    special = _first(_SPECIAL_TABLE, address)
    if special:
        return special
    if isinstance(address, ipaddress.IPv6Address):
        if address not in _UNICAST:
            return "reserved"
        if inner is not None:
            return "IPv4 inside IPv6"
    return ""


def within(address: Address, networks: Sequence[Network]) -> bool:
    """Whether one of the networks holds the address."""
    return any(address in network for network in networks)


def carried(address: Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 address leads to: mapped, translated or tunnelled."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    number = int(address)
    low = number & 0xFFFF_FFFF
    top = number >> 96
    if number >> 32 in (0, 0xFFFF):  # compatible (RFC 4291, 2.5.5.1) and mapped (2.5.5.2)
        return None if number in (0, 1) else ipaddress.IPv4Address(low)
    if number >> 32 == 0x0064_FF9B << 64:  # NAT64: RFC 6052
        return ipaddress.IPv4Address(low)
    if number >> 112 == 0x2002:  # 6to4: RFC 3056
        return ipaddress.IPv4Address((number >> 80) & 0xFFFF_FFFF)
    if top == 0x2001_0000:  # Teredo: RFC 4380, the client's address with all bits turned
        return ipaddress.IPv4Address(low ^ 0xFFFF_FFFF)
    if (number >> 32) & 0xFDFF_FFFF == 0x0000_5EFE:  # ISATAP: RFC 5214
        return ipaddress.IPv4Address(low)
    return None


def _first(table: tuple[tuple[Network, str], ...], address: Address) -> str:
    return next((why for network, why in table if address in network), "")
