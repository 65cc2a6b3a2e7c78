"""The night as a Polars script: `python -m bench.peers.with_polars EVENTS OUT NIGHT DATE...`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import polars as pl

from bench.peers.shared import (
    LISTENED_DAYS,
    PAGES,
    TOTALS,
    WINDOWS,
    Stopwatch,
    Task,
    finish,
)
from churn_spark.events.rules import BROWSER_RULES, OS_RULES, OTHER
from churn_spark.timeline import day_start_millis

_LOG: Final = {
    "ts": pl.Int64, "userId": pl.String, "sessionId": pl.Int64, "page": pl.String,
    "auth": pl.String, "level": pl.String, "itemInSession": pl.Int64, "location": pl.String,
    "userAgent": pl.String, "registration": pl.Float64, "gender": pl.String, "length": pl.Float64,
}  # fmt: skip
_PROFILE: Final = ("level", "gender", "location", "agent", "registration")
_SUMMED: Final = sorted({*TOTALS.values(), *WINDOWS, "listened"})


def ingest(task: Task) -> Path:
    """Write the log as Parquet, a folder a date; returns the folder."""
    state = pl.col("location").str.split(",").list.last().str.strip_chars()
    state = state.str.split("-").list.first().str.strip_chars()
    place = pl.col("itemInSession").fill_null(0).clip(upper_bound=999_999)
    folder = task.out / "events"
    events = (
        pl.scan_ndjson(task.events, schema=_LOG)
        .filter(pl.col("userId").str.strip_chars() != "")
        .select(
            pl.col("userId").alias("user_id"),
            pl.col("sessionId").alias("session_id"),
            *("ts", "page", "level", "length", "gender"),
            (pl.col("auth") == "Logged In").alias("is_in"),
            _unless_empty(pl.col("userAgent").str.strip_chars()).alias("agent"),
            _unless_empty(state).alias("location"),
            pl.col("registration").cast(pl.Int64),
            (pl.col("ts") * 1_000_000 + place).alias("seen"),
            pl.from_epoch("ts", time_unit="ms").dt.date().alias("event_date"),
        )
    )
    by_date = pl.PartitionBy(folder, key="event_date", include_key=False)
    events.sink_parquet(by_date, compression="snappy", maintain_order=False, mkdir=True)
    return folder


def build_user_days(folder: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A row per user and day, and the users who have cancelled."""
    log = pl.scan_parquet(folder / "*" / "*.parquet", hive_partitioning=True)
    page, is_in = pl.col("page"), pl.col("is_in")
    micros = (pl.col("length") * 1e6).round().cast(pl.Int64)
    opened = (
        log.filter(is_in)
        .group_by("user_id", "session_id")
        .agg(pl.col("event_date").min())
        .group_by("user_id", "event_date")
        .agg(pl.len().cast(pl.Int64).alias("sessions"))
    )
    days = log.group_by("user_id", "event_date").agg(
        *[(is_in & (page == name)).sum().cast(pl.Int64).alias(n) for n, name in PAGES.items()],
        *[_newest(name, "seen", is_in) for name in _PROFILE],
        micros.filter(is_in & (page == PAGES["songs"])).sum().alias("listened"),
        is_in.sum().alias("n_events"),
        pl.col("ts").filter(is_in & (page != "Cancel")).max().alias("last_ts"),
        pl.col("ts").filter(page == "Cancellation Confirmation").min().alias("cancel_ts"),
    )
    with_sessions = days.join(opened, on=["user_id", "event_date"], how="left").with_columns(
        pl.col("sessions").fill_null(0),
        pl.col("last_ts").is_not_null().cast(pl.Int64).alias("active_days"),
    )
    user_days = with_sessions.collect(engine="streaming")
    cancelled = (
        user_days.group_by("user_id")
        .agg(pl.from_epoch(pl.col("cancel_ts").min(), time_unit="ms").dt.date())
        .drop_nulls()
        .rename({"cancel_ts": "cancel_date"})
    )
    return user_days, cancelled


def build_features(user_days: pl.DataFrame, cancelled: pl.DataFrame, task: Task) -> pl.DataFrame:
    """A row per as-of date and user alive on it, from the days before, with the label."""
    days, left = user_days.lazy(), cancelled.lazy()
    return pl.concat(pl.collect_all([_features_of(days, left, task, day) for day in task.dates]))


def _features_of(days: pl.LazyFrame, left: pl.LazyFrame, task: Task, day: date) -> pl.LazyFrame:
    event_date, cancelled = pl.col("event_date"), pl.col("cancel_date")
    midnight = day_start_millis(day)
    windows = {(name, n) for name, of_name in WINDOWS.items() for n in of_name}
    windows |= {("listened", n) for n in LISTENED_DAYS}
    past = (
        days.filter(event_date < day)
        .group_by("user_id")
        .agg(
            pl.col(_SUMMED).sum(),
            *[
                pl.col(name).filter(event_date >= day - timedelta(n)).sum().alias(f"{name}_{n}d")
                for name, n in sorted(windows)
            ],
            *[_newest(name, "event_date") for name in _PROFILE],
            pl.col("last_ts").max(),
            event_date.filter(pl.col("n_events") > 0).max().alias("last_active"),
        )
    )
    sessions = pl.col("sessions")
    return (
        past.join(left, on="user_id", how="left")
        .filter(pl.col("last_active") >= day - timedelta(task.active_days))
        .filter(cancelled.is_null() | (cancelled >= day))
        .sort("user_id")
        .select(
            pl.lit(day).alias("as_of"),
            *("user_id", "gender", "location"),
            *[pl.col(column).alias(name) for name, column in TOTALS.items()],
            *[f"{name}_{n}d" for name, n in sorted(windows) if name != "listened"],
            *[
                (pl.col(f"listened_{n}d") / 3.6e9).alias(f"listen_hours_{n}d")
                for n in LISTENED_DAYS
            ],
            ((midnight - pl.col("registration")) / 86_400_000).alias("tenure_days"),
            ((midnight - pl.col("last_ts")) / 3_600_000).alias("hours_since_last_event"),
            (pl.col("listened") / 1e6).alias("total_listen_time"),
            pl.col("level").alias("last_subscription_level"),
            pl.when(sessions > 0).then(pl.col("songs") / sessions).alias("avg_songs_per_session"),
            _first_match(OS_RULES).alias("os"),
            _first_match(BROWSER_RULES).alias("browser"),
            pl.when(cancelled.is_null() | (cancelled >= day + timedelta(task.end_days)))
            .then(0)
            .when(cancelled >= day + timedelta(task.gap_days))
            .then(1)
            .alias("label"),
        )
    )


def _newest(name: str, by: str, among: pl.Expr | None = None) -> pl.Expr:
    has_value = pl.col(name).is_not_null()
    kept = has_value if among is None else has_value & among
    return pl.col(name).filter(kept).sort_by(pl.col(by).filter(kept)).last().alias(name)


def _unless_empty(text: pl.Expr) -> pl.Expr:
    return pl.when(text != "").then(text)


def _first_match(rules: Sequence[tuple[str, str]]) -> pl.Expr:
    found = pl.lit(OTHER)
    for mark, name in reversed(rules):
        is_it = pl.col("agent").str.contains(mark, literal=True)
        found = pl.when(is_it).then(pl.lit(name)).otherwise(found)
    return pl.when(pl.col("agent").is_not_null()).then(found)


def main(arguments: Sequence[str]) -> None:
    """Do it all and print what each stage took."""
    task, watch = Task.of_arguments(arguments), Stopwatch()
    with watch.stage("ingest"):
        folder = ingest(task)
    with watch.stage("user days"):
        user_days, cancelled = build_user_days(folder)
    with watch.stage("features"):
        features = build_features(user_days, cancelled, task).to_pandas()
        features.to_parquet(task.out / "features.parquet", index=False)
    finish(task, features, watch)


if __name__ == "__main__":
    main(sys.argv[1:])
