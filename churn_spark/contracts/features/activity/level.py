"""What a user pays, and how that has changed."""

from __future__ import annotations

from churn_spark.contracts.features.activity.families import number, share
from churn_spark.contracts.features.feature import LogFeature
from churn_spark.contracts.features.formulas import (
    Cycle,
    CycleAhead,
    CycleBegins,
    DaysSince,
    IfLevel,
    Ratio,
    Sum,
)
from churn_spark.contracts.pages import LEVELS

LEVEL: tuple[LogFeature, ...] = (
    number(
        "billing_day",
        Cycle("registered_ts", days=30),
        "days since the start of the current 30-day billing month, counted from registration",
        "days",
        "is {value} days into the 30-day billing month (median: {typical})",
    ),
    number(
        "days_to_billing",
        CycleAhead("registered_ts", days=30),
        "days until the next 30-day billing month starts, counted from registration",
        "days",
        "has {value} days to the next bill (median: {typical})",
    ),
    number(
        "billing_days_ahead",
        CycleBegins("registered_ts", days=30, noticed=3, first=1, last=14),
        "number of the 14 days that start the day after the date which are among the first three "
        "days of a 30-day billing month, counted from registration",
        "days",
        "has {value} days around a bill in the next two weeks (median: {typical})",
    ),
    share(
        "paid_share",
        Ratio("n_paid_days", "n_active_days"),
        "share of the active dates at the end of which the subscription was paid",
        "was a paying customer on {value} of the active days (median: {typical})",
    ),
    LogFeature(
        "level_changes",
        "long",
        "completed upgrades and downgrades",
        "visits",
        "changed the subscription {value} times (median: {typical})",
        is_trending=True,
        formula=Sum("n_level_changes"),
    ),
    number(
        "days_since_level_change",
        DaysSince("level_changed_ts"),
        "time since the date of the last completed upgrade or downgrade",
        "days",
        "changed the subscription {value} days ago (median: {typical})",
    ),
    *(
        number(
            f"adverts_while_{level}",
            IfLevel(
                level,
                Ratio("n_roll_advert", "n_songs", scale=1000.0, prior=0.018, prior_weight=200.0),
            ),
            f"adverts per 1,000 songs if the subscription is {level}, otherwise 0",
            "per 1,000 songs",
            f"sees {{value}} adverts per 1,000 songs, {level} (median: {{typical}})",
        )
        for level in LEVELS
    ),
)
