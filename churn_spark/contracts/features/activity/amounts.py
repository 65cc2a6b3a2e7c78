"""How much a user does."""

from __future__ import annotations

from churn_spark.contracts.features.activity.families import number, windows
from churn_spark.contracts.features.feature import LogFeature
from churn_spark.contracts.features.formulas import Decayed, Exposure, Rate, Sum

AMOUNTS: tuple[LogFeature, ...] = (
    *windows("sessions", "n_sessions", "sessions", "visited {value} times", (1, 3, 7, 14, 28)),
    *windows(
        "active_days",
        "n_active_days",
        "days with activity",
        "was active on {value} days",
        (7, 14, 28),
        "days",
    ),
    *windows("songs", "n_songs", "songs", "played {value} songs", (1, 3, 7, 14, 28)),
    *(
        number(
            f"listen_hours_{n}d",
            Sum("listened_micros", days=n, scale=3.6e9),
            f"time listened in the last {n} days",
            "hours",
            f"listened for {{value}} hours in {n} days (median: {{typical}})",
        )
        for n in (7, 28)
    ),
    number(
        "sessions_decayed",
        Decayed("n_sessions"),
        "sessions of the last eight weeks, each week weighted half as much as the next",
        "sessions",
        "visited {value} times lately, recent weeks weighted more (median: {typical})",
    ),
    number(
        "visit_rate",
        Rate("n_sessions", prior=0.2, prior_weight=7.0, scale=7.0),
        "sessions per week since registration or the start of the log, smoothed towards the "
        "average",
        "visits/week",
        "visits {value} times a week (median: {typical})",
    ),
    LogFeature(
        "exposure_days",
        "double",
        "days since the later of registration and the log's first date",
        "days",
        "has been observed for {value} days (median: {typical})",
        is_trending=True,
        formula=Exposure(),
    ),
)
