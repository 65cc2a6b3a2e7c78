"""Whether the night that is expected has finished, and who is told if not: no Spark, seconds.

It takes no lock: a night that hangs holds it, and is told of all the same. Nobody else writes its
table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, replace
from datetime import UTC, datetime
from typing import Any

from churn_spark.config import AlertsConfig, ScheduleConfig
from churn_spark.contracts.tables import LATE_NIGHTS, RUNS
from churn_spark.errors import ConfigError, InputError
from churn_spark.lakehouse import native_rows
from churn_spark.lakehouse.arrow_schema import to_arrow
from churn_spark.lakehouse.location import storage_options
from churn_spark.monitoring.alerts.alerts import Notice
from churn_spark.monitoring.alerts.sinks import deliver
from churn_spark.monitoring.freshness.episodes import Episode, update_episode
from churn_spark.monitoring.freshness.lateness import Lateness, judge_nights
from churn_spark.pipeline.console import say, warn
from churn_spark.pipeline.tables_without_spark import find_root, open_at, read_newest_night
from churn_spark.pipeline.use_case import UseCase
from churn_spark.troubles import describe_trouble

USE_CASE = UseCase(
    "check_freshness",
    "whether the night that is expected has finished: for cron, without Spark; exits with 50 and "
    "notifies once if not",
    reads=(RUNS,),
    writes=(LATE_NIGHTS,),
)


def run(
    lakehouse: str, schedule: ScheduleConfig, alerts: AlertsConfig, now: datetime | None = None
) -> Lateness:
    """Look, say what was found, and notify where nights begin or cease to be late.

    Args:
        lakehouse: as configured.
        schedule: when nights are expected.
        alerts: who is notified.
        now: the instant; the present one where none is given.

    Raises:
        ConfigError: if no schedule is configured.
        InputError: if the lakehouse has no run of a job, or only Spark reaches it.
    """
    if schedule.hour is None:
        raise ConfigError(
            "found no schedule.expected_by, expected the hour by which a night has finished: set "
            "it in a file of conf/, or by --set schedule.expected_by=06:00"
        )
    root = find_root(lakehouse)
    runs = open_at(root, RUNS)
    if runs is None:
        raise InputError(
            f"found no table {RUNS.path} in {root}, expected a lakehouse in which a job has run: "
            "name it by LAKEHOUSE=dir, or make one by `make demo` or `make run`"
        )
    now = now or datetime.now(UTC)
    lateness = judge_nights(read_newest_night(runs, now), schedule, now)
    assert lateness is not None
    say(USE_CASE.name, lateness.describe())
    before = _read_open(root)
    episode, notice = update_episode(before, lateness, alerts)
    if episode is not None and (notice or episode != before):
        _tell_and_keep(root, episode, notice, alerts, now)
    return lateness


def _tell_and_keep(
    root: str, episode: Episode, notice: Notice | None, alerts: AlertsConfig, now: datetime
) -> None:
    """Notify first: a full disk may be why the night is late, and must not hide that it is."""
    if notice is not None:
        deliveries = deliver([notice], alerts)
        if not deliveries or any(one.arrived for one in deliveries):
            episode = episode.told(now)
        elif notice.change == "resolved":
            # Its end is due again at the next look, so it has not ended yet.
            episode = replace(episode, ended_ts=None)
    try:
        _write(root, episode)
    except Exception as error:
        told = describe_trouble(error) or f"{type(error).__name__}: {error}"
        short = " ".join(told.split())[:300]
        warn(f"it is told again at the next look, for {LATE_NIGHTS.path} can't be written: {short}")


def _read_open(root: str) -> Episode | None:
    """The time that has not ended; none where the table can't be read: it is told again then."""
    try:
        table = open_at(root, LATE_NIGHTS)
        rows = table.read({}, LATE_NIGHTS.column_names).to_pylist() if table else []
    except Exception as error:
        warn(f"{LATE_NIGHTS.path} can't be read: {type(error).__name__}")
        return None
    return newest_open(rows)


def newest_open(rows: Sequence[Mapping[str, Any]]) -> Episode | None:
    """The newest of the stored rows, if it has not ended."""
    newest = max((Episode(**row) for row in rows), key=lambda one: one.first_night, default=None)
    return newest if newest and newest.ended_ts is None else None


def _write(root: str, episode: Episode) -> None:
    rows = to_arrow([astuple(episode)], LATE_NIGHTS)
    native_rows.replace(
        f"{root}/{LATE_NIGHTS.path}",
        storage_options(root),
        rows,
        LATE_NIGHTS,
        {"first_night": [episode.first_night]},
    )
