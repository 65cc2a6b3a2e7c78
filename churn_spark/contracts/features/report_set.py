"""The feature set `report`: what the first technical report on these logs describes."""

from __future__ import annotations

from churn_spark.contracts.features.feature import Feature


def _total(name: str, source: str, meaning: str, unit: str, phrase: str) -> Feature:
    return Feature(name, "long", "sum", source, meaning, unit, phrase, is_trending=True)


def _category(name: str, meaning: str, phrase: str, *, is_sensitive: bool = False) -> Feature:
    source = "level" if name == "last_subscription_level" else name
    return Feature(name, "string", "last", source, meaning, "", phrase, is_sensitive=is_sensitive)


REPORT_FEATURES: tuple[Feature, ...] = (
    Feature(
        "tenure_days",
        "double",
        "days_since",
        "registered_ts",
        "time since registration",
        "days",
        "customer for {value} days (typical: {typical})",
        is_trending=True,
    ),
    _total(
        "total_songs_played",
        "n_songs",
        "songs played",
        "songs",
        "played {value} songs so far (typical: {typical})",
    ),
    Feature(
        "total_listen_time",
        "double",
        "sum",
        "listened_micros",
        "sum of the lengths of the songs played",
        "seconds",
        "listened for {value} so far (typical: {typical})",
        scale=1e6,
        is_trending=True,
    ),
    _total(
        "num_thumbs_up",
        "n_thumbs_up",
        "visits of Thumbs Up",
        "visits",
        "gave {value} thumbs up (typical: {typical})",
    ),
    _total(
        "num_thumbs_down",
        "n_thumbs_down",
        "visits of Thumbs Down",
        "visits",
        "gave {value} thumbs down (typical: {typical})",
    ),
    _total(
        "num_sessions",
        "n_sessions",
        "distinct sessions",
        "sessions",
        "came for {value} sessions (typical: {typical})",
    ),
    Feature(
        "avg_songs_per_session",
        "double",
        "ratio",
        "n_songs",
        "songs played over distinct sessions",
        "songs/session",
        "plays {value} songs a session (typical: {typical})",
        per="n_sessions",
    ),
    _total(
        "num_friends_added",
        "n_add_friend",
        "visits of Add Friend",
        "visits",
        "added {value} friends (typical: {typical})",
    ),
    _total(
        "num_downgrades",
        "n_downgrade",
        "visits of the Downgrade page, completed or not",
        "visits",
        "visited Downgrade {value} times (typical: {typical})",
    ),
    _total(
        "num_submit_downgrades",
        "n_submit_downgrade",
        "completed downgrades",
        "visits",
        "downgraded {value} times (typical: {typical})",
    ),
    _category(
        "last_subscription_level",
        "level at the newest event",
        "subscription is {value} (most common: {typical})",
    ),
    _category("gender", "as given at registration", "gender is {value}", is_sensitive=True),
    _category("location", "state code of the newest known location", "lives in {value}"),
    _category("os", "operating system of the newest known device", "uses {value}"),
    _category("browser", "browser of the newest known device", "uses the browser {value}"),
)
"""The feature set `report`: what the first technical report on these logs describes."""
