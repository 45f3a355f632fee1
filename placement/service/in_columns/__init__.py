"""The use cases on catalogues in columns: folders of up to millions of datasets."""

from placement.service.in_columns.deciding import ColumnAnswer, decide
from placement.service.in_columns.verifying import verify

__all__ = ["ColumnAnswer", "decide", "verify"]
