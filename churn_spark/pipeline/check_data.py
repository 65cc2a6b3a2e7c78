"""Facts of days and a snapshot -> `data_checks`: whether the night may be judged at all."""

from __future__ import annotations

from collections.abc import Sequence
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
from churn_spark.models.bundle import ModelBundle
from churn_spark.models.registry import ModelRegistry
from churn_spark.monitoring.data_quality.checks import (
    CheckResult,
    ColumnFacts,
    check_population,
    excuse,
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
from churn_spark.stores.checks import write_checks
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
    the night of the first training has none, run again or not. What differs from these and not
    from the users of the night on which it was trained is how the log was then: a young log's
    first weeks are unlike all that come.

    Raises:
        MissingTableError: if the night has no snapshot.
    """
    with USE_CASE.start(lakehouse) as facts:
        date = night.date
        days = read_event_days(lakehouse)
        batches = {int(batch) for batch in days.batches(checked_day(date))}
        n_rejected = lakehouse.count_rows(QUARANTINE, {"ingest_batch": batches})
        n_bytes, misdated = measure_files(lakehouse, batches), read_misdated(lakehouse, night)
        feed = measure_feed(days, n_rejected, night.log.span.start, date, n_bytes, misdated)
        n_users = count_users(lakehouse, date)
        bundle = read_reference(registry, night) if n_users else None
        users = (
            read_snapshot_facts(read_as_of(lakehouse, SNAPSHOTS, date), bundle) if bundle else []
        )
        found = run_checks(feed, [*measure_events(days, date), *users], config)
        if bundle and failed_checks(found):
            trained = registry.trained_as_of(bundle.version)
            usual = read_since(lakehouse, night, trained, bundle, users)
            found = excuse(found, usual, config)
        results = (check_population(n_users), *found)
        write_checks(lakehouse, date, results)
        n_passed = len(results) - len(failed_checks(results))
        facts.append(f"{n_passed} of {len(results)} checks passed")
        facts.extend(check.sentence for check in results if not check.passed)
    return results


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


def read_reference(registry: ModelRegistry, night: Night) -> ModelBundle | None:
    """The champion that was there before the night, if it knows the columns as they are today."""
    version = night.champion
    if version is None or registry.trained_as_of(version) >= night.date:
        return None
    bundle = registry.load(version)
    return bundle if bundle.knows_definitions else None


def read_since(
    lakehouse: Lakehouse, night: Night, day: Date, bundle: ModelBundle, users: Sequence[ColumnFacts]
) -> list[ColumnFacts]:
    """Counts of tonight's users against those of an earlier night.

    Nothing where that one was held, or has no users.
    """
    if day in night.log.failed or not lakehouse.count_rows(SNAPSHOTS, {"as_of": [day]}):
        return []
    facts = read_snapshot_facts(read_as_of(lakehouse, SNAPSHOTS, day), bundle)
    then = {one.column: one for one in facts}
    return [now.since(then[now.column]) for now in users]


def count_users(lakehouse: Lakehouse, date: Date) -> int:
    """The users in the snapshot of a date; it may have been built and have none.

    Raises:
        MissingTableError: if it wasn't built.
    """
    of_date: Where = {"as_of": [date]}
    if lakehouse.count_rows(BUILT_DATES, of_date) or not lakehouse.is_native:
        return lakehouse.count_rows(SNAPSHOTS, of_date)
    return require_rows(lakehouse, SNAPSHOTS, of_date, date)
