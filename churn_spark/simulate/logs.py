"""Events as the files a music service would drop: JSON lines, one folder a day, and the truth."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from churn_spark.simulate.catalogue import Catalogue
from churn_spark.simulate.lines import build_encoder
from churn_spark.simulate.personas import PERSONAS
from churn_spark.simulate.population import DAY_S, Population
from churn_spark.simulate.steps import Events, Ints

EVENT_FILE: Final = "events-00.json"
_EPOCH: Final = date(1970, 1, 1)


def day_folder(out: Path, day: date) -> Path:
    """Give the folder that holds the events of a day.

    Raises:
        Nothing: the folder needn't exist.
    """
    return out / "events" / day.isoformat()


def _replace_file(path: Path, write: Callable[[Path], None]) -> None:
    """Write beside `path` under a hidden name that readers skip, then rename onto it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        write(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _write_text(text: str, path: Path) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def write_events(
    out: Path, population: Population, catalogue: Catalogue, events: Events, session_ids: Ints
) -> list[date]:
    """Write events, ordered by time, to `out/events/YYYY-MM-DD/events-00.json`.

    Returns:
        The days that have events.

    Raises:
        OSError: if a file can't be written.
    """
    encode = build_encoder(population, catalogue, events.song)
    days, firsts = np.unique(events.ts // DAY_S, return_index=True)
    bounds = pairwise([*firsts.tolist(), len(events.ts)])
    written = []
    for day_number, (first, last) in zip(days.tolist(), bounds, strict=True):
        rows = np.arange(first, last)
        text = "".join(encode(events.take(rows), session_ids[rows]))
        day = _EPOCH + timedelta(days=day_number)
        _replace_file(day_folder(out, day) / EVENT_FILE, partial(_write_text, text))
        written.append(day)
    return written


def write_truth(
    out: Path, population: Population, n_events: Ints, n_sessions: Ints, cancelled: Ints
) -> None:
    """Write `out/truth/users.parquet`: what the log was made from.

    Grain: user. Gaps are the user's own means in seconds; `n_events` and `n_sessions` count
    what is in the log, events without a userId included; `cancel_ts` is the time of the
    Cancellation Confirmation, null for users who stayed.

    Args:
        out: folder of the log.
        population: the users.
        n_events: shape (users,).
        n_sessions: shape (users,).
        cancelled: epoch seconds, -1 for users who stayed, shape (users,).

    Raises:
        OSError: if the file can't be written.
    """
    utc_seconds = pa.timestamp("s", tz="UTC")
    table = pa.table(
        {
            "user_id": pa.array([str(user_id) for user_id in population.user_ids.tolist()]),
            "persona": pa.array([PERSONAS[p].name for p in population.persona.tolist()]),
            "event_gap_s": population.event_gap,
            "session_gap_s": population.session_gap,
            "registration_ts": pa.array(population.registered, utc_seconds),
            "cancel_ts": pa.array(cancelled, utc_seconds, mask=cancelled < 0),
            "n_events": n_events,
            "n_sessions": n_sessions,
        }
    )
    _replace_file(out / "truth" / "users.parquet", lambda path: pq.write_table(table, path))
