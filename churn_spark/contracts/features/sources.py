"""What features are made of: the columns of a user's day and the profile."""

from __future__ import annotations

from typing import Final

from churn_spark.contracts.pages import COUNTED_PAGES, HAZARD_PAGES, LEVEL_AFTER, Page
from churn_spark.hashing import content_hash


def _column_of(page: str) -> str:
    """`Add to Playlist` -> `n_add_to_playlist`."""
    return "n_songs" if page == Page.NEXT_SONG else "n_" + page.lower().replace(" ", "_")


PAGE_COUNTS: Final[dict[str, str]] = {_column_of(page): page for page in COUNTED_PAGES}
"""Session-day column -> the page whose logged-in visits it counts."""

HAZARD_COUNTS: Final = tuple(map(_column_of, HAZARD_PAGES))
"""Columns whose sum is `n_hazard_pages`."""

LEVEL_CHANGE_COUNTS: Final = tuple(map(_column_of, LEVEL_AFTER))
"""Columns whose sum is `n_level_changes`."""

THUMB_COUNTS: Final = (_column_of(Page.THUMBS_UP), _column_of(Page.THUMBS_DOWN))
"""Columns whose sum is `n_thumbs`."""

PROFILE_FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "level": ("level",),
    "gender": ("gender",),
    "location": ("location",),
    "agent": ("os", "browser"),
    "registration": ("registered_ts",),
    "subscription": ("subscribed_until_ts",),
}
"""Group of profile columns that are read together from the newest event that has them."""

DERIVED_SOURCES: Final[dict[str, str]] = {
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

SUMMED_COLUMNS: Final = (*PAGE_COUNTS, "listened_micros")
"""Columns of session days that a user's day is the sum of."""

SOURCES: Final = (*SUMMED_COLUMNS, *DERIVED_SOURCES)
"""Columns of a user's day that formulas may ask the sum of."""

MORNING_HOURS: Final = tuple(range(4, 12))
EVENING_HOURS: Final = (*range(20, 24), *range(4))
"""Hours of the day, UTC, at which a morning or an evening session begins."""

SATURDAY: Final = 5
"""First weekday of the weekend; Monday is 0."""

MAX_ITEM: Final = 999_999
"""Places in a session beyond this one count as this one when the newest event is looked for."""

SOURCES_FINGERPRINT: Final = content_hash(
    [
        *(PAGE_COUNTS, HAZARD_COUNTS, LEVEL_CHANGE_COUNTS, THUMB_COUNTS, PROFILE_FIELDS),
        *(DERIVED_SOURCES, MORNING_HOURS, EVENING_HOURS, SATURDAY),
    ]
)
"""Hash of all of the above: sums that are stored are of the same sources only where it is equal."""
