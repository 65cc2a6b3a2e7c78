"""In which direction a user moves."""

from __future__ import annotations

from churn_spark.contracts.features.activity.families import number
from churn_spark.contracts.features.feature import LogFeature
from churn_spark.contracts.features.formulas import (
    OwnPace,
    PauseSurvival,
    Silence,
    Slope,
    Slowdown,
    Spread,
    Surprise,
    Trend,
    Week,
)


def _movements(name: str, source: str, unit: str) -> tuple[LogFeature, ...]:
    """How a weekly count has moved in the last four weeks."""
    return (
        number(
            f"{name}_trend",
            Trend(source),
            f"({unit} in the last week + 1) / (weekly mean of the three weeks before + 1)",
            "times",
            f"had {{value}} times as many {unit} as in the weeks before (median: {{typical}})",
        ),
        number(
            f"{name}_slope",
            Slope(source),
            f"trend of the weekly {unit} over the last four weeks (least-squares slope)",
            f"{unit}/week",
            f"has {{value}} {unit} more each week (median: {{typical}})",
        ),
        number(
            f"{name}_spread",
            Spread(source),
            f"variation of the weekly {unit} over four weeks: standard deviation / (mean + 1)",
            "times",
            f"weekly {unit} vary by {{value}} times their mean (median: {{typical}})",
        ),
        *(
            LogFeature(
                f"{name}_week_{week}",
                "long",
                f"{unit} in week {week} before the date",
                unit,
                f"had {{value}} {unit} {week} weeks ago (median: {{typical}})",
                formula=Week(source, week),
            )
            for week in (2, 3, 4)
        ),
    )


def _surprise(days: int) -> LogFeature:
    """How far the last days are from what the days before them promise."""
    return number(
        f"sessions_surprise_{days}d",
        Surprise("n_sessions", days, prior=0.2, prior_weight=7.0),
        f"sessions in the last {days} days minus those expected from the user's earlier rate, in "
        "standard deviations",
        "deviations",
        f"visited {{value}} standard deviations more than expected in {days} days "
        "(median: {typical})",
    )


def _own_pace(days: int) -> LogFeature:
    """How often a user comes, against the same user before."""
    return number(
        f"own_pace_{days}d",
        OwnPace("n_sessions", days, prior=0.2, prior_weight=7.0),
        f"(sessions in the last {days} days + 1) / (sessions expected from the user's earlier "
        "rate + 1)",
        "times",
        f"visited {{value}} times as often in {days} days as before (median: {{typical}})",
    )


def _slowdown(days: int) -> LogFeature:
    """How well pauses twice as long explain the last days."""
    return number(
        f"slowdown_{days}d",
        Slowdown("n_sessions", days, prior=0.2, prior_weight=7.0),
        f"log-likelihood ratio: pauses twice as long during the last {days} days against "
        "unchanged pauses",
        "nats",
        f"signs of longer pauses for {days} days: {{value}} (median: {{typical}})",
    )


MOVEMENT: tuple[LogFeature, ...] = (
    *map(_surprise, (7, 14, 28)),
    number(
        "missed_sessions",
        Silence("n_sessions", prior=0.2, prior_weight=7.0),
        "sessions expected since the newest event, at the user's own rate",
        "sessions",
        "would usually have visited {value} times since the last visit (median: {typical})",
    ),
    number(
        "pause_log_survival",
        PauseSurvival("n_sessions", prior=0.2, prior_weight=7.0),
        "log of the probability that one of the user's pauses lasts at least as long as the "
        "current one",
        "nats",
        "the current pause is unusually long: {value} (median: {typical})",
    ),
    *map(_own_pace, (14, 28)),
    *map(_slowdown, (7, 14, 21, 28, 42)),
    *_movements("sessions", "n_sessions", "sessions"),
    *_movements("songs", "n_songs", "songs"),
    number(
        "thumbs_down_trend",
        Trend("n_thumbs_down"),
        "(thumbs down in the last week + 1) / (weekly mean of the three weeks before + 1)",
        "times",
        "gives thumbs down {value} times as much as in the weeks before (median: {typical})",
    ),
    number(
        "thumbs_up_trend",
        Trend("n_thumbs_up"),
        "(thumbs up in the last week + 1) / (weekly mean of the three weeks before + 1)",
        "times",
        "gives thumbs up {value} times as much as in the weeks before (median: {typical})",
    ),
)
