"""Signed bundles: one tar.gz that OPA pulls, and that it refuses when a byte of it differs.

Format: https://www.openpolicyagent.org/docs/management-bundles#signing. `.signatures.json` holds
one JWT (ES256) over the SHA-256 of every file. Files that OPA parses (`data.json`, `.manifest`)
are hashed as parsed values in a form of their own (`_structured`), all others as bytes.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from placement.eligibility.bundle import MANIFEST, Bundle
from placement.errors import PolicyEngineError

POLICIES = "policies"
"""Name of the bundle that decides verdicts, in OPA's configuration and provenance."""
AUTHZ = "authz"
"""Name of the bundle that decides who may do what."""
KEY_ID = "placement"
"""What OPA's configuration calls the key that bundles are signed with."""
SIGNATURES = ".signatures.json"
_COORDINATE_BYTES = 32


class BundleKey:
    """Signs bundles with ECDSA over P-256 and SHA-256."""

    def __init__(self, private: ec.EllipticCurvePrivateKey) -> None:
        self._private = private
        public = private.public_key()
        self.public_pem = public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ).decode()
        self.id = hashlib.sha256(self.public_pem.encode()).hexdigest()

    def token(self, claims: Mapping[str, Any]) -> str:
        """A JWT (RFC 7519) in compact form, signed with ES256 (RFC 7518, 3.4: r and s, raw)."""
        header = {"alg": "ES256", "kid": KEY_ID, "typ": "JWT"}
        signed = f"{_base64url(_compact(header))}.{_base64url(_compact(claims))}"
        der = self._private.sign(signed.encode(), ec.ECDSA(hashes.SHA256()))
        raw = b"".join(
            part.to_bytes(_COORDINATE_BYTES, "big") for part in decode_dss_signature(der)
        )
        return f"{signed}.{_base64url(raw)}"


def pack(name: str, bundle: Bundle, key: BundleKey) -> bytes:
    """A bundle as OPA pulls it: equal bundles differ in the signature's random part alone.

    Parameters
    ----------
    name
        The bundle's name. It is the scope of the signature: no bundle can stand in for another.
    bundle
        Its digest becomes the revision.
    key
        Signs it.

    Raises
    ------
    PolicyEngineError
        When a file holds data that cannot be signed: YAML, or JSON that two readers could
        understand differently.
    """
    manifest = {"revision": bundle.digest, "roots": sorted(bundle.roots), "rego_version": 1}
    files = {**bundle.files, MANIFEST: _compact(manifest)}
    claims = {
        "files": [
            {"name": path, "hash": file_hash(path, files[path]), "algorithm": "SHA-256"}
            for path in sorted(files)
        ],
        "scope": name,
    }
    files[SIGNATURES] = _compact({"signatures": [key.token(claims)]})
    return _archive(files)


def file_hash(path: str, content: bytes) -> str:
    """The SHA-256 of a file as OPA's signatures count it. Raises PolicyEngineError."""
    name = path.rpartition("/")[2]
    if name in ("data.yaml", "data.yml"):
        raise PolicyEngineError(f"{path}: data in a signed bundle is JSON (data.json)")
    if name in ("data.json", MANIFEST):
        try:
            content = _structured(json.loads(content, parse_int=_Number, parse_float=_Number))
        except (ValueError, RecursionError) as error:
            raise PolicyEngineError(f"{path}: not JSON that can be signed") from error
    return hashlib.sha256(content).hexdigest()


class _Number(str):
    """A number as it was written: OPA hashes its text, not its value."""

    __slots__ = ()


def _structured(value: Any) -> bytes:
    """JSON with sorted keys and no blanks, numbers as written: as Go's encoder writes it."""
    if isinstance(value, dict):
        keys = sorted(value, key=str.encode)
        return b"{" + b",".join(_text(key) + b":" + _structured(value[key]) for key in keys) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(map(_structured, value)) + b"]"
    if isinstance(value, _Number):
        return value.encode()
    if isinstance(value, str):
        return _text(value)
    return json.dumps(value).encode()  # true, false and null


def _text(value: str) -> bytes:
    text = json.dumps(value, ensure_ascii=False)
    # Go escapes these two for the sake of old JavaScript.
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").encode()


def _archive(files: Mapping[str, bytes]) -> bytes:
    """A tar.gz without times, owners or an order of its own; the manifest comes first."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0) as squeezed,
        tarfile.open(fileobj=squeezed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for path in sorted(files, key=lambda path: (path not in (SIGNATURES, MANIFEST), path)):
            entry = tarfile.TarInfo(path)
            entry.size = len(files[path])
            entry.mode = 0o644
            archive.addfile(entry, io.BytesIO(files[path]))
    return packed.getvalue()


def _compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
