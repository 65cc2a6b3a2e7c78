"""The parts of the users that figures are given for: subscription, tenure, system."""

from __future__ import annotations

from typing import Final

SEGMENTS: Final = ("level", "tenure_band", "os")
SEGMENT_PREFIX: Final = "segment_"
"""Of their columns where the features of the same names stand beside them."""
SEGMENT_COLUMNS: Final = tuple(f"{SEGMENT_PREFIX}{name}" for name in SEGMENTS)

SEGMENT_SOURCES: Final = ("last_subscription_level", "tenure_days", "os")
"""The features that they follow from."""

TENURE_BANDS: Final = ((30.0, "up to 30 days"), (90.0, "30 to 90 days"))
LONGER, UNKNOWN = "over 90 days", "unknown"

ALL: Final = "all"
"""The slice of all users, beside those of the segments."""
