"""Facts of days and a snapshot -> `data_checks`: whether the night may be judged at all."""

from __future__ import annotations

from datetime import date as Date

from churn_spark.config import ChecksConfig
from churn_spark.contracts.places import AT_EDGE, OUT_OF_PLACE
from churn_spark.contracts.tables import (
    BUILT_DATES,
    DATA_CHECKS,
    DECISIONS,
    EVENT_DAYS,
    FILES,
    LOG_DATES,
    QUARANTINE,
    SESSION_DAYS,
    SNAPSHOTS,
)
from churn_spark.lakehouse.selection import Where
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.lakehouse.user_rows import read_as_of, require_rows
from churn_spark.models.registry import ModelRegistry
from churn_spark.monitoring.data_quality.checks import (
    CheckResult,
    check_population,
    failed_checks,
    run_checks,
)
from churn_spark.monitoring.data_quality.event_days import (
    checked_day,
    measure_events,
    measure_feed,
)
from churn_spark.monitoring.frames.snapshot_facts import read_snapshot_facts
from churn_spark.pipeline.gather import Night, read_night
from churn_spark.pipeline.use_case import UseCase
from churn_spark.stores.checks import read_failed_nights, write_checks
from churn_spark.stores.event_days import read_event_days
from churn_spark.stores.files import measure_files

USE_CASE = UseCase(
    "check_data",
    "volume, freshness, dates, nulls, zeros, new values; a failed check holds the night",
    reads=(EVENT_DAYS, QUARANTINE, SESSION_DAYS, SNAPSHOTS),
    writes=(DATA_CHECKS,),
    takes=("the champion",),
    reads_if_there=(DECISIONS, FILES, LOG_DATES, BUILT_DATES),
)


def run(
    lakehouse: Lakehouse, registry: ModelRegistry, date: Date, config: ChecksConfig
) -> tuple[CheckResult, ...]:
    """Replace the checks of a date; returns them.

    Raises:
        MissingTableError: if a table is missing, or the date has no snapshot.
    """
    USE_CASE.check_inputs(lakehouse)
    return check_night(lakehouse, registry, read_night(lakehouse, registry, date), config)


def check_night(
    lakehouse: Lakehouse, registry: ModelRegistry, night: Night, config: ChecksConfig
) -> tuple[CheckResult, ...]:
    """Replace the checks of the night; returns them.

    The snapshot's columns are held against the rows of a model that was there before the night:
    the night of the first training has none, run again or not.

    Raises:
        MissingTableError: if the night has no snapshot.
    """
    with USE_CASE.start(lakehouse) as facts:
        date, version = night.date, night.champion
        days = read_event_days(lakehouse)
        batches = {int(batch) for batch in days.batches(checked_day(date))}
        n_rejected = lakehouse.count_rows(QUARANTINE, {"ingest_batch": batches})
        n_bytes, misdated = measure_files(lakehouse, batches), read_misdated(lakehouse, night)
        start = night.log.span.start
        feed = measure_feed(days, n_rejected, start, date, n_bytes, misdated, config.is_holiday)
        columns = measure_events(days, date)
        n_users = count_users(lakehouse, date)
        if n_users and version is not None and registry.trained_as_of(version) < date:
            bundle = registry.load(version)
            # Columns that are defined otherwise today say nothing beside its training rows.
            if bundle.knows_definitions:
                newest = newest_sound_date(lakehouse, date)
                before = read_as_of(lakehouse, SNAPSHOTS, newest) if newest else None
                tonight = read_as_of(lakehouse, SNAPSHOTS, date)
                columns += read_snapshot_facts(tonight, bundle, before)
        results = (check_population(n_users), *run_checks(feed, columns, config))
        write_checks(lakehouse, date, results)
        n_passed = len(results) - len(failed_checks(results))
        facts.append(f"{n_passed} of {len(results)} checks passed")
        facts.extend(check.sentence for check in results if not check.passed)
    return results


def newest_sound_date(lakehouse: Lakehouse, date: Date) -> Date | None:
    """The newest date before a night whose snapshot failed no check, however long ago.

    A feed that stays broken doesn't become what is usual: its own nights are no measure.
    """
    failed = read_failed_nights(lakehouse)
    built = lakehouse.partition_values(SNAPSHOTS, "as_of")
    return max((day for day in built if day < date and day not in failed), default=None)


def read_misdated(lakehouse: Lakehouse, night: Night) -> list[Date]:
    """The dates of events that are set aside, or that lie a day after the night and the log."""
    end = max(night.date, night.log.span.end)
    where: Where = {"place": [OUT_OF_PLACE, AT_EDGE]}
    rows = lakehouse.read_rows(LOG_DATES, where, ["event_date", "place"])
    return [
        day
        for day, place in rows.itertuples(index=False, name=None)
        if place == OUT_OF_PLACE or day > end
    ]


def count_users(lakehouse: Lakehouse, date: Date) -> int:
    """The users in the snapshot of a date; it may have been built and have none.

    Raises:
        MissingTableError: if it wasn't built.
    """
    of_date: Where = {"as_of": [date]}
    if lakehouse.count_rows(BUILT_DATES, of_date) or not lakehouse.is_native:
        return lakehouse.count_rows(SNAPSHOTS, of_date)
    return require_rows(lakehouse, SNAPSHOTS, of_date, date)
