"""A day of a fictional scooter operator in a fictional city, in MDS 2.0 and GBFS 3.0.

Made by `generate.py` from a seed; `agreement.json`, the city's side, is written by hand, as is
`parameters.json`: what this department asks of a plan of its own. The sites are those of the
example city.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

FOLDER = Path(str(files("placement.example.mobility")))
"""What `--format-catalog mobility` takes."""
PARAMETERS = FOLDER / "parameters.json"

__all__ = ["FOLDER", "PARAMETERS"]
