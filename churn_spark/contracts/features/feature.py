"""What a feature is: a column, an aggregate over the days before D, and words for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

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

DERIVED_SOURCES: dict[str, str] = {
    "n_sessions": "distinct sessions, on the first date on which they have an event",
    "n_active_days": "1 on a date with an event other than Cancel",
    "n_paid_days": "1 on an active date that ends with the level paid",
    "n_weekend_sessions": "sessions that begin on a Saturday or Sunday",
    "n_morning_sessions": "sessions whose first event of a date is from 4 to 12 UTC",
    "n_evening_sessions": "sessions whose first event of a date is from 20 to 4 UTC",
    "n_level_changes": "completed upgrades and downgrades",
    "n_thumbs": "thumbs up and down",
    "n_hazard_pages": "visits of Downgrade, Settings, Roll Advert and Thumbs Down",
    "n_gaps": "1 on an active date that has one before it",
    "gap_days": "days since the active date before",
    "squared_gap_days": "their squares",
}
"""Column of a user's day that is no sum of session-day columns -> what it counts."""

TREND_WEEKS: Final = 4
"""Weeks that a trend, a slope and a spread look back."""

Aggregate = Literal[
    "sum", "week", "ratio", "decayed", "trend", "slope", "spread", "kinds", "exposure",
    "gap_spread", "longest", "last", "days_since", "hours_since", "relative_gap", "if_level",
    "surprise", "silence", "cycle", "forecast",
]  # fmt: skip
DataType = Literal["long", "double", "string"]


_WEEK: Final = 7
_MOVING: Final[frozenset[Aggregate]] = frozenset(
    {"hours_since", "relative_gap", "silence", "cycle", "gap_spread", "longest", "days_since"}
)


@dataclass(frozen=True)
class Feature:
    """One column of what is known about a user as of a date D.

    Aggregates, all over the user's days before D, the last `days` of them where that is set:
        sum: of `source`, over `scale`.
        week: `source` in week number `days` before D; 1 is the last one.
        ratio: (sum of `source` + `prior` x `prior_weight`) x `scale` over (sum of `per` +
            `prior_weight`). The prior shrinks users of whom little is known; `per` may be
            `exposure`, the days in which they could have come.
        decayed: weekly sums of `source`, each week counting half of the next one, eight weeks.
        trend: (last week + 1) over (mean week of the three before + 1), of `source`.
        slope: least-squares slope of the last four weekly sums, a week.
        spread: standard deviation of the last four weekly sums over their mean + 1.
        kinds: how many of the counted pages were visited.
        exposure: days since the later of registration and the log's first date.
        gap_spread: standard deviation of the days between active dates.
        longest: longest of them.
        relative_gap: time since the last event over the mean gap + 1.
        last: known value of `source`.
        days_since, hours_since: since the instant `source`, up to D.
        surprise: (sum of `source` in the window - expected) over the square root of (expected +
            1/2), expected from the `ratio` of the days before the window.
        silence: the `ratio` times the time since the last event: what should have happened.
        cycle: days since the instant `source`, modulo `days`.
        if_level: the ratio while `level` is the last known level, else 0.
        forecast: by the champion's behaviour model, of the transitions before D.

    Attributes:
        name: column name.
        data_type: `long`, `double` (numeric) or `string` (categorical).
        aggregate: see above.
        source: column of `session_days` or `DERIVED_SOURCES`.
        meaning: one line for people.
        unit: of the value; empty for categories.
        phrase: how a reason names the value; `{value}` and `{typical}` are filled in.
        per: denominator of a ratio.
        days: length of the window in days; 0 is all that is known.
        scale: of the value, see the aggregates.
        prior: what is expected of a user who isn't known.
        prior_weight: how much of `per` that expectation is worth.
        level: that an `if_level` asks for.
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
    days: int = 0
    scale: float = 1.0
    prior: float = 0.0
    prior_weight: float = 0.0
    level: str = ""
    is_trending: bool = False
    is_sensitive: bool = False

    @property
    def moves_by_construction(self) -> bool:
        """Whether its distribution differs from night to night though nobody acts otherwise.

        Totals grow. What is measured over less than a week or since the last event depends on
        the weekday, a phase of the month on the date, and a pause is no longer than the log.
        """
        is_short = self.aggregate == "sum" and 0 < self.days < _WEEK
        return self.is_trending or is_short or self.aggregate in _MOVING

    @property
    def is_numeric(self) -> bool:
        """Whether the value is a number rather than a category."""
        return self.data_type != "string"

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        """Least and largest value that can be; none where there is no limit."""
        if not self.is_numeric or self.aggregate in ("slope", "surprise"):
            return None, None
        return 0.0, 1.0 if self.unit in ("share", "probability") else None
