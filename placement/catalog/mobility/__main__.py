"""Prints what may be published of an operator's trips, as CSV.

Run as `python -m placement.catalog.mobility FOLDER`. What a reviewer has to know of it goes to
standard error.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from pathlib import Path

from placement.catalog.mobility.importer import published_counts
from placement.errors import BadInput


def main(arguments: Sequence[str]) -> int:
    """Print the cells of one folder; 2 when called otherwise, or when a file is wrong."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m placement.catalog.mobility FOLDER\n")
        return 2
    try:
        cells, statement = published_counts(Path(arguments[0]))
    except BadInput as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("hour", "area", "trips"))
    writer.writerows((cell.hour, cell.area, cell.trips) for cell in cells)
    sys.stderr.write(f"{statement.in_words()}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
