"""JSON as every export writes it."""

from __future__ import annotations

import json
from typing import Any


def json_text(value: Any) -> str:
    """Indented JSON with a newline at its end; what has no exact form in JSON is an error."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def json_line(value: Any) -> str:
    """JSON on one line, to stand inside another text."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
