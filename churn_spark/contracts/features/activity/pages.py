"""Which pages a user visits: those that precede cancellations, and all others."""

from __future__ import annotations

from churn_spark.contracts.features.activity.families import number, per_song, share, windows
from churn_spark.contracts.features.feature import LogFeature
from churn_spark.contracts.features.formulas import Kinds, Rate, Ratio

HAZARDS: tuple[LogFeature, ...] = (
    *windows(
        "downgrades",
        "n_downgrade",
        "visits to the Downgrade page",
        "visited Downgrade {value} times",
        (7, 28),
        "visits",
    ),
    *windows(
        "settings",
        "n_settings",
        "visits to the Settings page",
        "visited Settings {value} times",
        (28,),
        "visits",
    ),
    *windows("adverts", "n_roll_advert", "adverts seen", "saw {value} adverts", (7, 28), "visits"),
    *windows(
        "thumbs_down",
        "n_thumbs_down",
        "thumbs down given",
        "gave {value} thumbs down",
        (7, 28),
        "visits",
    ),
    number(
        "hazard_pages_a_week",
        Rate("n_hazard_pages", prior=0.6, prior_weight=7.0, scale=7.0),
        "visits to Downgrade, Settings, Roll Advert and Thumbs Down per week observed, smoothed "
        "towards the average",
        "visits/week",
        "visits pages that precede cancellations {value} times a week (median: {typical})",
    ),
    per_song("downgrades", "n_downgrade", "visits to Downgrade", 0.008),
    per_song("settings", "n_settings", "visits to Settings", 0.007),
    per_song("adverts", "n_roll_advert", "adverts", 0.018),
    per_song("thumbs_down", "n_thumbs_down", "thumbs down", 0.012),
)

TASTES: tuple[LogFeature, ...] = (
    per_song("thumbs_up", "n_thumbs_up", "thumbs up", 0.055),
    per_song("playlist", "n_add_to_playlist", "songs added to a playlist", 0.029),
    per_song("friends", "n_add_friend", "friends added", 0.018),
    per_song("home", "n_home", "visits to Home", 0.045),
    per_song("help", "n_help", "visits to Help", 0.007),
    per_song("about", "n_about", "visits to About", 0.004),
    per_song("logouts", "n_logout", "logouts", 0.014),
    share(
        "thumbs_up_share",
        Ratio("n_thumbs_up", "n_thumbs", prior=0.83, prior_weight=10.0),
        "share of thumbs up among all thumbs, smoothed towards the average",
        "likes {value} of what gets a thumb (median: {typical})",
    ),
    LogFeature(
        "page_kinds_28d",
        "long",
        "different pages visited in the last 28 days",
        "pages",
        "used {value} different pages in 28 days (median: {typical})",
        formula=Kinds(days=28),
    ),
)
