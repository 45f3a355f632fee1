"""Who asks, and what they may see and do."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from models.base import Flag, Frozen, Identifier, Title

Subject = Annotated[str, Field(min_length=1, max_length=300, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""Who acts, unique across issuers: `issuer subject` for people, `key:ID` for machines."""


class CityRole(StrEnum):
    """Soest's data roles: what a person or a machine does with the service."""

    GOVERNANCE_BOARD = "governance_board"
    """Approves plans and policies."""
    DATA_MANAGEMENT_OFFICE = "data_management_office"
    """Keeps the catalogue, decides, asks what-if."""
    DATA_STEWARD = "data_steward"
    """Keeps the records of its own departments."""
    SECURITY_REVIEWER = "security_reviewer"
    """Drafts, tests and reviews policies; never approves its own."""
    DATA_USER = "data_user"
    """Reads what its catalogue roles may read."""
    PROVISIONER = "provisioner"
    """Reads approved placements and reports what was done."""
    AUDITOR = "auditor"
    """Reads everything, changes nothing."""


class PrincipalKind(StrEnum):
    """How somebody proved who they are."""

    PERSON = "person"
    """A token of the city's identity provider."""
    MACHINE = "machine"
    """An API key."""


class Principal(Frozen):
    """Somebody whose proof of identity was accepted."""

    subject: Subject
    kind: PrincipalKind
    roles: tuple[CityRole, ...]
    departments: tuple[Title, ...] = ()
    """Departments whose records are theirs; matters for stewards."""
    reader_roles: tuple[Identifier, ...] = ()
    """Catalogue roles they hold; matters for data users."""
    operations: tuple[str, ...] | None = None
    """The only operations an API key is for; none: all that its roles may."""


class RowFilter(Frozen):
    """Which records a principal sees: the union of what each field admits. Empty: none."""

    all: Flag = False
    departments: tuple[Title, ...] = ()
    """Records of these departments."""
    reader_roles: tuple[Identifier, ...] = ()
    """Datasets that one of these catalogue roles reads."""
    public: Flag = False
    """Datasets with public access rights."""


class Permission(Frozen):
    """What the policies say of one operation by one principal."""

    allow: Flag
    reason: str
    """Why not, or which role allows it."""
    rows: RowFilter = RowFilter()
    """Which records the operation may touch."""


class PermissionInput(Frozen):
    """`input` of data.authz.decision."""

    principal: Principal
    operation: str
    """Stable name of what is asked, such as datasets.update: a route and a method."""
    method: str
    route: str
    """Path template, such as /v1/datasets/{dataset}."""
    author: Subject | None = None
    """Whoever made the thing acted on, where that matters (four eyes)."""
