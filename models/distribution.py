"""Where and under what licence a dataset is published: kept for catalogues, read by no policy."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from models.base import Frozen, Title

Licence = Annotated[str, StringConstraints(min_length=1, max_length=500)]
"""A licence's URI, its SPDX id, or its text in a line."""

Address = Annotated[str, StringConstraints(min_length=1, max_length=2_000)]
"""A URL or other IRI, as the source wrote it; never looked up."""


class Distribution(Frozen):
    """One way to get at a dataset, as its publisher offers it today."""

    title: Title | None = None
    access_url: Address | None = None
    download_url: Address | None = None
    format: Title | None = None
    """A media type, a file format or the IRI of either."""
    licence: Licence | None = None
