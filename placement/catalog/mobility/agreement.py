"""The city's own side of operator data: what was agreed, who works with it, what is released."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from models import CollectionContract, Dpia, Frozen, Role
from models.base import Day, Title
from placement.catalog.messages import validation_defects
from placement.catalog.mobility.aggregate import AREA_M_DEFAULT, K_DEFAULT, K_LEAST
from placement.catalog.strict_json import read_json
from placement.errors import BadInput

FILE = "agreement.json"


class Release(Frozen):
    """How trips are counted for the public, and who looked at it."""

    k: Annotated[int, Field(ge=K_LEAST, le=1000, strict=True)] = K_DEFAULT
    """Fewest trips, and fewest vehicles, of a published cell."""
    area_m: Annotated[int, Field(ge=50, le=10_000, strict=True)] = AREA_M_DEFAULT
    """Side of an area in metres."""
    reviewed_by: Title | None = None
    """Without a reviewer and a day the counts are as personal as the trips."""
    reviewed_on: Day | None = None


class Agreement(Frozen):
    """agreement.json."""

    format: Annotated[str, Field(pattern=r"^placement-mobility/1$")]
    municipality: Title
    department: Title
    """Owns the data."""
    steward: Title
    team: Role
    """Works with the data."""
    lawful_basis: Title
    dpia: Dpia
    retention_months: Annotated[int, Field(ge=1, le=120, strict=True)]
    """How long raw data is kept."""
    contract: CollectionContract
    """With the operator: hand-over, ownership, exit."""
    release: Release = Release()


def read_agreement(folder: Path) -> Agreement:
    """The agreement in a folder. Raises BadInput with all its defects."""
    path = folder / FILE
    document = read_json(path)
    try:
        return Agreement.model_validate(document)
    except ValidationError as error:
        raise BadInput(validation_defects(error, Agreement, document, str(path))) from error
