"""Raw log records for tests: a plain one with overrides, and whole random logs; rows of tables."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from churn_spark.config import Config
from churn_spark.contracts.tables import EVENTS, TableSpec
from churn_spark.events.block import Block, read_block
from churn_spark.lakehouse.byte_ranges import ByteRange, Piece, read_gzip, read_plain
from churn_spark.lakehouse.schema import struct_of
from churn_spark.pipeline.context import JobContext

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


AGENTS = (
    '"Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/537.36 (KHTML, like Gecko) '
    'Chrome/36.0.1985.143 Safari/537.36"',
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.9; rv:31.0) Gecko/20100101 Firefox/31.0",
    '"Mozilla/5.0 (iPhone; CPU iPhone OS 7_1_2 like Mac OS X) AppleWebKit/537.51.2 (KHTML, like '
    'Gecko) Version/7.0 Mobile/11D257 Safari/9537.53"',
    "Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.2; WOW64; Trident/6.0)",
    "curl/7.35.0",
)
PAGES = (
    *("NextSong",) * 8,
    *("Thumbs Up", "Thumbs Down", "Add Friend", "Downgrade", "Submit Downgrade", "Home"),
    *("Roll Advert", "Logout", "Cancel", "A page of tomorrow"),
)


def random_records(seed: int, n_users: int = 40) -> list[dict[str, Any]]:
    """A small log from 2018-10-01 on with all that is awkward, in random order.

    Nulls and absent keys, ties in ts, gaps of weeks, repeated records (also in another notation),
    interleaved sessions whose ids users share, sessions over midnight, changes of profile,
    logged-out rows with and without a user, cancellations (some at midnight to the millisecond,
    some followed by more events).
    """
    rng = random.Random(seed)
    records = [one for user in range(n_users) for one in _random_user(rng, user)]
    records += [_in_another_notation(rng, rng.choice(records)) for _ in range(len(records) // 8)]
    rng.shuffle(records)
    return records


def _random_user(rng: random.Random, user: int) -> list[dict[str, Any]]:
    day = 86_400_000
    ts = millis("2018-10-01 00:00:00") + rng.choice([0, 20, 45]) * day + rng.randrange(5 * day)
    steps = (0, 0, 1, 999, 1000, 240_000, 3_600_000, 6 * 3_600_000)
    pauses = (0, day // 2, day, 3 * day, 30 * day)
    profile = _random_profile(rng)
    items = dict.fromkeys(range(1, 6), 0)
    rows = []
    for _ in range(rng.randrange(1, 90)):
        if rng.random() < 0.1:
            ts += rng.choice(pauses)
        elif rng.random() < 0.05:
            ts += -ts % day - rng.choice([0, 1])  # midnight, or the last millisecond before it
        else:
            ts += rng.choice(steps)
        if rng.random() < 0.1:
            profile = {**profile, **_random_profile(rng)}
        session = rng.choice(list(items))
        items[session] += rng.choice([0, 1, 1, 1])
        page = rng.choice(PAGES)
        changes = {
            "ts": ts,
            "userId": rng.choice([str(user), user]),
            "sessionId": session,
            "itemInSession": rng.choice([items[session]] * 9 + [None]),
            "page": page,
            "auth": rng.choice(["Logged In"] * 14 + ["Logged Out", None]),
            "length": rng.choice([round(rng.uniform(0, 900), rng.randrange(8)), None, 0]),
            "song": rng.choice(["Carry", "Ou\u00e9 {}{", None]),
            **{key: rng.choice([value] * 9 + [None]) for key, value in profile.items()},
        }
        rows.append(record(**changes))
        if rng.random() < 0.05:
            rows.append(record(**{**changes, "userId": rng.choice(["", None, "1261737"])}))
    return rows + _random_cancel(rng, rows)


def _random_profile(rng: random.Random) -> dict[str, Any]:
    places = ("Boston-Newton, MA-NH", "Phoenix-Mesa, AZ", "Guam", "Lima, ")
    return {
        "level": rng.choice(["free", "paid"]),
        "gender": rng.choice(["F", "M", None]),
        "location": rng.choice([*places, None]),
        "userAgent": rng.choice([*AGENTS, " ", None]),
        "registration": rng.choice([1537000000000, 1537000000123.0, 1538400000001, None]),
    }


def _random_cancel(rng: random.Random, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Nothing for most; else a confirmation after any of the rows, rarely two."""
    confirmations = []
    for _ in range(rng.choice([0, 0, 0, 1, 1, 2])):
        last = rng.choice(rows)
        ts = last["ts"] + rng.choice([33_000, -last["ts"] % 86_400_000])
        page = "Cancellation Confirmation"
        confirmations.append({**last, "ts": ts, "page": page, "auth": "Cancelled", "level": "gone"})
    return confirmations


def _in_another_notation(rng: random.Random, one: Mapping[str, Any]) -> dict[str, Any]:
    """The same record: nulls left out, numbers as floats, a key that nobody knows."""
    same = {key: value for key, value in one.items() if value is not None or rng.random() < 0.5}
    for key in ("ts", "registration", "sessionId", "itemInSession", "status"):
        if same.get(key) is not None and rng.random() < 0.5:
            same[key] = float(same[key])
    return same | {"extra": rng.random()}


N_BUCKETS = 4


def read_pieces(path: Path) -> list[Piece]:
    """The lines of a file."""
    part = ByteRange(str(path), 0, path.stat().st_size)
    with pa.PythonFile(path.open("rb"), mode="r") as source:
        if part.is_compressed:
            return list(read_gzip(source, 1 << 20, 1 << 17))
        return list(read_plain(source, part, 1 << 17))


def read_file(path: Path, config: Config) -> Block:
    """What becomes of the lines of a file that is one piece."""
    [piece] = read_pieces(path) or [Piece(b"")]
    return read_block(piece.data, config.ingest, N_BUCKETS)


def read_events(spark: SparkSession, paths: Iterable[Path], config: Config) -> DataFrame:
    """The accepted events of files, or of folders of them, as the ingest builds them."""
    files = [
        file
        for path in paths
        for file in (sorted(path.glob("*.json")) if path.is_dir() else [path])
    ]
    frames = [
        read_block(piece.data, config.ingest, N_BUCKETS).events.with_columns(
            source_file=pl.lit(str(path)), ingest_batch=pl.lit(1, dtype=pl.Int64)
        )
        for path in files
        for piece in read_pieces(path)
    ]
    rows = pl.concat(frames).select(EVENTS.column_names).rows()
    return spark.createDataFrame(rows, struct_of(EVENTS), verifySchema=False)


def collect_dicts(frame: DataFrame, *key: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    """The rows by their key; each key once."""
    rows = [row.asDict() for row in frame.collect()]
    keyed = {tuple(row.pop(name) for name in key): row for row in rows}
    assert len(keyed) == len(rows), "the key is not unique"
    return keyed


def bytes_of(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its path there."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def write_rows(context: JobContext, spec: TableSpec, rows: pd.DataFrame) -> None:
    """Overwrite a table with rows; columns of the table that they don't have are null."""
    frame = rows.reindex(columns=spec.column_names)
    whole = {c.name: "Int64" for c in spec.columns if c.data_type == "long"}
    frame = frame.astype(whole).astype(object)
    context.lakehouse.replace_rows(frame.where(frame.notna(), None), spec, {})
