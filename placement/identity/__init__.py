"""Who asks: tokens of the identity provider, API keys, and local tokens for development."""

from placement.identity.local import LOCAL_ISSUER, LocalIssuer
from placement.identity.loopback import require_loopback
from placement.identity.machine_tokens import (
    PREFIX,
    MachineToken,
    new_machine_token,
    read_machine_token,
)
from placement.identity.refusal import GENERIC, TokenRefused
from placement.identity.tokens import Tokens, open_tokens

__all__ = [
    "GENERIC",
    "LOCAL_ISSUER",
    "LocalIssuer",
    "MachineToken",
    "PREFIX",
    "TokenRefused",
    "Tokens",
    "new_machine_token",
    "open_tokens",
    "read_machine_token",
    "require_loopback",
]
