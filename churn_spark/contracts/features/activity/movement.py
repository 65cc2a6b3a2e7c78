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
            f"{unit} of the last week and one over those of a mean week before it and one",
            "times",
            f"had {{value}} times as many {unit} as in the weeks before (typical: {{typical}})",
        ),
        number(
            f"{name}_slope",
            Slope(source),
            f"change of the weekly {unit} from week to week, over four weeks",
            f"{unit}/week",
            f"has {{value}} {unit} more each week (typical: {{typical}})",
        ),
        number(
            f"{name}_spread",
            Spread(source),
            f"how unlike the last four weeks were in {unit}: standard deviation over mean and one",
            "times",
            f"weeks differ in {unit} by {{value}} times their mean (typical: {{typical}})",
        ),
        *(
            LogFeature(
                f"{name}_week_{week}",
                "long",
                f"{unit} in week {week} before the date",
                unit,
                f"had {{value}} {unit} {week} weeks ago (typical: {{typical}})",
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
        f"sessions of the last {days} days against those expected from the days before, in "
        "standard deviations",
        "deviations",
        f"came {{value}} standard deviations more than expected in {days} days "
        "(typical: {typical})",
    )


def _own_pace(days: int) -> LogFeature:
    """How often a user comes, against the same user before."""
    return number(
        f"own_pace_{days}d",
        OwnPace("n_sessions", days, prior=0.2, prior_weight=7.0),
        f"sessions of the last {days} days and one over those expected from the days before and "
        "one",
        "times",
        f"came {{value}} times as often in {days} days as before (typical: {{typical}})",
    )


def _slowdown(days: int) -> LogFeature:
    """How well pauses twice as long explain the last days."""
    return number(
        f"slowdown_{days}d",
        Slowdown("n_sessions", days, prior=0.2, prior_weight=7.0),
        f"log likelihood ratio of pauses twice as long for {days} days against pauses as before",
        "nats",
        f"signs of longer pauses for {days} days: {{value}} (typical: {{typical}})",
    )


MOVEMENT: tuple[LogFeature, ...] = (
    *map(_surprise, (7, 14, 28)),
    number(
        "missed_sessions",
        Silence("n_sessions", prior=0.2, prior_weight=7.0),
        "sessions expected since the newest event, at the user's own rate",
        "sessions",
        "would usually have come {value} times since the last visit (typical: {typical})",
    ),
    number(
        "pause_log_survival",
        PauseSurvival("n_sessions", prior=0.2, prior_weight=7.0),
        "log of the chance that a pause of the user is as long as the present one",
        "nats",
        "the present pause is unusually long: {value} (typical: {typical})",
    ),
    *map(_own_pace, (14, 28)),
    *map(_slowdown, (7, 14, 21, 28, 42)),
    *_movements("sessions", "n_sessions", "sessions"),
    *_movements("songs", "n_songs", "songs"),
    number(
        "thumbs_down_trend",
        Trend("n_thumbs_down"),
        "thumbs down of the last week and one over those of a mean week of the three before and "
        "one",
        "times",
        "gives thumbs down {value} times as much as in the weeks before (typical: {typical})",
    ),
    number(
        "thumbs_up_trend",
        Trend("n_thumbs_up"),
        "thumbs up of the last week and one over those of a mean week before it and one",
        "times",
        "gives thumbs up {value} times as much as in the weeks before (typical: {typical})",
    ),
)
