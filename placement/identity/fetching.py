"""Fetching an issuer's keys: over TLS, from nowhere else, whole and in time."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import httpx

from placement.errors import BadInput, Defect, IdentityProviderError
from placement.identity.key_set import KeySet, read_key_set
from placement.identity.strict_json import strict_object
from placement.settings import OidcSettings, trusted_url

DEADLINE_S = 5.0
"""For discovery and keys together, from the first byte to the last."""
MAX_BYTES = 256 * 1024


class KeyFetcher:
    """Asks one issuer for its keys.

    Raises
    ------
    BadInput
        When the certificates to trust it by cannot be read.
    """

    def __init__(self, oidc: OidcSettings, deadline_s: float = DEADLINE_S) -> None:
        self._oidc = oidc
        self._deadline_s = deadline_s
        self._tls = _trust(oidc.ca_file)

    def fetch(self) -> KeySet:
        """The issuer's present keys.

        Raises
        ------
        IdentityProviderError
            When it cannot be reached, is late, redirects, or says anything but its keys.
        """
        try:
            return asyncio.run(self._fetch())
        except TimeoutError as error:
            raise IdentityProviderError(
                f"the identity provider did not answer within {self._deadline_s:g} s"
            ) from error
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError) as error:
            raise IdentityProviderError(
                f"the identity provider cannot be reached ({type(error).__name__})"
            ) from error
        except ValueError as error:
            raise IdentityProviderError(
                "the identity provider sent something other than its keys"
            ) from error

    async def _fetch(self) -> KeySet:
        # No proxies and no .netrc from the environment, no redirects: who answers is who we asked.
        client = httpx.AsyncClient(
            verify=self._tls,
            trust_env=False,
            follow_redirects=False,
            timeout=self._deadline_s,
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
        )
        async with asyncio.timeout(self._deadline_s), client:
            url = self._oidc.jwks_url or await self._discover(client)
            return read_key_set(await _get(client, url), self._oidc.algorithm)

    async def _discover(self, client: httpx.AsyncClient) -> str:
        """Where the discovery document says that the keys are."""
        issuer = self._oidc.issuer
        path = "/.well-known/openid-configuration"
        document = strict_object(await _get(client, issuer.removesuffix("/") + path))
        if document.get("issuer") != issuer:
            raise IdentityProviderError("the discovery document is another issuer's")
        url = document.get("jwks_uri")
        if not isinstance(url, str) or not trusted_url(url, loopback=issuer.startswith("http://")):
            raise IdentityProviderError("the discovery document names no https URL for the keys")
        return url


async def _get(client: httpx.AsyncClient, url: str) -> bytes:
    async with client.stream("GET", url) as response:
        if response.status_code != httpx.codes.OK:
            raise IdentityProviderError(
                f"the identity provider answered with HTTP status {response.status_code}; "
                "redirects are not followed"
            )
        if "Content-Encoding" in response.headers:
            raise IdentityProviderError("the identity provider compresses, which was not asked for")
        parts = bytearray()
        async for chunk in response.aiter_raw():
            parts += chunk
            if len(parts) > MAX_BYTES:
                raise IdentityProviderError(
                    f"the identity provider sent more than {MAX_BYTES} bytes"
                )
        return bytes(parts)


def _trust(ca_file: Path | None) -> ssl.SSLContext:
    if ca_file is None:
        return httpx.create_ssl_context(trust_env=False)
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except OSError as error:  # ssl.SSLError is one
        message = f"no certificates can be read from {ca_file}"
        raise BadInput([Defect("", "PLACEMENT_OIDC_CA_FILE", "", message)]) from error
