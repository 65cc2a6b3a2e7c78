"""The lakehouse kept from growing by mere age: small files joined, what is of long ago removed."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import date as Date
from typing import Final

from churn_spark.config import MaintenanceConfig, TuningConfig
from churn_spark.contracts.tables import (
    ALERTS,
    DATA_CHECKS,
    DRIFT,
    DRIFT_CELLS,
    EVENT_DAYS,
    EVENTS,
    PERFORMANCE,
    RUNS,
    SESSION_DAYS,
    TABLES,
    TRANSITIONS,
    TableSpec,
)
from churn_spark.lakehouse.location import require_writable
from churn_spark.lakehouse.selection import Between
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.lakehouse.touched_dates import find_touched_dates
from churn_spark.lakehouse.upkeep import join_small_files, keep_log, remove_old_files
from churn_spark.models.registry import ModelRegistry
from churn_spark.pipeline import ingest_batch
from churn_spark.pipeline.forget_backtests import forget_backtests
from churn_spark.pipeline.forget_models import forget_models, named_versions
from churn_spark.pipeline.forget_searches import forget_searches
from churn_spark.pipeline.quarantine import utc_today
from churn_spark.pipeline.use_case import UseCase
from churn_spark.stores.checks import read_failed_nights
from churn_spark.timeline import days_after
from churn_spark.wording import count_of

REMOVED: Final = "files, rows, models, backtests and searches of long ago removed"
USE_CASE = UseCase(
    "maintain_tables",
    f"small files joined, and {REMOVED}; the same rows as before. A night does it every "
    "`maintenance.every_days`",
    takes=("all tables", "MLflow"),
    leaves=("all tables", "MLflow"),
)
_DONE: Final = "_checkpoints/maintain_tables.json"
_BUILT: Final = (SESSION_DAYS, TRANSITIONS, EVENT_DAYS)
"""What is built of the events' changes since the last time."""
_NOTED_BY_FILE: Final = (SESSION_DAYS, TRANSITIONS)
"""Snapshots, labels and kept totals note the files of these that they were made of: under another
name each would count as changed. They don't pile up, as a date that is rebuilt replaces its own."""
_OF_NIGHTS: Final = (DATA_CHECKS, DRIFT_CELLS, DRIFT, PERFORMANCE, ALERTS)
"""What nights have found; what they have decided stays, for it is decided again by `replay`."""


def run(
    lakehouse: Lakehouse, registry: ModelRegistry, config: MaintenanceConfig, tuning: TuningConfig
) -> None:
    """Maintain the lakehouse now, as of its newest sound night.

    One that was held may have been mistyped: as of 2031 all would be of long ago.

    Args:
        lakehouse: with the tables.
        registry: with the models, and the runs of all that was logged.
        config: what of the past is kept.
        tuning: where the trials of searches are.
    """
    held = read_failed_nights(lakehouse)
    nights = [day for day in lakehouse.partition_values(DATA_CHECKS, "run_date") if day not in held]
    _maintain(lakehouse, registry, config, tuning, nights[-1] if nights else None)


def run_if_due(
    lakehouse: Lakehouse,
    registry: ModelRegistry,
    config: MaintenanceConfig,
    tuning: TuningConfig,
    night: Date,
) -> None:
    """Maintain the lakehouse on a night, if the last time is `maintenance.every_days` ago.

    Between the rollups, which have read all changes of the events, and the first training, which
    notes their version: a night that is done again finds the same one.
    """
    if not config.every_days:
        return
    due = find_due(lakehouse, config)
    if due is None:
        # A lakehouse that has just been made needs none.
        _note_done(lakehouse, night)
    elif night >= due:
        _maintain(lakehouse, registry, config, tuning, night)


def find_due(lakehouse: Lakehouse, config: MaintenanceConfig) -> Date | None:
    """The first night that does it; none where none does, or before one has noted its date."""
    last = _last_done(lakehouse)
    return days_after(last, config.every_days) if last and config.every_days else None


def plan(lakehouse: Lakehouse, config: MaintenanceConfig) -> str:
    """When it was done last, and how many files would be joined, in words; nothing is."""
    last, due = _last_done(lakehouse), find_due(lakehouse, config)
    parts = [f"last done as of {last}" if last else "not done so far"]
    if due:
        parts.append(f"the first night from {due} on does it")
    unread = _unread_tables(lakehouse)
    parts.append(f"small files to be joined: {_describe_small(lakehouse, config, unread)}")
    parts.append(REMOVED)
    return "; ".join([*parts, *_left(unread)])


def _describe_small(
    lakehouse: Lakehouse, config: MaintenanceConfig, unread: Collection[TableSpec]
) -> str:
    if not lakehouse.is_native:
        return "as Spark finds them"
    found = {
        spec: lakehouse.small_files(spec, config.small_file_bytes, config.min_small_files)
        for spec in TABLES
        if spec not in unread and spec not in _NOTED_BY_FILE
    }
    told = [f"{sum(small.values()):,} in {spec.path}" for spec, small in found.items() if small]
    return ", ".join(told) or "none"


def _last_done(lakehouse: Lakehouse) -> Date | None:
    told = lakehouse.files.read(_DONE)
    return Date.fromisoformat(json.loads(told)["night"]) if told else None


def _maintain(
    lakehouse: Lakehouse,
    registry: ModelRegistry,
    config: MaintenanceConfig,
    tuning: TuningConfig,
    night: Date | None,
) -> None:
    with USE_CASE.start(lakehouse) as facts:
        if lakehouse.native_root is not None:
            require_writable(lakehouse.native_root)
        if night is not None:
            removed = _remove_rows(lakehouse, night, config.keep_rows_days)
            if removed:
                facts.append(f"{count_of(removed, 'date')} of findings removed")
            facts.extend(_forget_runs(lakehouse, registry, config, tuning, night))
        named = named_versions(lakehouse, registry, night, config.keep_named_days)
        facts.extend(_tidy_files(lakehouse, config, named))
        if night is not None:
            _note_done(lakehouse, night)


def _note_done(lakehouse: Lakehouse, night: Date) -> None:
    lakehouse.files.exchange(_DONE, json.dumps({"night": str(night)}).encode())


def _remove_rows(lakehouse: Lakehouse, night: Date, keep_days: int) -> int:
    """Remove what nights before the last so many days have found; returns how many dates of it."""
    first, removed = days_after(night, -keep_days), 0
    for spec in _OF_NIGHTS:
        dates = lakehouse.partition_values(spec, "run_date")
        if expired := [one for one in dates if one < first]:
            lakehouse.replace_rows([], spec, {"run_date": expired})
            removed += len(expired)
    # Runs are told apart by the clock: a night may be of a log of long ago.
    old_runs = {"run_id": Between(last=f"{days_after(utc_today(), -keep_days):%Y%m%d}")}
    if lakehouse.count_rows(RUNS, old_runs):
        lakehouse.delete_rows(RUNS, old_runs)
    return removed


def _forget_runs(
    lakehouse: Lakehouse,
    registry: ModelRegistry,
    config: MaintenanceConfig,
    tuning: TuningConfig,
    night: Date,
) -> list[str]:
    """Forget old models, backtests and searches; returns what was done, in words."""
    days = config.keep_models_days
    runs = forget_models(lakehouse, registry, night, days)
    backtests = forget_backtests(lakehouse, registry, night, days)
    # A search is needed for as long as the model that it has led to.
    searches = forget_searches(lakehouse, registry, tuning, night, days)
    counted = {
        f"{count_of(runs, 'run')} of old models": runs,
        count_of(backtests, "old backtest"): backtests,
        count_of(searches, "old search", "old searches"): searches,
    }
    return [f"{what} forgotten" for what, n in counted.items() if n]


def _tidy_files(
    lakehouse: Lakehouse, config: MaintenanceConfig, named: Mapping[TableSpec, Collection[int]]
) -> list[str]:
    """Join small files and remove old ones, table by table; returns what was done, in words."""
    joined = removed = 0
    unread = _unread_tables(lakehouse)
    for spec in TABLES:
        if spec in unread or not lakehouse.exists(spec):
            continue
        if spec not in _NOTED_BY_FILE:
            joined += join_small_files(
                lakehouse, spec, config.min_small_files, config.small_file_bytes
            )
        versions = named.get(spec, ())
        days = max(config.keep_days, config.keep_named_days if spec in named else 0)
        keep_log(lakehouse, spec, days)
        removed += remove_old_files(lakehouse, spec, config.keep_days, versions, days)
    done = [f"small files joined: {joined:,} fewer", f"{count_of(removed, 'old file')} removed"]
    return [*done, *_left(unread)]


def _left(unread: Collection[TableSpec]) -> list[str]:
    named = ", ".join(spec.path for spec in unread)
    return [f"left for the next time, as it is still to be read: {named}"] if unread else []


def _unread_tables(lakehouse: Lakehouse) -> list[TableSpec]:
    """Tables with files that somebody is still to read or to commit."""
    if ingest_batch.read_pending(lakehouse) is not None:
        return [*ingest_batch.TABLES]
    if not lakehouse.exists(EVENTS):
        return []
    version = lakehouse.version(EVENTS)
    built = [spec for spec in _BUILT if lakehouse.exists(spec)]
    behind = any(find_touched_dates(lakehouse, spec, version).dates for spec in built)
    return [EVENTS] if behind else []
