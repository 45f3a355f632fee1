"""Changing only what one has seen: If-Match and If-None-Match, judged inside the transaction."""

from __future__ import annotations

from dataclasses import dataclass

from placement.errors import PreconditionFailed, PreconditionRequired

ANY = "*"


@dataclass(frozen=True)
class Precondition:
    """Versions that a change is meant for.

    Parameters
    ----------
    match
        Versions named by If-Match, or ("*",) for any that exists; none: the header is missing.
    none_match
        Versions named by If-None-Match, or ("*",): nothing may be there yet.
    """

    match: tuple[str, ...] | None = None
    none_match: tuple[str, ...] | None = None

    @property
    def stated(self) -> bool:
        """Whether the client named any version."""
        return self.match is not None or self.none_match is not None

    def require(self) -> None:
        """Raise PreconditionRequired when the client named no version."""
        if not self.stated:
            raise PreconditionRequired(
                "say which version this is meant for: If-Match with its ETag, "
                "or If-None-Match: * to create"
            )

    def check(self, current: str | None) -> None:
        """Compare with the version that there is now; none: nothing is there.

        Call it in the writing transaction, where the current version cannot change any more.

        Raises
        ------
        PreconditionRequired
            When the client named no version.
        PreconditionFailed
            When it named another one.
        """
        self.require()
        if self.match is not None and not _among(current, self.match):
            raise PreconditionFailed(
                "there is no such thing" if current is None else "somebody changed it meanwhile"
            )
        if self.none_match is not None and _among(current, self.none_match):
            raise PreconditionFailed("it is there already")


def _among(current: str | None, versions: tuple[str, ...]) -> bool:
    return current is not None and (versions == (ANY,) or current in versions)
