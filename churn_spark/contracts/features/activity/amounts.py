"""How much a user does."""

from __future__ import annotations

from churn_spark.contracts.features.activity.families import number, windows
from churn_spark.contracts.features.feature import LogFeature
from churn_spark.contracts.features.formulas import Decayed, Exposure, Rate, Sum

AMOUNTS: tuple[LogFeature, ...] = (
    *windows("sessions", "n_sessions", "sessions", "came {value} times", (1, 3, 7, 14, 28)),
    *windows("active_days", "n_active_days", "days", "was here on {value} days", (7, 14, 28)),
    *windows("songs", "n_songs", "songs", "played {value} songs", (1, 3, 7, 14, 28)),
    *(
        number(
            f"listen_hours_{n}d",
            Sum("listened_micros", days=n, scale=3.6e9),
            f"time listened in the last {n} days",
            "hours",
            f"listened for {{value}} hours in {n} days (typical: {{typical}})",
        )
        for n in (7, 28)
    ),
    number(
        "sessions_decayed",
        Decayed("n_sessions"),
        "sessions of eight weeks, each week counting half of the one after it",
        "sessions",
        "came {value} times lately (typical: {typical})",
    ),
    number(
        "visit_rate",
        Rate("n_sessions", prior=0.2, prior_weight=7.0, scale=7.0),
        "sessions a week of exposure; the mean of a gamma posterior worth one week of a typical "
        "user",
        "visits/week",
        "comes {value} times a week (typical: {typical})",
    ),
    LogFeature(
        "exposure_days",
        "double",
        "days since the later of registration and the log's first date",
        "days",
        "has been watched for {value} days (typical: {typical})",
        is_trending=True,
        formula=Exposure(),
    ),
)
