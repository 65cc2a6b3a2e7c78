"""The feature set `report`: what the first technical report on these logs describes."""

from __future__ import annotations

from churn_spark.contracts.features.feature import LogFeature
from churn_spark.contracts.features.formulas import DaysSince, Last, Ratio, Sum


def _total(name: str, source: str, meaning: str, unit: str, phrase: str) -> LogFeature:
    return LogFeature(name, "long", meaning, unit, phrase, is_trending=True, formula=Sum(source))


def _category(name: str, meaning: str, phrase: str, *, is_sensitive: bool = False) -> LogFeature:
    column = "level" if name == "last_subscription_level" else name
    return LogFeature(
        name, "string", meaning, "", phrase, is_sensitive=is_sensitive, formula=Last(column)
    )


REPORT_FEATURES: tuple[LogFeature, ...] = (
    LogFeature(
        "tenure_days",
        "double",
        "time since registration",
        "days",
        "customer for {value} days (median: {typical})",
        is_trending=True,
        formula=DaysSince("registered_ts"),
    ),
    _total(
        "total_songs_played",
        "n_songs",
        "songs played",
        "songs",
        "played {value} songs so far (median: {typical})",
    ),
    LogFeature(
        "total_listen_time",
        "double",
        "total length of the songs played",
        "seconds",
        "listened for {value} so far (median: {typical})",
        is_trending=True,
        formula=Sum("listened_micros", scale=1e6),
    ),
    _total(
        "num_thumbs_up",
        "n_thumbs_up",
        "thumbs up given",
        "visits",
        "gave {value} thumbs up (median: {typical})",
    ),
    _total(
        "num_thumbs_down",
        "n_thumbs_down",
        "thumbs down given",
        "visits",
        "gave {value} thumbs down (median: {typical})",
    ),
    _total(
        "num_sessions",
        "n_sessions",
        "sessions",
        "sessions",
        "visited in {value} sessions (median: {typical})",
    ),
    LogFeature(
        "avg_songs_per_session",
        "double",
        "songs played per session",
        "songs/session",
        "plays {value} songs a session (median: {typical})",
        formula=Ratio("n_songs", "n_sessions"),
    ),
    _total(
        "num_friends_added",
        "n_add_friend",
        "friends added",
        "visits",
        "added {value} friends (median: {typical})",
    ),
    _total(
        "num_downgrades",
        "n_downgrade",
        "visits to the Downgrade page, completed or not",
        "visits",
        "visited Downgrade {value} times (median: {typical})",
    ),
    _total(
        "num_submit_downgrades",
        "n_submit_downgrade",
        "completed downgrades",
        "visits",
        "downgraded {value} times (median: {typical})",
    ),
    _category(
        "last_subscription_level",
        "subscription level at the newest event",
        "subscription is {value} (most common: {typical})",
    ),
    _category("gender", "gender as given at registration", "gender is {value}", is_sensitive=True),
    _category("location", "state code of the newest known location", "lives in {value}"),
    _category("os", "operating system of the newest known device", "uses {value}"),
    _category("browser", "browser of the newest known device", "uses the browser {value}"),
)
"""The feature set `report`: what the first technical report on these logs describes."""
