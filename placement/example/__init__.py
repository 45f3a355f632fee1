"""An example city the size of The Hague: 109 datasets, 14 sites of 10 operators, its parameters.

Everything in it is fictional and was written for this project. `catalog.json`, `sites.json` and
`parameters.json` are what `placement decide` takes. `intake.json` is a second, small catalogue for
`placement check`: datasets as departments hand them in, most of which the policies refuse
everywhere, because rules of the classification family judge a dataset whatever the site.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

_FOLDER = Path(str(files("placement.example")))

CATALOG = _FOLDER / "catalog.json"
SITES = _FOLDER / "sites.json"
PARAMETERS = _FOLDER / "parameters.json"
INTAKE = _FOLDER / "intake.json"

__all__ = ["CATALOG", "INTAKE", "PARAMETERS", "SITES"]
