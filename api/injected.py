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


def _caller(request: Request[Any, Any, Any]) -> Caller:
    """Whom api/guard.py let in."""
    return request.scope["state"]["caller"]  # type: ignore[no-any-return]


PROVIDED = {
    "city": Provide(_city, sync_to_thread=False),
    "caller": Provide(_caller, sync_to_thread=False),
}
