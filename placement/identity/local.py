"""Local tokens, for development: an issuer inside the process that also verifies them."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

from joserfc import jwt
from joserfc.jwk import ECKey

from models import CityRole
from placement.identity.key_set import KeySet, read_key_set
from placement.keys import es256_key
from placement.settings import OidcSettings

LOCAL_ISSUER = "urn:placement:dev"
"""No setting can name it: settings take https URLs only."""
_AUDIENCE = "placement"
_ALGORITHM = "ES256"


class LocalIssuer:
    """Signs tokens with a P-256 key of its own.

    Parameters
    ----------
    path
        The key's file; made where there is none.

    Raises
    ------
    BadInput
        When the file holds something else, or others can read it.
    """

    oidc = OidcSettings(issuer=LOCAL_ISSUER, audience=_AUDIENCE, algorithm=_ALGORITHM)
    """What its tokens are verified against."""

    def __init__(self, path: Path) -> None:
        self._key = ECKey.import_key(es256_key(path), {"use": "sig", "alg": _ALGORITHM})
        self._kid = self._key.thumbprint()

    def keys(self) -> KeySet:
        """Its public key, as a JWKS would give it."""
        public = {**self._key.as_dict(private=False), "kid": self._kid}
        return read_key_set(json.dumps({"keys": [public]}).encode(), _ALGORITHM)

    def issue(
        self,
        subject: str,
        roles: Sequence[CityRole],
        departments: Sequence[str] = (),
        reader_roles: Sequence[str] = (),
        ttl_s: int = 8 * 3600,
    ) -> str:
        """A token for somebody, for some seconds."""
        now = int(time.time())
        claims = {
            "iss": LOCAL_ISSUER,
            "aud": _AUDIENCE,
            "sub": subject,
            "iat": now,
            "nbf": now,
            "exp": now + ttl_s,
            "roles": [role.value for role in roles],
            "departments": list(departments),
            "reader_roles": list(reader_roles),
        }
        header = {"alg": _ALGORITHM, "kid": self._kid, "typ": "at+jwt"}
        return jwt.encode(header, claims, self._key, [_ALGORITHM])
