"""Roles: who works with the data, and who runs the sites."""

from __future__ import annotations

from models.base import CountryCode, Frozen, Identifier, Title
from models.levels import ClassificationLevel


class Role(Frozen):
    """A group of people with one set of rights, as the city's directory knows it."""

    id: Identifier
    title: Title
    department: Title | None = None
    """The department the role belongs to; empty for an operator's own staff."""
    country: CountryCode | None = None
    """Where its people work from: remote access from abroad is a transfer (EDPB 05/2021)."""
    clearance: ClassificationLevel | None = None
    """The highest confidentiality its people are screened for."""
    workplace_sites: tuple[Identifier, ...] = ()
    """Sites whose network the role sits in: reading there is not charged as egress."""
