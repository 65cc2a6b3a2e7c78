"""JSON lines: one per request, one per event of the service; no ids, bodies or keys in them."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any, Final, TextIO

_PLACES: Final = 6


class JsonLines(logging.Formatter):
    """A record as one JSON object.

    Of an exception the type and the places are kept, not its text: that may quote what a user
    sent.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The record on one line."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__name__
            line["places"] = [
                f"{frame.filename}:{frame.lineno} {frame.name}"
                for frame in traceback.extract_tb(record.exc_info[2])[-_PLACES:]
            ]
        return json.dumps(line, ensure_ascii=False)


def log_to(stream: TextIO = sys.stderr) -> None:
    """Send what the service and its server say to a stream, as JSON lines."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("churn_spark").setLevel(logging.INFO)


class AccessLog:
    """One line per request, written at once."""

    def __init__(self, stream: TextIO) -> None:
        """Lines go to the stream."""
        self._write, self._flush = stream.write, stream.flush

    def line(self, **facts: object) -> None:
        """Write the facts of a request."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._write(json.dumps({"at": at, **facts}) + "\n")
        self._flush()
