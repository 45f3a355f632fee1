"""The certificate of a plan in columns: solver-free, in exact numbers, for millions of datasets."""

from placement.certificate.columns.answer import ColumnCertificate, RowTotal
from placement.certificate.columns.certify import certify_columns

__all__ = ["certify_columns", "ColumnCertificate", "RowTotal"]
