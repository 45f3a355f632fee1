"""Relations between datasets."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, model_validator

from models.base import Day, Frozen, Identifier, MonthlyGb, Title


class TransformationKind(StrEnum):
    """What was done to a source to derive a dataset."""

    AGGREGATION = "aggregation"
    ANONYMISATION = "anonymisation"
    PSEUDONYMISATION = "pseudonymisation"
    """Still personal data (GDPR recital 26): never ends inheritance."""
    SELECTION = "selection"
    """A part of the source: never ends inheritance."""


class Transformation(Frozen):
    """A declared transformation; aggregation and anonymisation end inheritance when reviewed."""

    kind: TransformationKind
    method: Title
    """How, in words a reviewer can check: "k-anonymity, k=10, per 500 m cell and hour"."""
    reviewed_by: Title | None = None
    reviewed_on: Day | None = None

    @property
    def ends_inheritance(self) -> bool:
        """Whether the derived dataset keeps its own, declared classification."""
        releases = self.kind in (TransformationKind.AGGREGATION, TransformationKind.ANONYMISATION)
        return releases and self.reviewed_by is not None and self.reviewed_on is not None


class DerivedFrom(Frozen):
    """`derived` is computed from `source`, which flows to it every month."""

    kind: Literal["derived_from"] = "derived_from"
    derived: Identifier
    source: Identifier
    transformation: Transformation | None = None
    monthly_transfer_gb: MonthlyGb = Decimal(0)


class _Group(Frozen):
    members: Annotated[tuple[Identifier, ...], Field(min_length=2)]
    reason: str = ""

    @model_validator(mode="after")
    def _distinct(self) -> _Group:
        if len(set(self.members)) != len(self.members):
            raise ValueError("members repeat a dataset")
        return self


class CoLocated(_Group):
    """All members rest at the same sites."""

    kind: Literal["co_located"] = "co_located"


class Separated(_Group):
    """No two members share a site, or an operator."""

    kind: Literal["separated"] = "separated"
    level: Literal["site", "operator"] = "site"


class Cumulated(_Group):
    """Members used together: many normal ones need more protection (Kumulationseffekt)."""

    kind: Literal["cumulated"] = "cumulated"


Relation = Annotated[DerivedFrom | CoLocated | Separated | Cumulated, Field(discriminator="kind")]
