"""Whether a server listens to this machine alone."""

from __future__ import annotations

import ipaddress

from placement.errors import BadInput, Defect


def require_loopback(host: str) -> str:
    """The address to listen on, as a literal: nothing is left for a resolver to decide.

    Only 127.0.0.0/8, ::1 and `localhost` (which becomes 127.0.0.1) are accepted. Other names,
    other ways to write numbers (127.1, 0x7f.1), IPv4 inside IPv6, zones and the empty host (all
    interfaces) are not.

    Raises
    ------
    BadInput
        For every other host.
    """
    if host.lower() == "localhost":
        return "127.0.0.1"
    bracketed = host.startswith("[") and host.endswith("]")
    try:
        address = ipaddress.ip_address(host[1:-1] if bracketed else host)
    except ValueError:
        address = None
    if isinstance(address, ipaddress.IPv4Address) and address.is_loopback and not bracketed:
        return str(address)
    if address == ipaddress.IPv6Address("::1"):
        return "::1"
    message = "a server for development listens to this machine alone: 127.0.0.1, ::1 or localhost"
    raise BadInput([Defect("", "host", "", message)])
