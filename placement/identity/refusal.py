"""Why a token was refused: a reason for the record, never for whoever sent it."""

from __future__ import annotations

from placement.errors import NotAuthenticated

GENERIC = "a valid bearer token is needed"
"""All that whoever sent a token learns, whatever was wrong with it."""


class TokenRefused(NotAuthenticated):
    """A token does not prove who asks.

    Parameters
    ----------
    reason
        A stable code such as `expired`, for the audit log. It never quotes the token.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(GENERIC)
