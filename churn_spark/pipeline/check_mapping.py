"""Some rows of a log and a mapping -> what is found, what is read of it and what won't work.

Where there is no mapping one is proposed. Nothing is written but that, and no Spark is started.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from glob import glob
from pathlib import Path
from typing import Any, Final

import polars as pl
import yaml
from pydantic import ValidationError

from churn_spark.config import IngestConfig, LogMapping
from churn_spark.errors import DamagedFileError, InputError
from churn_spark.events.block import Block, read_block
from churn_spark.events.files import JSON_ENDINGS, is_hidden
from churn_spark.events.foreign.columns import columns_by_field
from churn_spark.events.foreign.found import ColumnFacts, find_columns
from churn_spark.events.foreign.kinds import ENDINGS, Kind
from churn_spark.events.foreign.lacking import describe_lacks, told_fields
from churn_spark.events.foreign.moments import millis_reader
from churn_spark.events.foreign.profile import is_file_of
from churn_spark.events.foreign.propose import propose_mapping
from churn_spark.events.foreign.sample import Sample, read_sample
from churn_spark.wording import count_of

_SHOWN: Final = 10
_MAX_FILES: Final = 10
"""That are looked into, from the first to the last: what is rare is on some days only."""


@dataclass(frozen=True)
class MappingCheck:
    """What is known of a log after a look at its first rows.

    Attributes:
        paths: of the files that were looked into.
        n_files: at the location.
        kind: of the files.
        columns: what is in them.
        proposed: the mapping as a file has it, where there was none.
        mapping: that was given, or the proposed one if it is whole.
        block: what becomes of the rows by it.
        churn: what it is, as `labels.churn`.
    """

    paths: Sequence[Path]
    n_files: int
    kind: Kind
    columns: Mapping[str, ColumnFacts]
    proposed: str | None
    mapping: LogMapping | None
    block: Block | None
    churn: str


def run(config: IngestConfig, events: str, n_rows: int, churn: str = "cancel") -> MappingCheck:
    """Look at the first rows of some files.

    Args:
        config: of the ingest, with the mapping if there is one.
        events: folder, file or glob, on this machine.
        n_rows: about so many, of all files together.
        churn: what it is, as `labels.churn`.

    Raises:
        InputError: if there is no file, or its rows can't be read.
    """
    files = _find_files(events, config.mapping)
    paths = files[:: -(-len(files) // _MAX_FILES)]
    samples = [_read(path, config, -(-n_rows // len(paths))) for path in paths]
    columns = find_columns(record for sample in samples for record in sample.records())
    if not columns:
        raise InputError(
            f"found no row with columns in {paths[0]}, expected JSON objects, cells under names, "
            "or Parquet"
        )
    proposed = None
    if config.mapping is None:
        values = _propose(samples[0], columns)
        config = _with_proposal(config, values, columns)
        proposed = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
    block = None
    if config.mapping:
        block = _sum([read_block(one.data, config, 1, rows=one.cells) for one in samples])
    return MappingCheck(
        paths, len(files), samples[0].kind, columns, proposed, config.mapping, block, churn
    )


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
    yield from describe_lacks(check.mapping, events["page"].unique().to_list(), check.churn)
    if check.mapping.profile and not check.mapping.registration:
        n_known = events.filter(pl.col("registered_ts").is_not_null()).height
        yield f"the profile tells the registration of {n_known:,} of {events.height:,} events"


def shown_rows(check: MappingCheck) -> Sequence[Mapping[str, Any]]:
    """The first events, as they would be kept."""
    assert check.block
    assert check.mapping
    names: tuple[str, ...] = (
        "event_ts",
        "user_id",
        "session_id",
        "page",
        "level",
        "registered_ts",
        "song_seconds",
    )
    if "subscribed_until" in told_fields(check.mapping):
        names = (*names, "subscribed_until_ts")
    rows = check.block.events.head(_SHOWN).select(names)
    return rows.with_columns(
        # Where the log has no sessions, visits are cut later.
        pl.when(pl.col("session_id") >= 0).then("session_id").alias("session_id"),
        pl.col("event_ts").dt.to_string("%F %T"),
        pl.col("^(registered|subscribed_until)_ts$").dt.to_string("%F"),
    ).to_dicts()


def _read(path: Path, config: IngestConfig, n_rows: int) -> Sample:
    try:
        return read_sample(path, config.mapping, n_rows)
    except (DamagedFileError, OSError) as error:
        raise InputError(f"{path} can't be read: {error}; expected a file that is whole") from error


def _sum(blocks: Sequence[Block]) -> Block:
    """All of them together."""
    counts: Counter[str] = Counter()
    for block in blocks:
        counts.update(block.counts)
    return Block(
        pl.concat([block.events for block in blocks]),
        pl.concat([block.rejected for block in blocks]),
        counts,
    )


def _find_files(events: str, mapping: LogMapping | None) -> list[Path]:
    """The logs of a location, as the ingest finds them."""
    place = Path(events)
    if place.exists():
        found = {*_logs_of(place)}
    else:
        # A glob may be absolute, which `Path.glob` refuses.
        matches = [Path(one) for one in glob(events)]  # noqa: PTH207
        found = {one for match in matches if not is_hidden(match.name) for one in _logs_of(match)}
    files = sorted(one for one in found if one.is_file() and one.stat().st_size)
    if mapping and (profile := mapping.profile):
        files = [one for one in files if not is_file_of(profile, str(one))]
    if not files:
        raise InputError(
            f"found no event file at {events}, expected a folder, a file or a glob on this "
            "machine: JSON, CSV or Parquet"
        )
    return files


def _logs_of(place: Path) -> Iterator[Path]:
    """A file; of a folder those whose names end as a log does, and that no program hides."""
    if not place.is_dir():
        yield place
        return
    for one in place.rglob("*"):
        is_shown = not any(map(is_hidden, one.relative_to(place).parts))
        if is_shown and one.name.endswith((*JSON_ENDINGS, *ENDINGS)):
            yield one


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


def _with_proposal(
    config: IngestConfig, values: dict[str, Any], columns: Mapping[str, ColumnFacts]
) -> IngestConfig:
    """The configuration with the mapping; without where a field that must be there is missing.

    Settings that the log needs are added to the proposal.
    """
    try:
        mapping = LogMapping.model_validate(values)
    except ValidationError:
        return config
    read = millis_reader(mapping.time)
    moments = [read(one) for name in mapping.time.column for one in columns[name].values]
    earliest = min(filter(None, map(_date_of, moments)), default=None)
    if earliest is None or earliest >= config.earliest:
        return config.model_copy(update={"mapping": mapping})
    earliest = earliest.replace(month=1, day=1)
    values["settings"] = {"ingest": {"earliest": earliest}}
    return config.model_copy(update={"mapping": mapping, "earliest": earliest})


def _date_of(millis: object) -> date | None:
    """The date of a moment; None of what is no moment, or one before or after all dates."""
    if not isinstance(millis, int | float):
        return None
    try:
        return datetime.fromtimestamp(millis / 1000, tz=UTC).date()
    except (OverflowError, ValueError):
        return None
