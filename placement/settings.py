"""What the environment decides: where OPA, the database and the keys are."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from placement.errors import BadInput, Defect


def default_data_folder() -> Path:
    """`placement` in the user's data folder, by the XDG rules."""
    named = os.environ.get("XDG_DATA_HOME", "")
    home = Path.home() / ".local" / "share"
    return (Path(named) if Path(named).is_absolute() else home) / "placement"


OIDC_ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")
"""Signatures that an issuer may be pinned to."""


@dataclass(frozen=True)
class OidcSettings:
    """The one issuer whose tokens say who asks."""

    issuer: str
    """PLACEMENT_OIDC_ISSUER: its URL, exactly as it stands in `iss`."""
    audience: str
    """PLACEMENT_OIDC_AUDIENCE: what `aud` must name, for a token that was meant for us."""
    jwks_url: str | None = None
    """PLACEMENT_OIDC_JWKS_URL: its keys; default: where its discovery document says."""
    algorithm: str = "RS256"
    """PLACEMENT_OIDC_ALGORITHM: the only signature accepted, one of OIDC_ALGORITHMS."""
    roles_claim: str = "roles"
    """PLACEMENT_OIDC_ROLES_CLAIM: a dotted path such as realm_access.roles, or a URL as a name."""
    departments_claim: str = "departments"
    """PLACEMENT_OIDC_DEPARTMENTS_CLAIM: departments whose records are theirs."""
    reader_roles_claim: str = "reader_roles"
    """PLACEMENT_OIDC_READER_ROLES_CLAIM: catalogue roles that they hold."""
    ca_file: Path | None = None
    """PLACEMENT_OIDC_CA_FILE: certificates (PEM) to trust it by, instead of the public ones."""


@dataclass(frozen=True)
class Settings:
    """Settings of one process. Read once, at the edge, and handed down."""

    opa_url: str | None = None
    """PLACEMENT_OPA_URL: a shared OPA to ask instead of a managed local one."""
    opa_token: str | None = field(default=None, repr=False)
    """PLACEMENT_OPA_TOKEN: bearer token for it."""
    opa_ca_file: Path | None = None
    """PLACEMENT_OPA_CA_FILE: certificates (PEM) to trust it by, instead of the public ones."""
    opa_bin: str | None = None
    """PLACEMENT_OPA_BIN: the OPA binary for the managed one; default: `opa` on PATH."""
    opa_deadline_s: float = 60.0
    """PLACEMENT_OPA_DEADLINE_S: total seconds one query may take."""
    regal_bin: str | None = None
    """PLACEMENT_REGAL_BIN: the linter of policy drafts; default: `regal` on PATH."""
    sandbox: bool = True
    """PLACEMENT_SANDBOX: `off` lets policy drafts be checked where the kernel keeps no program off
    the network (macOS); limits of memory and time hold nevertheless."""
    policies: Path | None = None
    """PLACEMENT_POLICIES: the policy bundle's folder; default: the shipped one."""
    data: Path = field(default_factory=default_data_folder)
    """PLACEMENT_DATA: the service's folder, for its SQLite file and its keys."""
    database_url: str | None = field(default=None, repr=False)
    """DATABASE_URL: sqlite:///FILE or postgresql://...; default: a SQLite file in `data`."""
    key_folder: Path | None = None
    """PLACEMENT_KEYS: folder of the private keys; default: `keys` in `data`."""
    head_file: Path | None = None
    """PLACEMENT_AUDIT_HEAD: where the last signed end of the audit log is kept outside the
    database; default: `audit.head` beside the keys."""
    public_url: str | None = None
    """PLACEMENT_PUBLIC_URL: where a shared OPA and users reach the service; default: the address
    that it listens on."""
    metrics_token: str | None = field(default=None, repr=False)
    """PLACEMENT_METRICS_TOKEN: bearer token that /metrics asks for; none: it is open."""
    oidc: OidcSettings | None = None
    """PLACEMENT_OIDC_...: the issuer of people's tokens; none: API keys alone are accepted."""
    webhook_hosts: tuple[str, ...] = ()
    """PLACEMENT_WEBHOOK_HOSTS: hosts that events may be sent to, separated by commas: exact names
    or addresses, or *.example.org for all names below one; none: events are sent nowhere."""
    webhook_networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()
    """PLACEMENT_WEBHOOK_NETWORKS: networks such as 10.1.0.0/16, separated by commas, that events
    may be sent to although they are not public; plain http:// is for them alone."""
    event_valid_days: int = 30
    """PLACEMENT_EVENT_VALID_DAYS: how long somebody may act on an event of an approved plan."""

    @property
    def store_url(self) -> str:
        """The database's URL."""
        return self.database_url or f"sqlite:///{self.data.resolve() / 'placement.sqlite3'}"

    @property
    def keys(self) -> Path:
        """The folder of the private keys."""
        return self.key_folder or self.data / "keys"

    @property
    def audit_head_file(self) -> Path:
        """Where the last signed end of the audit log is kept outside the database."""
        return self.head_file or self.keys / "audit.head"


def read_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings from environment variables; an empty variable counts as not set.

    Raises
    ------
    BadInput
        Naming the variable that cannot be read.
    """
    text = {key: value for key, value in environ.items() if key.startswith("PLACEMENT_") and value}
    policies = text.get("PLACEMENT_POLICIES")
    ca_file = text.get("PLACEMENT_OPA_CA_FILE")
    return Settings(
        opa_url=text.get("PLACEMENT_OPA_URL"),
        opa_token=text.get("PLACEMENT_OPA_TOKEN"),
        opa_ca_file=Path(ca_file) if ca_file else None,
        opa_bin=text.get("PLACEMENT_OPA_BIN"),
        opa_deadline_s=_seconds(text.get("PLACEMENT_OPA_DEADLINE_S")),
        regal_bin=text.get("PLACEMENT_REGAL_BIN"),
        sandbox=_sandbox(text.get("PLACEMENT_SANDBOX")),
        policies=Path(policies) if policies else None,
        data=Path(text["PLACEMENT_DATA"]) if "PLACEMENT_DATA" in text else default_data_folder(),
        database_url=environ.get("DATABASE_URL") or None,
        key_folder=Path(text["PLACEMENT_KEYS"]) if "PLACEMENT_KEYS" in text else None,
        head_file=Path(text["PLACEMENT_AUDIT_HEAD"]) if "PLACEMENT_AUDIT_HEAD" in text else None,
        public_url=text.get("PLACEMENT_PUBLIC_URL"),
        metrics_token=text.get("PLACEMENT_METRICS_TOKEN"),
        oidc=_oidc(text),
        webhook_hosts=_hosts(text.get("PLACEMENT_WEBHOOK_HOSTS", "")),
        webhook_networks=_networks(text.get("PLACEMENT_WEBHOOK_NETWORKS", "")),
        event_valid_days=_days(text.get("PLACEMENT_EVENT_VALID_DAYS")),
    )


def shipped_policies() -> Path:
    """The policy bundle that came with this package: beside it in a source tree, inside a wheel."""
    package = Path(__file__).resolve().parent
    inside = package / "_policies"
    return inside if inside.is_dir() else package.parent / "policies"


def trusted_url(url: str, *, loopback: bool = True) -> bool:
    """Whether a URL is https://, or (with `loopback`) http:// on this very machine."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    plain = url.isascii() and url.isprintable() and not any(c in url for c in ' "\\<>')
    if not plain or not host or "@" in parts.netloc or "#" in url:
        return False
    return parts.scheme == "https" or (
        loopback and parts.scheme == "http" and is_loopback_name(host)
    )


def is_loopback_name(host: str) -> bool:
    """Whether a host, as it is written, is this machine alone. Names are not looked up."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _oidc(text: Mapping[str, str]) -> OidcSettings | None:
    own = {key: value for key, value in text.items() if key.startswith("PLACEMENT_OIDC_")}
    if not own:
        return None
    for key in ("PLACEMENT_OIDC_ISSUER", "PLACEMENT_OIDC_AUDIENCE"):
        if key not in own:
            raise _bad(key, "an issuer needs its URL and the audience its tokens are meant for")
    issuer, jwks_url = own["PLACEMENT_OIDC_ISSUER"], own.get("PLACEMENT_OIDC_JWKS_URL")
    if not trusted_url(issuer) or "?" in issuer or len(issuer) > 200:
        raise _bad("PLACEMENT_OIDC_ISSUER", "https://..., at most 200 characters, is expected")
    if jwks_url is not None and not trusted_url(jwks_url):
        raise _bad("PLACEMENT_OIDC_JWKS_URL", "https://... is expected")
    algorithm = own.get("PLACEMENT_OIDC_ALGORITHM", OidcSettings.algorithm)
    if algorithm not in OIDC_ALGORITHMS:
        raise _bad("PLACEMENT_OIDC_ALGORITHM", f"one of {', '.join(OIDC_ALGORITHMS)} is expected")
    ca_file = own.get("PLACEMENT_OIDC_CA_FILE")
    return OidcSettings(
        issuer=issuer,
        audience=own["PLACEMENT_OIDC_AUDIENCE"],
        jwks_url=jwks_url,
        algorithm=algorithm,
        roles_claim=own.get("PLACEMENT_OIDC_ROLES_CLAIM", OidcSettings.roles_claim),
        departments_claim=own.get(
            "PLACEMENT_OIDC_DEPARTMENTS_CLAIM", OidcSettings.departments_claim
        ),
        reader_roles_claim=own.get(
            "PLACEMENT_OIDC_READER_ROLES_CLAIM", OidcSettings.reader_roles_claim
        ),
        ca_file=Path(ca_file) if ca_file else None,
    )


_HOST = re.compile(
    r"(?:\*\.(?=[^.]+\.))?(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*"
    r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?",
    re.ASCII,
)


def _hosts(text: str) -> tuple[str, ...]:
    hosts = tuple(part.strip() for part in text.split(",") if part.strip())
    for host in hosts:
        if len(host) > 255 or not (_HOST.fullmatch(host) or _is_address(host)):
            message = (
                f"{host!r}: a name in lower case such as hooks.example.org, an address, or "
                "*.example.org is expected; no scheme, no port"
            )
            raise _bad("PLACEMENT_WEBHOOK_HOSTS", message)
    return hosts


def _is_address(host: str) -> bool:
    """In its shortest usual form, without a zone: the one in which URLs are compared."""
    try:
        return "%" not in host and str(ipaddress.ip_address(host)) == host
    except ValueError:
        return False


def _networks(text: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    try:
        return tuple(ipaddress.ip_network(part) for part in parts)
    except ValueError as error:
        message = f"networks such as 10.1.0.0/16 or fd12::/48 are expected: {error}"
        raise _bad("PLACEMENT_WEBHOOK_NETWORKS", message) from error


def _bad(variable: str, message: str) -> BadInput:
    return BadInput([Defect("", variable, "", message)])


def _sandbox(text: str | None) -> bool:
    if text not in (None, "on", "off"):
        raise _bad("PLACEMENT_SANDBOX", "on or off is expected")
    return text != "off"


def _days(text: str | None) -> int:
    if text is None:
        return Settings.event_valid_days
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= 3650):
        raise _bad("PLACEMENT_EVENT_VALID_DAYS", "whole days between 1 and 3650 are expected")
    return int(text)


def _seconds(text: str | None) -> float:
    if text is None:
        return Settings.opa_deadline_s
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 3600:
        raise BadInput(
            [
                Defect(
                    "",
                    "PLACEMENT_OPA_DEADLINE_S",
                    "",
                    "seconds above 0, at most 3600, are expected",
                )
            ]
        )
    return seconds
