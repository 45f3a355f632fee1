"""A city's catalogue: what there is to place."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from models.base import Frozen, Title
from models.dataset import CollectionContract, Dataset
from models.relation import Relation
from models.role import Role


class Catalog(Frozen):
    """A catalogue file."""

    format: Annotated[str, Field(pattern=r"^placement-catalog/1$")] = "placement-catalog/1"
    municipality: Title
    source: str = ""
    """Where the catalogue comes from, in words."""
    assumptions: tuple[str, ...] = ()
    """What an importer had to assume, one sentence each."""
    datasets: tuple[Dataset, ...]
    roles: tuple[Role, ...] = ()
    contracts: tuple[CollectionContract, ...] = ()
    relations: tuple[Relation, ...] = ()
