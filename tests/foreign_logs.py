"""Logs of another service: our records under other names, nested, in every kind of file."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import polars as pl

from churn_spark.config import IngestConfig, load_config

PAGES: Final = {
    "NextSong": "track_played",
    "Thumbs Up": "liked",
    "Thumbs Down": "disliked",
    "Downgrade": "plan_page",
    "Cancel": "leave_asked",
    "Cancellation Confirmation": "left",
}
ROLES: Final = {
    "song": ["track_played", "video_played"],
    "thumbs_up": "liked",
    "thumbs_down": ["disliked"],
    "downgrade": ["plan_page"],
    "cancel_page": ["leave_asked"],
    "cancel": ["left"],
}
LEVELS: Final = {"free": "basic", "paid": "premium"}
MAPPING: Final[Mapping[str, Any]] = {
    "time": {"column": "occurred_at", "unit": "iso", "zone": "Europe/Berlin"},
    "user": {"column": "customer.id", "anonymous": ["guest"]},
    "session": "visit",
    "page": {"column": "action", "names": ROLES},
    "level": {"column": "customer.plan", "free": "basic", "paid": "premium"},
    "auth": "state",
    "registration": {"column": "customer.since", "unit": "s"},
    "item": "n",
    "length": "played",
    "location": "customer.place",
    "user_agent": ["device", "agent"],
    "gender": "customer.sex",
    "also": {
        "status": "http.status",
        "method": "http.method",
        "firstName": "customer.first",
        "lastName": "customer.last",
        "artist": "by",
        "song": "title",
    },
}


def ingest_by(mapping: Mapping[str, Any], *overrides: str) -> IngestConfig:
    """The ingest's configuration with a mapping."""
    return load_config(overrides=[f"ingest.mapping={json.dumps(mapping)}", *overrides]).ingest


def foreign(ours: Mapping[str, Any]) -> dict[str, Any]:
    """What another service would have written in the place of our record."""
    get = ours.get
    since = get("registration")
    customer = {
        "id": "guest" if get("userId") in (None, "") else get("userId"),
        "plan": LEVELS.get(get("level"), get("level")),
        "since": None if since is None else since / 1000,
        "place": get("location"),
        "sex": get("gender"),
        "first": get("firstName"),
        "last": get("lastName"),
    }
    return {
        "occurred_at": datetime.fromtimestamp(ours["ts"] / 1000, tz=UTC).isoformat(),
        "customer": customer,
        "visit": get("sessionId"),
        "action": PAGES.get(ours["page"], ours["page"]),
        "state": get("auth"),
        "n": get("itemInSession"),
        "played": get("length"),
        "device": None,
        "agent": get("userAgent"),
        "http": {"status": get("status"), "method": get("method")},
        "by": get("artist"),
        "title": get("song"),
        "unknown to the mapping": 1,
    }


def flat(record: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The same without nesting: `customer.id` is a column."""
    found: dict[str, Any] = {}
    for name, value in record.items():
        inner = flat(value, f"{prefix}{name}.") if isinstance(value, dict) else None
        found |= inner if inner is not None else {prefix + name: value}
    return found


def write_array(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """One array over many lines, as by a pretty printer."""
    path.write_text(json.dumps(list(records), indent=2, ensure_ascii=False), encoding="utf-8")


def write_csv(path: Path, records: Iterable[Mapping[str, Any]], separator: str = ",") -> None:
    """Cells, the first line with their names."""
    rows = [flat(one) for one in records]
    with path.open("w", newline="", encoding="utf-8") as written:
        writer = csv.DictWriter(written, [*rows[0]], delimiter=separator)
        writer.writeheader()
        writer.writerows(rows)


def write_parquet(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Typed columns, nested ones as they are, the time as an instant."""
    rows = pl.DataFrame(list(records), infer_schema_length=None)
    moment = pl.col("occurred_at").str.to_datetime(time_unit="us", time_zone="UTC")
    rows.with_columns(moment).write_parquet(path, row_group_size=1000)
