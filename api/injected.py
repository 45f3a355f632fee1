"""What a handler is given: the city and the caller, by the names `city` and `caller`."""

from __future__ import annotations

from typing import Any

from litestar import Request
from litestar.di import NamedDependency, Provide
from litestar.params import SkipValidation

from placement.service.city import Caller, City

InjectedCity = NamedDependency[SkipValidation[City]]
"""Declare as `city: InjectedCity`."""
InjectedCaller = NamedDependency[SkipValidation[Caller]]
"""Declare as `caller: InjectedCaller`."""


def _city(request: Request[Any, Any, Any]) -> City:
    return request.app.state.city  # type: ignore[no-any-return]


def _caller(request: Request[Any, Any, Any], city: InjectedCity) -> Caller:  # noqa: ARG001
    """Whom api/guard.py let in.

    It names the city so that Litestar provides one after the other: for two at once it would start
    tasks, which take longer than the rest of the request's way through it.
    """
    return request.scope["state"]["caller"]  # type: ignore[no-any-return]


PROVIDED = {
    "city": Provide(_city, sync_to_thread=False),
    "caller": Provide(_caller, sync_to_thread=False),
}
