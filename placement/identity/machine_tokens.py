"""The tokens of machines: `plk_ID_SECRET`.

The id finds the key in the database; the secret is 256 random bits, of which only the SHA-256 is
kept. Letters and digits alone, so that a double click takes the whole token, and a prefix by which
scanners of source code know it.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
from dataclasses import dataclass, field

PREFIX = "plk_"
_LETTERS = string.ascii_letters + string.digits
_ID_LENGTH = 16
_SECRET_LENGTH = 43
"""62^43 > 2^256."""
_TOKEN = re.compile(rf"plk_([A-Za-z0-9]{{{_ID_LENGTH}}})_([A-Za-z0-9]{{{_SECRET_LENGTH}}})")


@dataclass(frozen=True)
class MachineToken:
    """What a machine's token says: a claim, until the database confirms it."""

    id: str
    secret_sha256: str = field(repr=False)
    """Hexadecimal."""


def new_machine_token() -> tuple[MachineToken, str]:
    """A fresh token: what is kept of it, and the text that its holder gets."""
    id_, secret = (_random(length) for length in (_ID_LENGTH, _SECRET_LENGTH))
    return MachineToken(id_, _sha256(secret)), f"{PREFIX}{id_}_{secret}"


def read_machine_token(text: str) -> MachineToken | None:
    """What a token says; None when it has another form."""
    match = _TOKEN.fullmatch(text)
    return MachineToken(match[1], _sha256(match[2])) if match else None


def _random(length: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(length))


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
