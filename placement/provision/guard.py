"""The guard of what the service sends: which URLs, by host, and which addresses.

A URL has one spelling here. What browsers and libraries would repair (blanks, backslashes,
capitals, other digits and dots, short and octal numbers, escapes in a host) is refused, so that
nobody can read a URL otherwise than we do. Names are allowed by the city's settings; the addresses
of a name are judged all together, each time before somebody connects.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass

from placement.errors import BadInput, Defect
from placement.provision.addresses import Address, Network, refusal, within
from placement.provision.lookup import Lookup, system_lookup

MOST_URL = 2000
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::(?P<port>[1-9][0-9]{0,4}))?"
    r"(?P<rest>/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*"
    r"(?:\?(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?)?",
    re.ASCII,
)
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_PORTS = {"https": 443, "http": 80}
_METADATA = frozenset(
    {
        "metadata",
        "metadata.google.internal",
        "metadata.goog",
        "metadata.azure.internal",
        "instance-data",
        "instance-data.ec2.internal",
    }
)
_SPELLING = (
    "https://host[:port][/path][?query] is expected, in lower case up to the path, without a user, "
    "a fragment, blanks, escapes in the host, and anything but ASCII"
)


@dataclass(frozen=True)
class Target:
    """Where to send, by a URL that may be used."""

    scheme: str
    host: str
    """A name, or an address without brackets."""
    port: int
    path_and_query: str

    @property
    def literal(self) -> Address | None:
        """The host, where it is an address."""
        try:
            return ipaddress.ip_address(self.host)
        except ValueError:
            return None

    @property
    def url(self) -> str:
        """The URL, always with its port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path_and_query}"


class Guard:
    """Judges URLs and addresses by the city's settings.

    Parameters
    ----------
    hosts
        Names and addresses, exact, or `*.example.org` for everything below a name.
    networks
        Networks that are allowed although they are not public; http:// is for them alone.
    lookup
        Resolves names; by default as the system does.
    """

    def __init__(
        self,
        hosts: Sequence[str] = (),
        networks: Sequence[Network] = (),
        lookup: Lookup = system_lookup,
    ) -> None:
        self._exact = frozenset(host for host in hosts if not host.startswith("*."))
        self._below = tuple(host[1:] for host in hosts if host.startswith("*."))
        self._networks = tuple(networks)
        self._lookup = lookup

    def check_url(self, url: str) -> Target:
        """What a URL leads to. Its name is not looked up.

        Raises
        ------
        BadInput
            Saying why nothing is sent there.
        """
        target = _parsed(url)
        if not (self._exact or self._below):
            raise _bad("events are sent nowhere until PLACEMENT_WEBHOOK_HOSTS allows a host")
        if target.host in _METADATA:
            raise _bad("the host is a cloud's metadata service")
        literal = target.literal
        if not self._knows(target.host, exact=literal is not None):
            raise _bad("PLACEMENT_WEBHOOK_HOSTS does not allow this host")
        if target.scheme == "http" and not self._networks:
            raise _bad("https is expected: PLACEMENT_WEBHOOK_NETWORKS allows no network for http")
        if literal is not None:
            self.check_address(literal, target.scheme)
        return target

    async def resolve(self, target: Target) -> tuple[str, ...]:
        """All addresses of a target, each of them allowed, each once.

        Raises
        ------
        BadInput
            When one of them is not allowed: a name that leads there, too, is refused as a whole.
        OSError
            When the name has none.
        """
        literal = target.literal
        if literal is not None:
            self.check_address(literal, target.scheme)
            return (str(literal),)
        found = await self._lookup(target.host, target.port)
        if not found:
            raise OSError("the name has no address")
        addresses = dict.fromkeys(_address(text) for text in found)
        for address in addresses:
            self.check_address(address, target.scheme)
        return tuple(str(address) for address in addresses)

    def check_address(self, address: Address, scheme: str) -> None:
        """Whether a connection to an address may be made. Raises BadInput."""
        why = refusal(address, self._networks)
        if why:
            raise _bad(f"the host leads to an address that is refused: {why}")
        if scheme != "https" and not within(address, self._networks):
            raise _bad("https is expected outside PLACEMENT_WEBHOOK_NETWORKS")

    def _knows(self, host: str, *, exact: bool) -> bool:
        if host in self._exact:
            return True
        # Names in another script look like others: those are to be allowed one by one.
        if exact or any(label.startswith("xn--") for label in host.split(".")):
            return False
        return any(host.endswith(suffix) for suffix in self._below)


def _parsed(url: str) -> Target:
    """The parts of a URL in its one spelling. Raises BadInput."""
    if len(url) > MOST_URL:
        raise _bad(f"at most {MOST_URL} letters are expected")
    parts = _URL.fullmatch(url)
    if parts is None:
        raise _bad(_SPELLING)
    scheme, host = parts["scheme"], parts["host"]
    port = int(parts["port"] or _PORTS[scheme])
    if port > 65_535:
        raise _bad("a port is at most 65535")
    return Target(scheme, checked_host(host), port, parts["rest"] or "/")


def checked_host(host: str) -> str:
    """A name or an address in its one spelling, without brackets. Raises BadInput."""
    if host.startswith("["):
        return _literal(ipaddress.IPv6Address, host[1:-1])
    labels = host.split(".")
    if labels[-1][:1].isdigit():  # no name ends so; some readers take it for a number
        return _literal(ipaddress.IPv4Address, host)
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise _bad("the host is not a name as the DNS has it; without a dot at its end")
    return host


def _literal(family: type[ipaddress.IPv4Address] | type[ipaddress.IPv6Address], text: str) -> str:
    try:
        address = family(text)
    except ValueError:
        address = None
    if address is None or str(address) != text:
        raise _bad("an address is expected in its shortest usual form, such as 192.0.2.1 or [::1]")
    return text


def _address(text: str) -> Address:
    try:
        return ipaddress.ip_address(text)
    except ValueError as error:
        raise _bad("the host leads to something that is no address") from error


def _bad(message: str) -> BadInput:
    return BadInput([Defect("", "", "url", message)])
