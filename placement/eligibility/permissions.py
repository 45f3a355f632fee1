"""Asks OPA who may do what: one question a request, and one more where the author matters.

Nothing is remembered: a permission that was taken back is gone with the next question.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from models import Permission, PermissionInput, Principal
from placement.eligibility.answers import open_envelope, read_permission
from placement.eligibility.async_transport import AsyncLink
from placement.eligibility.publishing import AUTHZ, POLICIES
from placement.eligibility.questions import PERMISSION
from placement.eligibility.transport import Endpoint
from placement.errors import NotAllowed, PolicyEngineError

T = TypeVar("T")


class Permissions:
    """Permissions from one OPA, under one revision of the authorisation policies.

    Safe to use from several event loops and threads. Whatever is not exactly a permission is an
    error: nobody is let in because OPA is away.

    Parameters
    ----------
    asking
        Opens on where OPA listens; what was heard counts once it closed without an error.
    revision
        Digest of the authorisation policies, checked in every answer.
    deadline_s
        Seconds that one question may take, all in all.
    """

    def __init__(
        self,
        asking: Callable[[], AbstractContextManager[Endpoint]],
        revision: str,
        deadline_s: float = 2.0,
    ) -> None:
        self._asking = asking
        self._bundles = {AUTHZ: revision, POLICIES: None}
        self._deadline_s = deadline_s
        self._links: dict[asyncio.AbstractEventLoop, AsyncLink] = {}
        self._loop: _LoopThread | None = None
        self._lock = threading.Lock()

    async def ask(self, question: PermissionInput) -> Permission:
        """What the policies say.

        Raises
        ------
        PolicyEngineError
            When OPA cannot be reached, is late, holds other policies, or does not say it exactly.
        """
        document = question.model_dump(mode="json")
        with self._asking() as endpoint:
            link = await self._link(endpoint)
            body = await link.query(PERMISSION, document, self._deadline_s)
        result, _ = open_envelope(body, self._bundles)
        return read_permission(result)

    def require(
        self,
        principal: Principal,
        operation: str,
        method: str,
        route: str,
        author: str | None = None,
    ) -> Permission:
        """The permission of a use case to go on, asked from its thread.

        Parameters
        ----------
        author
            Whoever made the thing acted on: nobody passes their own work.

        Raises
        ------
        NotAllowed
            When the policies say no.
        PolicyEngineError
            As `ask` does.
        """
        question = PermissionInput(
            principal=principal, operation=operation, method=method, route=route, author=author
        )
        permission = self._thread().run(self.ask(question))
        refuse_unless_allowed(question, permission)
        return permission

    async def hang_up(self) -> None:
        """End the connections of the event loop that runs now; the next question opens others."""
        with self._lock:
            link = self._links.pop(asyncio.get_running_loop(), None)
        if link is not None:
            await link.close()

    def close(self) -> None:
        """End what `require` started; may be called twice."""
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is not None:
            loop.stop(self.hang_up())

    async def _link(self, endpoint: Endpoint) -> AsyncLink:
        """The connections of the running loop; new ones when OPA was started again elsewhere."""
        loop = asyncio.get_running_loop()
        with self._lock:
            known = self._links.get(loop)
            if known is not None and known.endpoint == endpoint:
                return known
            self._links = {at: link for at, link in self._links.items() if not at.is_closed()}
            link = self._links[loop] = AsyncLink(endpoint)
        if known is not None:
            await known.close()
        return link

    def _thread(self) -> _LoopThread:
        with self._lock:
            if self._loop is None:
                self._loop = _LoopThread()
            return self._loop


def refuse_unless_allowed(question: PermissionInput, permission: Permission) -> None:
    """Raise NotAllowed, with the policies' own reason, unless they allow it."""
    if not permission.allow:
        raise NotAllowed(f"{question.operation}: {permission.reason}")


class _LoopThread:
    """An event loop in a thread of its own, for callers that have none."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._lock = threading.Lock()
        self._stopping = False
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="permissions", daemon=True
        )
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The outcome of the work; PolicyEngineError when the loop ends first."""
        with self._lock:
            if self._stopping:
                work.close()
                raise PolicyEngineError("the service is stopping")
            outcome = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return outcome.result()
        except CancelledError as error:
            raise PolicyEngineError("the service is stopping") from error

    def stop(self, last: Coroutine[Any, Any, None]) -> None:
        """Cancel what runs, do one last work, and end the loop."""
        with self._lock:
            self._stopping = True
            outcome = asyncio.run_coroutine_threadsafe(_instead_of_others(last), self._loop)
        outcome.result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _instead_of_others(last: Coroutine[Any, Any, None]) -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await last
