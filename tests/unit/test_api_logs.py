"""Logs: one JSON line an event."""

from __future__ import annotations

import io
import json
import logging

import pytest

from api import logs


@pytest.fixture
def stream():
    """What the service's loggers write; afterwards they are as they were."""
    before = {
        name: (logger.handlers[:], logger.level, logger.propagate)
        for name in logs.NAMES
        for logger in [logging.getLogger(name)]
    }
    written = io.StringIO()
    for name in logs.NAMES:
        logging.getLogger(name).handlers = []
    logs.log_json_lines(written)
    logs.log_json_lines(written)
    yield written
    for name, (handlers, level, propagate) in before.items():
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


def lines(stream):
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_texts_with_newlines_stay_one_line(stream):
    logging.getLogger("placement.api").error('a\n{"forged": true}\nb')
    (line,) = lines(stream)
    assert line["message"] == 'a\n{"forged": true}\nb'
    assert (line["level"], line["logger"]) == ("error", "placement.api")
    assert line["at"].endswith("+00:00")


def test_access_records_stand_in_the_line_as_they_are(stream):
    logging.getLogger("placement.access").info("x", extra={"access": {"status": 200}})
    (line,) = lines(stream)
    assert line["status"] == 200
    assert "message" not in line


def test_tracebacks_are_part_of_their_line(stream):
    try:
        raise ValueError("why")
    except ValueError:
        logging.getLogger("placement.api").exception("failed")
    (line,) = lines(stream)
    assert "ValueError: why" in line["exception"]


def test_chatter_of_libraries_is_left_out(stream):
    logging.getLogger("uvicorn.error").info("Started server process")
    logging.getLogger("placement.api").debug("details")
    assert lines(stream) == []
