"""Raw log records for tests: a plain one, and overrides."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

BASE_RECORD: Mapping[str, Any] = {
    "ts": 1538352000000,
    "userId": "7",
    "sessionId": 1,
    "page": "NextSong",
    "auth": "Logged In",
    "method": "PUT",
    "status": 200,
    "level": "free",
    "itemInSession": 0,
    "location": "New York-Newark-Jersey City, NY-NJ-PA",
    "userAgent": "Mozilla/5.0 (Windows NT 6.1; WOW64; rv:31.0) Gecko/20100101 Firefox/31.0",
    "lastName": "Hyde",
    "firstName": "Iris",
    "registration": 1537000000000,
    "gender": "F",
    "artist": "The Sums",
    "song": "Carry",
    "length": 200.5,
}


def record(**overrides: Any) -> dict[str, Any]:
    """The base record with some fields changed; `drop=[...]` leaves keys out."""
    dropped = overrides.pop("drop", [])
    return {key: value for key, value in {**BASE_RECORD, **overrides}.items() if key not in dropped}


def millis(text: str) -> int:
    """`2018-10-03 12:30:00` in UTC as milliseconds since the epoch."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def write_lines(path: Path, records: Iterable[Mapping[str, Any] | str | bytes]) -> Path:
    """Write records (or raw lines) as JSON lines and return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = []
    for one in records:
        raw = json.dumps(one) if isinstance(one, Mapping) else one
        lines.append(raw if isinstance(raw, bytes) else raw.encode())
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path
