"""What is counted of the events of each day, by the names of the table `event_days`."""

from __future__ import annotations

from typing import Final

EVENT: Final = "event"
EVENT_ONCE: Final = "event_once"
USER: Final = "user"
"""Users with an event, each once a day."""
CANCELLED: Final = "cancelled"
"""Of these, who have cancelled on the day."""
NEWEST_MILLIS: Final = "newest_millis"
SONG: Final = "song"
SONG_WITHOUT_LENGTH: Final = "song_without_length"
NULL: Final = "null"
BATCH: Final = "batch"
CATEGORIES: Final = ("page", "level", "auth")
"""Fields whose values are counted, each under its own name."""
FIELDS: Final = ("registered_ts", "gender", "location", "os", "browser", "item_in_session")
"""Fields that some events lack; one that is no longer sent shows as more nulls than before."""
MAX_VALUES: Final = 100
"""Of a field that are counted by name, of one day and group of users: the most frequent ones."""
MAX_VALUE_CHARS: Final = 100
"""Of a value that are kept."""
OTHERS: Final = "(other values)"
"""What all further values are counted under, where a field holds free text."""
