"""The files a music service would drop: JSON lines, one folder a day, each file a time of day."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from churn_spark.arrays import Ints
from churn_spark.simulate.blocks import day_rows, profiles_path
from churn_spark.simulate.dirt import soil
from churn_spark.simulate.lines import encode_lines, joined
from churn_spark.simulate.own_files import temporary_of
from churn_spark.simulate.settings import DAY_S, SimulationSettings
from churn_spark.timeline import day_number

_CHUNK_ROWS: Final = 100_000  # lines that are in memory at once: about 50 MB
_GZIP_LEVEL: Final = 5


def day_file(settings: SimulationSettings, out: Path, day: date, number: int) -> Path:
    """Give the file of a part of a day."""
    suffix = ".json.gz" if settings.is_compressed else ".json"
    return out / "events" / day.isoformat() / f"events-{number:02}{suffix}"


def _load_day(work: Path, bounds: Sequence[tuple[int, int]]) -> tuple[npt.NDArray[Any], Ints]:
    """Read a day's events of all blocks in the order of time, with the block of each."""
    parts = [day_rows(work, block, *bound) for block, bound in enumerate(bounds)]
    rows = np.concatenate(parts)
    blocks = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    order = np.argsort(rows["ts"], kind="stable")
    return rows[order], blocks[order]


def _encode(
    settings: SimulationSettings, work: Path, rows: npt.NDArray[Any], blocks: Ints
) -> Iterator[memoryview]:
    """Encode events chunk by chunk; only the profiles of a chunk's users are in memory."""
    for first in range(0, len(rows), _CHUNK_ROWS):
        chunk, owners = rows[first : first + _CHUNK_ROWS], blocks[first : first + _CHUNK_ROWS]
        users = np.zeros(len(chunk), dtype=np.int64)
        profiles, n_profiles = [], 0
        for block in np.unique(owners).tolist():
            with pa.memory_map(str(profiles_path(work, block))) as source:
                table = pa.ipc.open_file(source).read_all()
                mine = np.flatnonzero(owners == block)
                wanted, place = np.unique(chunk["row"][mine], return_inverse=True)
                profiles.append(table.take(pa.array(wanted)))
                nobody = table.slice(len(table) - 1)
            users[mine] = n_profiles + place
            n_profiles += len(wanted)
        encoded = pa.concat_tables([*profiles, nobody]).combine_chunks()
        lines = encode_lines(settings.style, chunk, users, encoded)
        yield joined(soil(lines, chunk["dirt"]))


def _replace_file(path: Path, chunks: Iterator[memoryview], settings: SimulationSettings) -> None:
    """Write beside `path` under a hidden name that readers skip, then rename onto it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_of(path)
    try:
        with temporary.open("wb") as file:
            if settings.is_compressed:
                # Without name and time, or the same log would have other bytes the next time.
                with gzip.GzipFile("", "wb", _GZIP_LEVEL, file, mtime=0) as packed:
                    for chunk in _without_last_newline(chunks, settings.style):
                        packed.write(chunk)
            else:
                for chunk in _without_last_newline(chunks, settings.style):
                    file.write(chunk)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _without_last_newline(chunks: Iterator[memoryview], style: str) -> Iterator[memoryview]:
    """Cut the newline at the end of a file, where its style wants that."""
    held = memoryview(b"")
    for chunk in chunks:
        yield held
        held = chunk
    yield held[:-1] if style == "daily" else held


def write_day(
    settings: SimulationSettings,
    out: Path,
    work: Path,
    task: tuple[date, Sequence[tuple[int, int]]],
) -> int:
    """Write the files of one day; a part without events has none.

    Args:
        settings: the world.
        out: folder of the log.
        work: where the blocks were laid down.
        task: the day, and where its rows begin and end in each block.

    Returns:
        Events written, the copies of dirty ones not counted.

    Raises:
        OSError: if a file can't be written.
    """
    day, bounds = task
    rows, blocks = _load_day(work, bounds)
    window_s = DAY_S / settings.files_a_day
    # Late events come first: they wait for the day's first file.
    since = np.maximum(rows["ts"] - day_number(day) * DAY_S, 0)
    window = np.minimum((since / window_s).astype(np.int64), settings.files_a_day - 1)
    for number in range(settings.files_a_day):
        path, here = day_file(settings, out, day, number), window == number
        if here.any():
            _replace_file(path, _encode(settings, work, rows[here], blocks[here]), settings)
        else:
            path.unlink(missing_ok=True)
    return len(rows)
