"""API keys of a service: how machines prove who they are."""

from __future__ import annotations

from collections.abc import Iterator

from models import ApiKey, ApiKeyRequest, IssuedApiKey, canonical_json
from placement.client.connection import Connection
from placement.client.decoding import part, read, read_plain
from placement.errors import ServiceError

_PATH = "/v1/keys"


class Keys:
    """`client.keys`. Every method raises as `Client` says."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self) -> Iterator[ApiKey]:
        """All keys, revoked and expired ones among them; never their secrets."""
        for item in self._connection.items(_PATH):
            yield read_plain(ApiKey, item)

    def create(self, asked: ApiKeyRequest) -> tuple[ApiKey, str]:
        """A new key and its token, which is told this once.

        Raises
        ------
        ServiceError
            Also when the reply with the token was lost on its way. The key is revoked then: nobody
            knows who read it.
        """
        answer = self._connection.send("POST", _PATH, body=canonical_json(asked))
        issued = read(IssuedApiKey, answer)
        if issued.token is None:
            self.revoke(issued.key.id)
            raise ServiceError(
                f"the reply with the token was lost; key {issued.key.id} is revoked: ask again"
            )
        return issued.key, issued.token

    def revoke(self, key: str) -> None:
        """End a key at once."""
        self._connection.send("DELETE", f"{_PATH}/{part(key)}")
