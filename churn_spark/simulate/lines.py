"""Events as lines of JSON, put together from fragments that are encoded once.

A line is a chain of segments: neighbouring keys whose values come from the same source (the
state, the user, the song, or a number of the event itself). The fragments of a source are
encoded once; Arrow joins them to lines, so no Python code runs for each event.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from churn_spark.arrays import Ints
from churn_spark.simulate.catalogue import Catalogue, build_catalogue
from churn_spark.simulate.next_event import NO_SONG
from churn_spark.simulate.pages import N_STATES, method_and_status, unpack_state
from churn_spark.simulate.population import Profiles

# Where the value of each key comes from.
_SOURCES: Final = {
    **dict.fromkeys(("page", "auth", "method", "status", "level"), "state"),
    **dict.fromkeys(("userId",), "id"),
    **dict.fromkeys(("location", "userAgent", "lastName", "firstName"), "user"),
    **dict.fromkeys(("registration", "gender"), "user"),
    **dict.fromkeys(("artist", "song", "length"), "song"),
    "ts": "ts",
    "sessionId": "session_id",
    "itemInSession": "item",
}
_KEY_ORDER: Final = {
    "mini": (
        *("ts", "userId", "sessionId", "page", "auth", "method", "status", "level"),
        *("itemInSession", "location", "userAgent", "lastName", "firstName", "registration"),
        *("gender", "artist", "song", "length"),
    ),
    "daily": tuple(sorted(_SOURCES, key=str)),
}
_IS_KNOWN: Final = np.array(
    [unpack_state(state)[0] in ("Logged In", "Cancelled") for state in range(N_STATES)]
)


@dataclass(frozen=True)
class Segment:
    """Neighbouring keys of one source."""

    source: str
    keys: tuple[str, ...]


@cache
def segments(style: str) -> tuple[Segment, ...]:
    """Cut the keys of a style into segments.

    Raises:
        KeyError: if there is no such style.
    """
    runs = groupby(_KEY_ORDER[style], key=lambda key: _SOURCES[key])
    return tuple(Segment(source, tuple(keys)) for source, keys in runs)


def _fragments(style: str, keys: tuple[str, ...], columns: Mapping[str, list[Any]]) -> list[str]:
    """Encode a segment for every row of its source, the last one for events that have none.

    Each key comes with a comma before it, but for the first key of the line.
    """
    rows = zip(*(columns[key] for key in keys), strict=True)
    found = [
        json.dumps(dict(zip(keys, row, strict=True)), separators=(",", ":"), ensure_ascii=False)
        for row in rows
    ]
    absent = json.dumps(dict.fromkeys(keys), separators=(",", ":")) if style == "daily" else "{}"
    comma = "" if keys[0] == _KEY_ORDER[style][0] else ","
    return [comma + text[1:-1] for text in found] + [(comma + absent[1:-1]) if absent[1:-1] else ""]


def encode_profiles(style: str, profiles: Profiles, registered: Ints) -> pa.Table:
    """Encode what the log says of users: one column a segment, one row a user.

    The last row is what it says of an event without a user.

    Args:
        style: `mini` or `daily`.
        profiles: the users.
        registered: epoch seconds, shape (users,).

    Raises:
        KeyError: if there is no such style.
    """
    stamp = registered * 1000
    columns: dict[str, list[Any]] = {
        "userId": profiles.user_ids,
        "location": profiles.locations,
        "userAgent": profiles.user_agents,
        "lastName": profiles.last_names,
        "firstName": profiles.first_names,
        "registration": (stamp.astype(np.float64) if style == "daily" else stamp).tolist(),
        "gender": profiles.genders,
    }
    encoded = {}
    for segment in segments(style):
        if segment.source in ("user", "id"):
            texts = _fragments(style, segment.keys, columns)
            if segment.source == "id":
                texts[-1] = ',"userId":""'
            encoded["_".join(segment.keys)] = pa.array(texts)
    return pa.table(encoded)


@cache
def _encode_states(style: str) -> dict[tuple[str, ...], pa.Array]:
    """Encode the segments of all states."""
    rows = []
    for auth, level, page in map(unpack_state, range(N_STATES)):
        method, status = method_and_status(page)
        rows.append((page, auth, method, status, level))
    names = ("page", "auth", "method", "status", "level")
    columns = {name: [row[n] for row in rows] for n, name in enumerate(names)}
    return {
        segment.keys: pa.array(_fragments(style, segment.keys, columns))
        for segment in segments(style)
        if segment.source == "state"
    }


@cache
def _encode_songs(style: str) -> dict[tuple[str, ...], pa.Array]:
    """Encode the segments of the whole catalogue."""
    catalogue: Catalogue = build_catalogue()
    columns: dict[str, list[Any]] = {
        "artist": list(catalogue.artists),
        "song": list(catalogue.titles),
        "length": catalogue.lengths.tolist(),
    }
    return {
        segment.keys: pa.array(_fragments(style, segment.keys, columns))
        for segment in segments(style)
        if segment.source == "song"
    }


def encode_lines(
    style: str, events: npt.NDArray[Any], users: Ints, profiles: pa.Table
) -> pa.StringArray:
    """Encode events.

    Args:
        style: `mini` or `daily`.
        events: structured array with ts, state, session_id, item and song, shape (events,).
        users: each event's row in `profiles`, shape (events,).
        profiles: of `encode_profiles`.

    Returns:
        One line each, with a newline at its end.

    Raises:
        KeyError: if there is no such style.
    """
    state = events["state"].astype(np.int64)
    owner = np.where(_IS_KNOWN[state], users, len(profiles) - 1)
    song = np.where(events["song"] == NO_SONG, -1, events["song"]).astype(np.int64)
    parts: list[Any] = ["{"]
    for segment in segments(style):
        first = "" if segment.keys[0] == _KEY_ORDER[style][0] else ","
        match segment.source:
            case "state":
                parts.append(_encode_states(style)[segment.keys].take(pa.array(state)))
            case "song":
                encoded = _encode_songs(style)[segment.keys]
                parts.append(encoded.take(pa.array(song % len(encoded))))
            case "user" | "id":
                column = profiles["_".join(segment.keys)].combine_chunks()
                parts.append(column.take(pa.array(owner)))
            case number:
                parts.append(f'{first}"{segment.keys[0]}":')
                parts.append(pc.cast(pa.array(events[number]), pa.string()))
                if number == "ts":
                    parts.append("000")
    return pc.binary_join_element_wise(*parts, "}\n", "")


def joined(lines: pa.StringArray) -> memoryview:
    """Give the text of lines that were put together one after the other."""
    offsets = np.frombuffer(lines.buffers()[1], dtype=np.int32)[lines.offset :]
    if not len(lines):
        return memoryview(b"")
    return memoryview(lines.buffers()[2])[int(offsets[0]) : int(offsets[len(lines)])]
