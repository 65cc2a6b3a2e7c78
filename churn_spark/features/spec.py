"""The features, declared once: names, types, meaning and how each comes from session days.

The snapshot table's schema, the documentation and the model's inputs derive from this list.
Its fingerprint is stored with every model: a model never scores features of another one.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Literal

PAGE_COUNTS: dict[str, str] = {
    "n_songs": "NextSong",
    "n_thumbs_up": "Thumbs Up",
    "n_thumbs_down": "Thumbs Down",
    "n_add_friend": "Add Friend",
    "n_add_to_playlist": "Add to Playlist",
    "n_roll_advert": "Roll Advert",
    "n_home": "Home",
    "n_settings": "Settings",
    "n_save_settings": "Save Settings",
    "n_help": "Help",
    "n_about": "About",
    "n_error": "Error",
    "n_upgrade": "Upgrade",
    "n_submit_upgrade": "Submit Upgrade",
    "n_downgrade": "Downgrade",
    "n_submit_downgrade": "Submit Downgrade",
    "n_logout": "Logout",
}
"""Session-day column -> the page whose logged-in visits it counts."""

PROFILE_FIELDS: dict[str, tuple[str, ...]] = {
    "level": ("level",),
    "gender": ("gender",),
    "location": ("location",),
    "agent": ("os", "browser"),
    "registration": ("registered_ts",),
}
"""Group of profile columns that are read together from the newest event that has them."""

Aggregate = Literal["sum", "ratio", "last", "days_since"]
DataType = Literal["long", "double", "string"]


@dataclass(frozen=True)
class Feature:
    """One column of `snapshots`.

    Attributes:
        name: column name.
        data_type: `long`, `double` (numeric) or `string` (categorical).
        aggregate: over all of the user's days before D: `sum` of `source`; `ratio` of the sums
            of `source` and `per`; `last` known value of `source`; `days_since` the instant
            `source`, up to D.
        source: session-day column.
        meaning: one line for people.
        unit: of the value; empty for categories.
        phrase: how a reason names the value; `{value}` and `{typical}` are filled in.
        per: denominator of a `ratio`.
        scale: the sum is divided by this (micro-units to units).
        is_trending: grows with time for everybody, so its distribution drifts by construction.
        is_sensitive: reported for fairness, a model input only when switched on.
    """

    name: str
    data_type: DataType
    aggregate: Aggregate
    source: str
    meaning: str
    unit: str
    phrase: str
    per: str = ""
    scale: float = 1.0
    is_trending: bool = False
    is_sensitive: bool = False

    @property
    def is_numeric(self) -> bool:
        """Whether the value is a number rather than a category."""
        return self.data_type != "string"


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

FEATURES = REPORT_FEATURES


def model_features(*, use_gender: bool) -> tuple[Feature, ...]:
    """The features that a model may see, in table order."""
    return tuple(f for f in FEATURES if use_gender or not f.is_sensitive)


def fingerprint(features: tuple[Feature, ...]) -> str:
    """Short hash of the definitions, in order: equal means "computed the same way"."""
    definitions = json.dumps([asdict(feature) for feature in features], sort_keys=True)
    return hashlib.sha256(definitions.encode()).hexdigest()[:16]
