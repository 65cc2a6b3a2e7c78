"""Some rows of a log and a mapping -> what is found, what is read of it and what won't work.

Where there is no mapping one is proposed. Nothing is written but that, and no Spark is started.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from typing import Any, Final

import polars as pl
import yaml
from pydantic import ValidationError

from churn_spark.config import IngestConfig, LogMapping
from churn_spark.errors import DamagedFileError, InputError
from churn_spark.events.block import Block, read_block
from churn_spark.events.files import JSON_ENDINGS
from churn_spark.events.foreign.columns import columns_by_field
from churn_spark.events.foreign.found import ColumnFacts, find_columns
from churn_spark.events.foreign.kinds import ENDINGS
from churn_spark.events.foreign.lacking import describe_lacks
from churn_spark.events.foreign.propose import propose_mapping
from churn_spark.events.foreign.sample import Sample, read_sample
from churn_spark.wording import count_of

_SHOWN: Final = 10


@dataclass(frozen=True)
class MappingCheck:
    """What is known of a log after a look at its first rows.

    Attributes:
        path: of the file.
        n_files: at the location.
        sample: the rows.
        columns: what is in them.
        proposed: the mapping as a file has it, where there was none.
        mapping: that was given, or the proposed one if it is whole.
        block: what becomes of the rows by it.
    """

    path: Path
    n_files: int
    sample: Sample
    columns: Mapping[str, ColumnFacts]
    proposed: str | None
    mapping: LogMapping | None
    block: Block | None


def run(config: IngestConfig, events: str, n_rows: int) -> MappingCheck:
    """Look at the first rows of the first file.

    Args:
        config: of the ingest, with the mapping if there is one.
        events: folder, file or glob, on this machine.
        n_rows: at most so many.

    Raises:
        InputError: if there is no file, or its rows can't be read.
    """
    files = _find_files(events)
    try:
        sample = read_sample(files[0], config.mapping, n_rows)
    except (DamagedFileError, OSError) as error:
        raise InputError(
            f"{files[0]} can't be read: {error}; expected a file that is whole"
        ) from error
    columns = find_columns(sample.records())
    if not columns:
        raise InputError(
            f"found no row with columns in {files[0]}, expected JSON objects, cells under names, "
            "or Parquet"
        )
    mapping, proposed = config.mapping, None
    if mapping is None:
        values = _propose(sample, columns)
        proposed, mapping = write_mapping(values), _as_mapping(values)
    block = None
    if mapping:
        mapped = config.model_copy(update={"mapping": mapping})
        block = read_block(sample.data, mapped, 1, rows=sample.cells)
    return MappingCheck(files[0], len(files), sample, columns, proposed, mapping, block)


def write_mapping(values: Mapping[str, Any]) -> str:
    """The file of a mapping."""
    return yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True)


def describe_fields(check: MappingCheck) -> Iterator[tuple[str, str, str]]:
    """Field of the mapping, its columns and what was found in them."""
    assert check.mapping
    for field, names in columns_by_field(check.mapping).items():
        found = [check.columns[name].describe() for name in names if name in check.columns]
        yield field, ", ".join(names), "; ".join(found) or "no such column in these rows"


def describe_fate(check: MappingCheck) -> str:
    """What becomes of the rows, in one line that adds up."""
    assert check.block
    counts = Counter({name: n for name, n in check.block.counts.items() if n})
    parts = [f"{name} {n:,}" for name, n in counts.items() if name != "read"]
    return f"{counts['read']:,} rows read = {' + '.join(parts)}"


def describe_problems(check: MappingCheck) -> Iterator[str]:
    """What won't work, or not as it may seem."""
    assert check.mapping
    assert check.block
    events = check.block.events
    for row in check.block.rejected.unique("reason", maintain_order=True).iter_rows(named=True):
        yield f"{row['reason']}: a row with {row['contents']}"
    if not events.height and check.block.counts["anonymous"]:
        yield "every row is of nobody: look at user"
    n_alike = events.height - events["event_hash"].n_unique()
    if n_alike:
        yield (
            f"{count_of(n_alike, 'event')} alike in all columns that are named: each counts once. "
            "Where they are different ones, name what differs in tell_apart"
        )
    yield from describe_lacks(check.mapping, events["page"].unique().to_list())


def shown_rows(check: MappingCheck) -> Sequence[Mapping[str, Any]]:
    """The first events, as they would be kept."""
    assert check.block
    names = ("event_ts", "user_id", "session_id", "page", "level", "registered_ts", "song_seconds")
    rows = check.block.events.head(_SHOWN).select(names)
    return rows.with_columns(
        pl.col("event_ts", "registered_ts").dt.to_string("%F %T%.3f")
    ).to_dicts()


def _find_files(events: str) -> list[Path]:
    place = Path(events)
    if place.is_dir():
        endings = (*JSON_ENDINGS, *ENDINGS)
        found = sorted(one for one in place.rglob("*") if one.name.endswith(endings))
    else:
        found = [place] if place.exists() else sorted(map(Path, glob(events)))
    files = [one for one in found if one.is_file() and one.stat().st_size]
    if not files:
        raise InputError(
            f"found no event file at {events}, expected a folder, a file or a glob on this "
            "machine: JSON, CSV or Parquet"
        )
    return files


def _propose(sample: Sample, columns: Mapping[str, ColumnFacts]) -> dict[str, Any]:
    values = propose_mapping(columns)
    if sample.kind == "array":
        values["json_files"] = "array"
    if sample.csv_files and (given := sample.csv_files.model_dump(exclude_defaults=True)):
        values["csv_files"] = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in given.items()
        }
    return values


def _as_mapping(values: Mapping[str, Any]) -> LogMapping | None:
    """The mapping; none where a field that must be there was not found."""
    try:
        return LogMapping.model_validate(values)
    except ValidationError:
        return None
