"""When a user comes, and how long the pauses are."""

from __future__ import annotations

from churn_spark.contracts.features.activity.families import number, share
from churn_spark.contracts.features.feature import LogFeature
from churn_spark.contracts.features.formulas import (
    GapSpread,
    HoursSince,
    LongestGap,
    Ratio,
    RelativeGap,
)

RHYTHM: tuple[LogFeature, ...] = (
    number(
        "hours_since_last_event",
        HoursSince("last_ts"),
        "time since the newest event",
        "hours",
        "was last active {value} hours ago (median: {typical})",
    ),
    number(
        "mean_gap_days",
        Ratio("gap_days", "n_gaps"),
        "mean days between active dates",
        "days",
        "is active every {value} days (median: {typical})",
    ),
    number(
        "gap_spread_days",
        GapSpread(),
        "standard deviation of the days between active dates",
        "days",
        "pauses vary by {value} days (median: {typical})",
    ),
    number(
        "longest_gap_days",
        LongestGap(),
        "longest pause between active dates",
        "days",
        "paused for {value} days at most (median: {typical})",
    ),
    number(
        "relative_gap",
        RelativeGap(),
        "time since the newest event / (mean pause between active dates + 1 day)",
        "times",
        "the current pause is {value} times the usual one (median: {typical})",
    ),
    share(
        "weekend_share",
        Ratio("n_weekend_sessions", "n_sessions", prior=0.2, prior_weight=5.0),
        "share of sessions that start on a weekend, smoothed towards the average",
        "visits on a weekend in {value} of cases (median: {typical})",
    ),
    share(
        "morning_share",
        Ratio("n_morning_sessions", "n_sessions", prior=0.25, prior_weight=5.0),
        "share of sessions from 4:00 to 12:00 UTC, smoothed towards the average",
        "visits from 4:00 to 12:00 UTC in {value} of cases (median: {typical})",
    ),
    share(
        "evening_share",
        Ratio("n_evening_sessions", "n_sessions", prior=0.35, prior_weight=5.0),
        "share of sessions from 20:00 to 4:00 UTC, smoothed towards the average",
        "visits from 20:00 to 4:00 UTC in {value} of cases (median: {typical})",
    ),
)
