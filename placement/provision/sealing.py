"""Secrets at rest: encrypted with a key that is not in the database.

    sealed:v1:<id of the key>:<base64url of nonce and ciphertext>

AES-256-GCM (NIST SP 800-38D) with a random nonce of 96 bits. What a secret belongs to is bound in
as associated data: a sealed secret moved to another row cannot be opened there.
"""

from __future__ import annotations

import base64
import hashlib
import os

from placement.errors import StoreError

KEY_BYTES = 32
_NONCE_BYTES = 12
_FORM = "sealed:v1"


class Seal:
    """Seals with one key, and opens what it or an older one sealed.

    Parameters
    ----------
    key
        32 random bytes: what is sealed from now on.
    older
        Keys that were used before.

    Raises
    ------
    ValueError
        When a key has another length.
    """

    def __init__(self, key: bytes, *older: bytes) -> None:
        if any(len(one) != KEY_BYTES for one in (key, *older)):
            raise ValueError(f"a key of {KEY_BYTES} bytes is expected")
        self.key_id = _id_of(key)
        self._keys = {_id_of(one): one for one in (*older, key)}

    def __repr__(self) -> str:
        """Never the keys."""
        return f"Seal({self.key_id})"

    def seal(self, text: str, about: str) -> str:
        """The text, encrypted and bound to what it is about, such as a subscription's id."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = os.urandom(_NONCE_BYTES)
        secret = AESGCM(self._keys[self.key_id]).encrypt(
            nonce, text.encode(), _bound(self.key_id, about)
        )
        return f"{_FORM}:{self.key_id}:{base64.urlsafe_b64encode(nonce + secret).decode()}"

    def open(self, sealed: str, about: str) -> str:
        """The text that was sealed about the same thing.

        Raises
        ------
        StoreError
            When it is sealed with a key that is not here, was changed, or belongs to something
            else. The message holds nothing of it.
        """
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        form, _, rest = sealed.rpartition(":")[0].rpartition(":")
        key = self._keys.get(rest)
        if form != _FORM:
            raise StoreError(f"the secret of {about} is not sealed as it should be")
        if key is None:
            raise StoreError(
                f"the secret of {about} is sealed with a key that is not here: put it back beside "
                "secrets.key, or rotate the secret"
            )
        try:
            raw = base64.b64decode(sealed.rpartition(":")[2], altchars=b"-_", validate=True)
            nonce, secret = raw[:_NONCE_BYTES], raw[_NONCE_BYTES:]
            return AESGCM(key).decrypt(nonce, secret, _bound(rest, about)).decode()
        except (InvalidTag, ValueError) as error:
            raise StoreError(
                f"the secret of {about} cannot be opened: it was changed, or is another's"
            ) from error


def _id_of(key: bytes) -> str:
    """Names a key of 32 random bytes; says nothing about it."""
    return hashlib.sha256(b"placement sealing key\0" + key).hexdigest()[:16]


def _bound(key_id: str, about: str) -> bytes:
    return f"{_FORM}\0{key_id}\0{about}".encode()
