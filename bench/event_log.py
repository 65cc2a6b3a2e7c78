"""A JSON event log of any size as a few compact columns, for measuring it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zlib import crc32

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import json as arrow_json

from churn_spark.arrays import Ints
from churn_spark.simulate.people import listed

_SCHEMA: Final = pa.schema(
    {
        "ts": pa.int64(),
        "userId": pa.string(),
        "sessionId": pa.int64(),
        "page": pa.string(),
        "level": pa.string(),
        "itemInSession": pa.int64(),
        "registration": pa.float64(),
        "length": pa.float64(),
        "song": pa.string(),
    }
)
PAGES: Final = listed(
    "NextSong|Home|Thumbs Up|Thumbs Down|Add to Playlist|Add Friend|Roll Advert|Downgrade|Upgrade|"
    "Help|About|Settings|Save Settings|Error|Login|Logout|Register|Submit Registration|"
    "Submit Upgrade|Submit Downgrade|Cancel|Cancellation Confirmation",
    separator="|",
)
REDIRECTS: Final = listed(
    "Thumbs Up|Thumbs Down|Add Friend|Login|Logout|Submit Upgrade|Submit Downgrade|"
    "Submit Registration|Save Settings|Cancel",
    separator="|",
)


@dataclass(frozen=True)
class EventLog:
    """Events with a userId, ordered by user, time and item; all of shape (events,).

    Attributes:
        user: number of the user, from 0 without gaps.
        ts: seconds since the epoch.
        session: sessionId.
        item: itemInSession.
        page: index into `PAGES`.
        is_paid: whether the level is paid.
        registered: account creation, seconds since the epoch.
        length: of the song in seconds, 0 on other pages.
        song: checksum of the title, 0 on other pages.
    """

    user: npt.NDArray[np.int32]
    ts: Ints
    session: npt.NDArray[np.int32]
    item: npt.NDArray[np.int32]
    page: npt.NDArray[np.int8]
    is_paid: npt.NDArray[np.bool_]
    registered: Ints
    length: npt.NDArray[np.float32]
    song: npt.NDArray[np.int32]

    @property
    def n_users(self) -> int:
        """How many users there are."""
        return int(self.user[-1]) + 1

    def is_page(self, page: str) -> npt.NDArray[np.bool_]:
        """Tell which events are visits of a page."""
        found: npt.NDArray[np.bool_] = self.page == PAGES.index(page)
        return found


def _read_file(path: Path) -> pa.Table:
    """Read one file; strings become codes at once, so that many files fit into memory."""
    read = arrow_json.ReadOptions(block_size=8 << 20)
    parse = arrow_json.ParseOptions(explicit_schema=_SCHEMA, unexpected_field_behavior="ignore")
    rows = arrow_json.read_json(path, read_options=read, parse_options=parse)
    rows = rows.filter(pc.not_equal(pc.coalesce(rows["userId"], pa.scalar("")), ""))
    song = rows["song"].combine_chunks().dictionary_encode()
    if isinstance(song, pa.ChunkedArray):
        song = song.combine_chunks()
    # Checksums are the same in every file, so that plays of a song can be counted across them.
    titles = np.array([crc32(title.encode()) >> 1 for title in song.dictionary.to_pylist()] + [0])
    codes = pc.fill_null(song.indices, len(titles) - 1).to_numpy()
    return pa.table(
        {
            "user": pc.cast(rows["userId"], pa.int64()),
            "ts": pc.divide(rows["ts"], 1000),
            "session": pc.cast(rows["sessionId"], pa.int32()),
            "item": pc.cast(rows["itemInSession"], pa.int32()),
            "page": pc.cast(pc.index_in(rows["page"], pa.array(PAGES)), pa.int8()),
            "is_paid": pc.equal(rows["level"], "paid"),
            "registered": pc.cast(pc.divide(rows["registration"], 1000.0), pa.int64(), safe=False),
            "length": pc.cast(pc.fill_null(rows["length"], 0.0), pa.float32()),
            "song": titles[codes].astype(np.int32),
        }
    )


def read_log(*paths: Path) -> EventLog:
    """Read files or folders of JSON lines, plain or gzip; anonymous events are left out.

    Raises:
        FileNotFoundError: if there are no files.
    """
    files = [
        file
        for path in paths
        for file in ([path] if path.is_file() else sorted(path.rglob("*.json*")))
    ]
    if not files:
        raise FileNotFoundError(f"found no JSON files in {', '.join(map(str, paths))}")
    rows = pa.concat_tables([_read_file(file) for file in files])
    columns = {name: rows[name].to_numpy() for name in rows.column_names}
    del rows
    order = np.lexsort((columns["item"], columns["ts"], columns["user"]))
    columns = {name: column[order] for name, column in columns.items()}
    _, user = np.unique(columns["user"], return_inverse=True)
    return EventLog(**(columns | {"user": user.astype(np.int32)}))
