"""The policies of a service: publications, and drafts on their way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import httpx

from models import PolicyDraft, PolicyFiles, PolicyImpact, PolicyRevision, PolicyUsage
from placement.client.connection import Connection, decoded
from placement.client.decoding import M, part, read, read_plain, unexpected, version_of

_PATH = "/v1/policies"
_DRAFTS = "/v1/policies/drafts"


class DraftKept(NamedTuple):
    """A draft in its latest state."""

    draft: PolicyDraft
    files: Mapping[str, str]
    """Path -> text."""
    version: str
    """To name when editing it."""


class Policies:
    """`client.policies`. Every method raises as `Client` says."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self) -> Iterator[PolicyRevision]:
        """Publications, the latest first."""
        for item in self._connection.items(_PATH):
            yield read_plain(PolicyRevision, item)

    def read(self, number: int | None = None) -> tuple[PolicyRevision, Mapping[str, str]]:
        """A publication and its files (path -> text); by default the active one."""
        answer = self._connection.send("GET", f"{_PATH}/{number or 'current'}")
        return _with_files(PolicyRevision, answer)

    def usage(self) -> PolicyUsage:
        """How often each obligation bites on the current catalogue; which never fire."""
        return read(PolicyUsage, self._connection.send("GET", f"{_PATH}/usage"))

    def roll_back(self, number: int) -> PolicyRevision:
        """Publish an earlier revision again, under a new number."""
        return read(PolicyRevision, self._connection.send("POST", f"{_PATH}/{number}/rollback"))

    def drafts(self) -> Iterator[PolicyDraft]:
        """Drafts in their latest version, the youngest first."""
        for item in self._connection.items(_DRAFTS):
            yield read_plain(PolicyDraft, item)

    def draft(self, title: str, files: PolicyFiles) -> PolicyDraft:
        """Begin a draft with all files of the policies, tests among them."""
        body = {"title": title, "files": files.files}
        return read(PolicyDraft, self._connection.send("POST", _DRAFTS, body=body))

    def read_draft(self, draft: str) -> DraftKept:
        """A draft in its latest version."""
        answer = self._connection.send("GET", self._one(draft))
        found, files = _with_files(PolicyDraft, answer)
        return DraftKept(found, files, version_of(answer))

    def redraft(self, draft: str, title: str, files: PolicyFiles, version: str) -> PolicyDraft:
        """The next version of a draft that is still at `version`; what was said of it is void."""
        body = {"title": title, "files": files.files}
        path = self._one(draft)
        return read(PolicyDraft, self._connection.send("PUT", path, body=body, if_match=version))

    def check(self, draft: str) -> PolicyDraft:
        """Check the latest version in a sandbox; its `report` says what is wrong."""
        return self._step(PolicyDraft, draft, "check")

    def review(
        self, draft: str, *, accept: bool, comment: str = "", version: str | None = None
    ) -> PolicyDraft:
        """Vouch for a draft, or reject it: the one at `version`, where it is given."""
        said = {"accept": accept, "comment": comment}
        return self._step(PolicyDraft, draft, "review", said, version)

    def approve(self, draft: str, version: str | None = None) -> PolicyDraft:
        """Allow a reviewed draft to be published."""
        return self._step(PolicyDraft, draft, "approval", None, version)

    def publish(self, draft: str, version: str | None = None) -> PolicyRevision:
        """Offer an approved draft to OPA; it is active once OPA says that it runs it."""
        return self._step(PolicyRevision, draft, "publication", None, version)

    def impact(self, draft: str) -> PolicyImpact:
        """Which verdicts on the current catalogue a draft changes."""
        return read(PolicyImpact, self._connection.send("GET", f"{self._one(draft)}/impact"))

    def _one(self, draft: str) -> str:
        return f"{_DRAFTS}/{part(draft)}"

    def _step(
        self, model: type[M], draft: str, step: str, said: Any = None, version: str | None = None
    ) -> M:
        path = f"{self._one(draft)}/{step}"
        return read(model, self._connection.send("POST", path, body=said, if_match=version))


def _with_files(model: type[M], answer: httpx.Response) -> tuple[M, Mapping[str, str]]:
    said = decoded(answer)
    files = said.pop("contents", None) if isinstance(said, dict) else None
    if not isinstance(files, dict):
        raise unexpected("files of policies")
    return read_plain(model, said), files
