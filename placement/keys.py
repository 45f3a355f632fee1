"""Keys that stand outside the database: for the audit log, for policy bundles and for secrets.

A private key is a PEM file, the key of secrets has 32 bytes; only its owner can read it. It is made
on first use, whole or not at all.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from placement.errors import BadInput, Defect


class AuditKey:
    """Ed25519: signs the heads of the audit chain."""

    def __init__(self, private: ed25519.Ed25519PrivateKey) -> None:
        self._private = private
        self.public = AuditPublicKey(private.public_key())

    def sign(self, message: bytes) -> str:
        """The signature of a message, base64."""
        return base64.b64encode(self._private.sign(message)).decode()


class AuditPublicKey:
    """Checks what an AuditKey signed."""

    def __init__(self, public: ed25519.Ed25519PublicKey) -> None:
        self._public = public
        raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        self.id = hashlib.sha256(raw).hexdigest()
        self.pem = public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ).decode()

    def holds(self, message: bytes, signature: str) -> bool:
        """Whether the signature belongs to the message."""
        try:
            raw = base64.b64decode(signature, validate=True)
            self._public.verify(raw, message)
        except (InvalidSignature, ValueError):
            return False
        # The last letter has bits that nobody reads: only one way to write a signature counts.
        return base64.b64encode(raw).decode() == signature


def audit_key(path: Path) -> AuditKey:
    """The key in a file, made where there is none. Its public half is kept beside it for ever.

    To rotate the key, move the file away: the next start makes another. What the old one signed is
    still checked with its public half.

    Raises
    ------
    BadInput
        When the file holds something else, or others can read it.
    """
    key = _private_key(path, ed25519.Ed25519PrivateKey.generate)
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise _bad(path, "not an Ed25519 key")
    audit = AuditKey(key)
    _read_or_make(_public_folder(path) / f"{audit.public.id}.pem", audit.public.pem.encode)
    return audit


def audit_public_keys(path: Path) -> dict[str, AuditPublicKey]:
    """By id: the public halves of all keys that were ever in this file. It is not needed itself.

    Raises
    ------
    BadInput
        When one of them cannot be read.
    """
    found: dict[str, AuditPublicKey] = {}
    for file in sorted(_public_folder(path).glob("*.pem")):
        try:
            key = serialization.load_pem_public_key(file.read_bytes())
        except OSError as error:
            raise _bad(file, f"cannot be used: {error.strerror}") from error
        except (ValueError, TypeError) as error:
            raise _bad(file, "not a public key in PEM form") from error
        if not isinstance(key, ed25519.Ed25519PublicKey):
            raise _bad(file, "not an Ed25519 key")
        public = AuditPublicKey(key)
        found[public.id] = public
    return found


def _public_folder(path: Path) -> Path:
    return path.with_name(f"{path.stem}.public")


def es256_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """The P-256 key in a file, made where there is none: for bundles and local tokens.

    Raises
    ------
    BadInput
        When the file holds something else, or others can read it.
    """
    key = _private_key(path, lambda: ec.generate_private_key(ec.SECP256R1()))
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise _bad(path, "not a P-256 key")
    return key


def secret_token(path: Path) -> str:
    """The random token in a file, made where there is none. Raises BadInput."""
    token = _read_or_make(path, lambda: secrets.token_urlsafe(32).encode()).decode().strip()
    if len(token) < 32 or not token.isascii():
        raise _bad(path, "not a token of at least 32 characters")
    return token


SEALING_KEY_BYTES = 32


def sealing_keys(path: Path) -> tuple[bytes, ...]:
    """The key that secrets in the database are encrypted with, made where there is none.

    To rotate it, move its file into the folder `secrets.old` beside it, under any name that ends
    in .key: the next start makes another, and what the old one sealed can still be opened.

    Parameters
    ----------
    path
        Such as keys/secrets.key.

    Returns
    -------
    tuple of bytes
        The key in use, 32 random bytes, then the older ones.

    Raises
    ------
    BadInput
        When a file holds something else, or others can read it.
    """
    older = sorted(path.with_name(f"{path.stem}.old").glob("*.key"))
    keys = [
        _read_or_make(file, lambda: secrets.token_bytes(SEALING_KEY_BYTES))
        for file in (path, *older)
    ]
    for file, key in zip((path, *older), keys, strict=True):
        if len(key) != SEALING_KEY_BYTES:
            raise _bad(file, f"not a key of {SEALING_KEY_BYTES} bytes")
    return tuple(keys)


def _private_key(path: Path, generate: Callable[[], PrivateKeyTypes]) -> PrivateKeyTypes:
    def fresh() -> bytes:
        return generate().private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    try:
        return serialization.load_pem_private_key(_read_or_make(path, fresh), password=None)
    except (ValueError, TypeError) as error:
        raise _bad(path, "not a private key in PEM form without a password") from error


def _read_or_make(path: Path, fresh: Callable[[], bytes]) -> bytes:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _write_once(path, fresh())
        if path.stat().st_mode & 0o077:
            raise _bad(path, "others can read this file; allow its owner alone (chmod 600)")
        return path.read_bytes()
    except OSError as error:
        raise _bad(path, f"cannot be used: {error.strerror}") from error


def _write_once(path: Path, content: bytes) -> None:
    """Whole or not at all; of two processes that begin at once, one wins."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(partial, path)
    finally:
        partial.unlink()


def _bad(path: Path, message: str) -> BadInput:
    return BadInput([Defect(str(path), "", "", message)])
