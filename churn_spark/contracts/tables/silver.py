"""Layer silver: what users did, by session and day, and from page to page."""

from __future__ import annotations

from churn_spark.contracts.features.sources import SOURCES
from churn_spark.contracts.features.spec import ASKED, PAGE_COUNTS
from churn_spark.contracts.tables.table import Column, TableSpec

_PROFILE = (
    Column("level", "string", "newest known"),
    Column("level_seen", "long", "order of the event that told it: ts in ms x 1e6 + item"),
    Column("gender", "string", "newest known"),
    Column("gender_seen", "long", "order of the event that told it"),
    Column("location", "string", "newest known"),
    Column("location_seen", "long", "order of the event that told it"),
    Column("os", "string", "of the newest event that has a user agent"),
    Column("browser", "string", "of the newest event that has a user agent"),
    Column("agent_seen", "long", "order of the event that told it"),
    Column("registered_ts", "timestamp", "newest known"),
    Column("registration_seen", "long", "order of the event that told it"),
    Column("subscribed_until_ts", "timestamp", "newest known end of the subscription"),
    Column("subscription_seen", "long", "order of the event that told it"),
)

SESSION_DAYS = TableSpec(
    "silver",
    "session_days",
    "user x session x UTC date; a session over midnight has two rows",
    (
        Column("event_date", "date", "UTC date"),
        Column("user_id", "string", ""),
        Column("session_id", "long", "a key only together with user_id"),
        Column("n_events", "long", "logged-in events"),
        *(
            Column(name, "long", f"logged-in visits of {page}")
            for name, page in PAGE_COUNTS.items()
        ),
        Column("n_other_pages", "long", "logged-in visits of any page not counted above"),
        Column("listened_micros", "long", "sum of song lengths, microseconds: exact in any order"),
        Column("first_ts", "timestamp", "first logged-in event other than Cancel"),
        Column("last_ts", "timestamp", "last logged-in event other than Cancel"),
        *_PROFILE,
        Column("cancel_ts", "timestamp", "first Cancellation Confirmation, whatever its auth"),
    ),
    partition_by=("event_date",),
)

USER_TOTALS = TableSpec(
    "silver",
    "user_totals",
    "cut date x user seen before it",
    (
        Column("before", "date", "the cut: only session days before this date are in it"),
        Column("made_of", "string", "hash of the files of these session days and of what is kept"),
        Column("user_id", "string", ""),
        *(Column(name, "long", f"sum of {name} over the user's days") for name in SOURCES),
        *(
            Column(f"largest_{name}", "long", f"largest {name} of a day")
            for name in sorted(ASKED.maxima)
        ),
        *_PROFILE,
        Column("last_ts", "timestamp", "last logged-in event other than Cancel"),
        Column("cancel_ts", "timestamp", "first Cancellation Confirmation, whatever its auth"),
        Column("level_changed_ts", "timestamp", "date of the last completed up- or downgrade"),
        Column("last_active_date", "date", "last one with a logged-in event"),
        Column("last_visit_date", "date", "last one with such an event other than Cancel"),
        Column("session_ids", "longs", "sessions with a logged-in event: they don't begin again"),
    ),
    partition_by=("before",),
)

TRANSITIONS = TableSpec(
    "silver",
    "transitions",
    "user x UTC date x level x page x next page",
    (
        Column("event_date", "date", "UTC date on which it is known"),
        Column("user_id", "string", ""),
        Column("level", "string", "free or paid, at the page"),
        Column("page", "string", "START before the first page of a visit"),
        Column("next_page", "string", "END after the last one: an hour of silence in the session"),
        Column("n_transitions", "long", "how often"),
        Column("total_millis", "long", "time from page to page, summed; 0 at START and END"),
    ),
    partition_by=("event_date",),
)

TRANSITION_TOTALS = TableSpec(
    "silver",
    "transition_totals",
    "cut date x user seen before it x cell",
    (
        Column("before", "date", "the cut: only transitions known before this date are in it"),
        Column("made_of", "string", "hash of the files of these transitions and of the cells"),
        Column("user_id", "string", ""),
        Column("cell", "integer", "level, page and next page, as the behaviour model counts them"),
        Column("n_transitions", "long", "how often"),
        Column("total_millis", "long", "time from page to page, summed"),
    ),
    partition_by=("before",),
)

LOG_DATES = TableSpec(
    "silver",
    "log_dates",
    "UTC date that events are dated",
    (
        Column("event_date", "date", "as the events say"),
        Column("n_events", "long", "accepted events, those delivered twice twice"),
        Column(
            "place",
            "string",
            "in the log, at its edge, or out of place: then no other table has the events",
        ),
    ),
)

EVENT_DAYS = TableSpec(
    "silver",
    "event_days",
    "UTC date x fact x value, a row for each bucket of users with events: add `n` up over them; "
    "of newest_millis take the largest",
    (
        Column("event_date", "date", "UTC date of the events"),
        Column("fact", "string", "what is counted: contracts/event_facts.py"),
        Column("value", "string", "of the field that the fact is about; empty if it is of none"),
        Column("n", "long", "events; of newest_millis the instant, epoch milliseconds"),
    ),
    partition_by=("event_date",),
)
