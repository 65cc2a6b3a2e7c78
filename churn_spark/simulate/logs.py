"""Events as the files a music service would drop: JSON lines, one folder a day, and the truth."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from churn_spark.simulate.catalogue import Catalogue
from churn_spark.simulate.chains import NO_SONG, Events, Ints
from churn_spark.simulate.pages import N_STATES, method_and_status, unpack_state
from churn_spark.simulate.personas import PERSONAS
from churn_spark.simulate.population import DAY_S, Population

EVENT_FILE: Final = "events-00.json"
_EPOCH: Final = date(1970, 1, 1)


def _fragment(record: dict[str, object]) -> str:
    """Encode part of a record, without its braces."""
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False)[1:-1]


def _state_fragments() -> list[str]:
    """Encode page to level of every state, in the log's key order."""
    fragments = []
    for state in range(N_STATES):
        auth, level, page = unpack_state(state)
        method, status = method_and_status(page)
        fragments.append(
            _fragment(
                {"page": page, "auth": auth, "method": method, "status": status, "level": level}
            )
        )
    return fragments


def _profile_fragments(population: Population) -> list[str]:
    """Encode location to gender of every user."""
    columns = zip(
        population.locations,
        population.user_agents,
        population.last_names,
        population.first_names,
        population.registered.tolist(),
        population.genders,
        strict=True,
    )
    return [
        _fragment(
            {
                "location": location,
                "userAgent": agent,
                "lastName": last_name,
                "firstName": first_name,
                "registration": registered * 1000,
                "gender": gender,
            }
        )
        for location, agent, last_name, first_name, registered, gender in columns
    ]


def _song_fragments(catalogue: Catalogue, played: Ints) -> dict[int, str]:
    """Encode artist, song and length of every song that was played."""
    lengths = catalogue.lengths.tolist()
    return {
        song: _fragment(
            {
                "artist": catalogue.artists[song],
                "song": catalogue.titles[song],
                "length": lengths[song],
            }
        )
        for song in np.unique(played[played != NO_SONG]).tolist()
    }


def _line_writer(
    population: Population, catalogue: Catalogue, events: Events
) -> Callable[[Events, Ints], Iterator[str]]:
    """Make the function that encodes events, from fragments that are encoded once."""
    states, profiles = _state_fragments(), _profile_fragments(population)
    songs = _song_fragments(catalogue, events.song)
    is_known = [unpack_state(state)[0] in ("Logged In", "Cancelled") for state in range(N_STATES)]
    user_ids = population.user_ids.tolist()

    def lines(part: Events, session_ids: Ints) -> Iterator[str]:
        columns = (part.user, part.ts, part.state, session_ids, part.item, part.song)
        for user, ts, state, session, item, song in zip(*(c.tolist() for c in columns), strict=True):
            known = is_known[state]
            yield (
                f'{{"ts":{ts}000,"userId":"{user_ids[user] if known else ""}",'
                f'"sessionId":{session},{states[state]},"itemInSession":{item}'
                f'{"," + profiles[user] if known else ""}'
                f'{"," + songs[song] if song != NO_SONG else ""}}}\n'
            )

    return lines


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
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_events(
    out: Path, population: Population, catalogue: Catalogue, events: Events, session_ids: Ints
) -> list[date]:
    """Write events, ordered by time, to `out/events/YYYY-MM-DD/events-00.json`.

    Returns:
        The days that have events.

    Raises:
        OSError: if a file can't be written.
    """
    lines = _line_writer(population, catalogue, events)
    days, firsts = np.unique(events.ts // DAY_S, return_index=True)
    lasts = [*firsts[1:].tolist(), len(events.ts)]
    written = []
    for day_number, first, last in zip(days.tolist(), firsts.tolist(), lasts, strict=True):
        rows = np.arange(first, last)
        text = "".join(lines(events.take(rows), session_ids[rows]))
        day = _EPOCH + timedelta(days=day_number)
        _replace_file(
            day_folder(out, day) / EVENT_FILE,
            lambda path, text=text: path.write_text(text, encoding="utf-8", newline="\n"),
        )
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
