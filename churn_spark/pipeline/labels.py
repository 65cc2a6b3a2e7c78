"""Snapshots and session days -> `labels` of some dates, and which dates have ripened."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date as Date
from typing import Final

import polars as pl

from churn_spark.config import LabelsConfig, LearningConfig
from churn_spark.contracts.tables import LABELS, SESSION_DAYS, SNAPSHOTS
from churn_spark.features.labels import build_labels, build_lapse_labels, build_silence_labels
from churn_spark.lakehouse.selection import Between, Where
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.timeline import Horizon

_ROWS_A_COMMIT: Final = 2_000_000
"""That are held at once: .2 GB."""


def write_labels(
    lakehouse: Lakehouse, dates: Collection[Date], config: LabelsConfig, known_by: Date
) -> None:
    """Replace the labels of the dates.

    Args:
        lakehouse: with the session days, and the snapshots of the dates.
        dates: as-of dates.
        config: window and gap of the labels, and what they say.
        known_by: all that happened before this date is known.
    """
    horizon = config.horizon
    for some in _parts(lakehouse, sorted(dates)):
        users = lakehouse.read_arrow(SNAPSHOTS, {"as_of": some}, ["as_of", "user_id"])
        population = pl.DataFrame(users)
        match config.churn:
            case "cancel":
                labels = _label_cancels(lakehouse, population, horizon, known_by)
            case "inactivity":
                labels = _label_silence(lakehouse, population, some, horizon, known_by)
            case "lapse":
                labels = _label_lapses(lakehouse, population, horizon, known_by)
        lakehouse.replace_rows(labels.to_arrow(), LABELS, {"as_of": some, **horizon_of(horizon)})


def _label_cancels(
    lakehouse: Lakehouse, users: pl.DataFrame, horizon: Horizon, known_by: Date
) -> pl.DataFrame:
    are_there: Where = {"cancel_ts": Between()}
    cancelled = lakehouse.read_arrow(SESSION_DAYS, are_there, ["user_id", "cancel_ts"])
    return build_labels(users, pl.DataFrame(cancelled), horizon, known_by)


def _label_silence(
    lakehouse: Lakehouse,
    users: pl.DataFrame,
    dates: Collection[Date],
    horizon: Horizon,
    known_by: Date,
) -> pl.DataFrame:
    """Two columns of the session days of all windows come to the driver."""
    window = Between(horizon.start(min(dates)), horizon.end(max(dates)))
    where: Where = {"event_date": window, "n_events": Between(1)}
    active = lakehouse.read_arrow(SESSION_DAYS, where, ["user_id", "event_date"])
    return build_silence_labels(users, pl.DataFrame(active), horizon, known_by)


def _label_lapses(
    lakehouse: Lakehouse, users: pl.DataFrame, horizon: Horizon, known_by: Date
) -> pl.DataFrame:
    tell_one: Where = {"subscribed_until_ts": Between()}
    columns = ["user_id", "event_date", "subscribed_until_ts", "subscription_seen"]
    told = lakehouse.read_arrow(SESSION_DAYS, tell_one, columns)
    return build_lapse_labels(users, pl.DataFrame(told), horizon, known_by)


def write_missing_labels(
    lakehouse: Lakehouse, dates: Collection[Date], config: LabelsConfig, known_by: Date
) -> None:
    """Write the labels of those dates that have none of the window.

    A date was labelled when its snapshot was built; where another window is configured since, only
    dates that are built anew get labels of it.

    Args:
        lakehouse: with the session days, and the snapshots of the dates.
        dates: as-of dates.
        config: window and gap of the labels, and what they say.
        known_by: all that happened before this date is known.
    """
    of_window = horizon_of(config.horizon)

    def has_none(day: Date) -> bool:
        return not lakehouse.count_rows(LABELS, {"as_of": [day], **of_window})

    if missing := [day for day in dates if has_none(day)]:
        write_labels(lakehouse, missing, config, known_by)


def find_unripe_dates(lakehouse: Lakehouse, horizon: Horizon, known_by: Date) -> list[Date]:
    """The as-of dates whose labels were not known when they were built, and are now."""
    newest_known = horizon.newest_known(known_by)
    # A label that isn't known is null: the log names the few dates that have such.
    with_nulls = lakehouse.partition_values(LABELS, "as_of", null_in="label")
    dates = [one for one in with_nulls if one <= newest_known]
    where: Where = {"as_of": dates, "is_known": [False], **horizon_of(horizon)}
    return sorted(set(lakehouse.read_rows(LABELS, where, ["as_of"])["as_of"]))


def count_gap_cancels(lakehouse: Lakehouse, dates: Collection[Date], config: LearningConfig) -> int:
    """Users of the dates who cancel before the window starts: neither learnt from nor judged."""
    where: Where = {"as_of": dates, "is_gap_cancel": [True], **horizon_of(config.labels.horizon)}
    return lakehouse.count_rows(LABELS, where)


def horizon_of(horizon: Horizon) -> dict[str, list[int]]:
    """The labels of one window and gap."""
    return {"horizon_days": [horizon.days], "gap_days": [horizon.gap_days]}


def _parts(lakehouse: Lakehouse, dates: list[Date]) -> Iterator[list[Date]]:
    part: list[Date] = []
    n_rows = 0
    for one in dates:
        n_users = lakehouse.count_rows(SNAPSHOTS, {"as_of": [one]})
        if part and n_rows + n_users > _ROWS_A_COMMIT:
            yield part
            part, n_rows = [], 0
        part.append(one)
        n_rows += n_users
    yield part
