"""Our records as the streams of eventsim, the generator of such logs, in its fork for Kafka.

Fields and rules are those of github.com/viirya/eventsim: `Output.scala` says which event goes into
which stream, `JSONConstructor.scala` and `schemas.avsc` how a message is written.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

Message = dict[str, Any]

_OF_EVENT: Final = (
    *("ts", "sessionId", "page", "auth", "method", "status", "level", "itemInSession"),
    *("userAgent", "artist", "song"),
)
_OF_USER: Final = ("lastName", "firstName", "gender", "registration")
_OF_DEVICE: Final = ("zip", "city", "state", "lat", "lon", "userAgent")
_SHOWN: Final = ("Logged In", "Cancelled")
# Paths of the nested messages -> where the value lies in a plain one.
_OF_SONG: Final = {"artist": "artist", "title": "song", "duration": "duration"}


def as_streams(records: Iterable[Mapping[str, Any]]) -> dict[str, list[Message]]:
    """Name of a stream -> its messages, in the order of the records.

    Every event is a page view; the other streams repeat those that their name says.
    """
    streams: dict[str, list[Message]] = defaultdict(list)
    pages: dict[int, str] = {}
    for record in records:
        view = _page_view(record)
        streams["page_view_events"].append(view)
        rest = {key: view[key] for key in view.keys() - {"page", "method", "status"}}
        if view["page"] == "NextSong":
            streams["listen_events"].append(rest)
        if view["page"] in ("Submit Upgrade", "Submit Downgrade"):
            streams["status_change_events"].append(rest)
        if pages.get(view["sessionId"]) == "Login":
            success = rest.pop("auth") == "Logged In"
            streams["auth_events"].append(rest | {"success": success})
        pages[view["sessionId"]] = view["page"]
    return streams


def nested(message: Message) -> Message:
    """The message by the schema for Avro: user, device and song are records of their own."""
    plain = {
        key: value
        for key, value in message.items()
        if key not in (*_OF_USER, *_OF_DEVICE, *_OF_SONG.values())
    }
    song = {name: message[key] for name, key in _OF_SONG.items() if key in message}
    return {
        "userId": None,
        **plain,
        "userDetails": {key: message[key] for key in _OF_USER if key in message} or None,
        "deviceDetails": {key: message[key] for key in _OF_DEVICE if key in message},
        "songProperties": song or None,
        "tag": None,
    }


def write_streams(folder: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """A file a stream, without an ending, as the generator leaves them in its `output`."""
    folder.mkdir(parents=True)
    for name, messages in as_streams(records).items():
        text = "".join(json.dumps(message) + "\n" for message in messages)
        (folder / name).write_text(text, encoding="utf-8")


def _page_view(record: Mapping[str, Any]) -> Message:
    """A message has no field without a value, and who isn't logged in has no id."""
    city, _, states = (record.get("location") or "").rpartition(", ")
    found = {key: record.get(key) for key in _OF_EVENT} | {
        "zip": "10001",
        "city": city,
        "state": states.partition("-")[0] or None,
        "lat": 40.7,
        "lon": -73.9,
        "duration": record.get("length"),
    }
    if record.get("auth") in _SHOWN:
        found |= {"userId": int(record["userId"]), **{key: record.get(key) for key in _OF_USER}}
    return {key: value for key, value in found.items() if value is not None}
