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
        "days into the current month of 30 days since registration",
        "days",
        "is {value} days into a month since registration (typical: {typical})",
    ),
    number(
        "days_to_billing",
        CycleAhead("registered_ts", days=30),
        "dates to the next begin of a month of 30 days since registration",
        "days",
        "has {value} days to the next bill (typical: {typical})",
    ),
    number(
        "billing_days_ahead",
        CycleBegins("registered_ts", days=30, noticed=3, first=1, last=14),
        "how many of the 14 days from the day after the date on are among the first three of a "
        "month of 30 days since registration",
        "days",
        "has {value} days around a bill in the next two weeks (typical: {typical})",
    ),
    share(
        "paid_share",
        Ratio("n_paid_days", "n_active_days"),
        "share of the active dates that end with the level paid",
        "was a paying customer on {value} of the active days (typical: {typical})",
    ),
    LogFeature(
        "level_changes",
        "long",
        "completed upgrades and downgrades",
        "visits",
        "changed the subscription {value} times (typical: {typical})",
        is_trending=True,
        formula=Sum("n_level_changes"),
    ),
    number(
        "days_since_level_change",
        DaysSince("level_changed_ts"),
        "time since the date of the last completed upgrade or downgrade",
        "days",
        "changed the subscription {value} days ago (typical: {typical})",
    ),
    *(
        number(
            f"adverts_while_{level}",
            IfLevel(
                level,
                Ratio("n_roll_advert", "n_songs", scale=1000.0, prior=0.018, prior_weight=200.0),
            ),
            f"adverts for each 1,000 songs of users whose level is {level}; 0 for others",
            "per 1,000 songs",
            f"sees {{value}} adverts for each 1,000 songs, {level} (typical: {{typical}})",
        )
        for level in LEVELS
    ),
)
