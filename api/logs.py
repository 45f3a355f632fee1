"""Logs as JSON lines on standard error: one line an event, whatever its text holds."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

NAMES = ("placement", "uvicorn", "litestar_queues")
"""Loggers that are shown; libraries below a warning are not."""


class JsonLines(logging.Formatter):
    """Each record as one JSON object; the members of an access record stand in it as they are."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        access = getattr(record, "access", None)
        if isinstance(access, dict):
            line |= access
        else:
            line["message"] = record.getMessage()
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def log_json_lines(stream: Any = None) -> None:
    """Show the service's logs from now on; calling it again changes nothing."""
    for name in NAMES:
        logger = logging.getLogger(name)
        logger.setLevel(logging.INFO if name == "placement" else logging.WARNING)
        if not any(isinstance(each.formatter, JsonLines) for each in logger.handlers):
            handler = logging.StreamHandler(sys.stderr if stream is None else stream)
            handler.setFormatter(JsonLines())
            logger.addHandler(handler)
            logger.propagate = False
