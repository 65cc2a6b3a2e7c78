"""Layer bronze: the logs as they came, cleaned, and what was rejected of them."""

from __future__ import annotations

from churn_spark.contracts.tables.table import Column, TableSpec

FILES = TableSpec(
    "bronze",
    "files",
    "a batch and an input file that it has read, or found changed; the newest of a file counts",
    (
        Column("source_file", "string", "path as listed"),
        Column("size_bytes", "long", "when it was listed"),
        Column("modified_ts", "timestamp", "when it was listed"),
        Column(
            "status",
            "string",
            "read: as new; read on: from where it had ended; read again: in place of what it had "
            "delivered; unchanged: in spite of its time; changed: since it was read, and not read "
            "again; unread: it could not be opened",
        ),
        Column("problem", "string", "why it could not be read to its end; null if it could"),
        Column("read_from", "long", "first byte that was read"),
        Column("go_on_at", "long", "first byte to read if it grows; null if it is compressed"),
        Column("proof", "string", "hash that tells whether these bytes have stayed the same"),
        Column("ingest_batch", "long", "of the batch"),
    ),
)

EVENTS = TableSpec(
    "bronze",
    "events",
    "one accepted event of a known user",
    (
        Column("event_date", "date", "UTC date of event_ts"),
        Column("event_ts", "timestamp", "when it happened, to the millisecond"),
        Column("user_id", "string", "never blank or anonymous"),
        Column(
            "session_id",
            "long",
            "reused by different users: a key only with user_id; of a log without sessions the "
            "minutes of silence that part visits, negative",
        ),
        Column("item_in_session", "long", "counts up within the session"),
        Column("page", "string", "page visited; unknown ones are kept"),
        Column("auth", "string", "Logged In, Logged Out, Guest or Cancelled"),
        Column("level", "string", "free or paid"),
        Column("song_seconds", "double", "length of the song; on NextSong only"),
        Column("registered_ts", "timestamp", "registration of the user"),
        Column("gender", "string", "as given by the user"),
        Column("location", "string", "state code, or the place where no state is told"),
        Column("os", "string", "operating system, from the user agent"),
        Column("browser", "string", "browser, from the user agent"),
        Column(
            "subscribed_until_ts", "timestamp", "end of the subscription, where the log tells it"
        ),
        Column("event_hash", "long", "of all fields of the record: equal means the same event"),
        Column("bucket", "integer", "of the user: events of one are in one bucket"),
        Column("source_file", "string", "file that delivered it"),
        Column("ingest_batch", "long", "batch that loaded it"),
    ),
    partition_by=("bucket",),
    # Logs arrive in time order, so ranges of these prune well; ranges of strings cost 20 %.
    skipping_columns=("event_date", "event_ts", "ingest_batch"),
    has_change_feed=True,
)

QUARANTINE = TableSpec(
    "bronze",
    "quarantine",
    "one rejected line: where it is and why, nothing that it says; kept ingest.quarantine_days",
    (
        Column("rejected_date", "date", "UTC date of the ingest that rejected it"),
        Column("source_file", "string", "file that has it"),
        Column(
            "byte_offset",
            "long",
            "bytes of the file before the line; of a gzip file, of what it unpacks to",
        ),
        Column("line_bytes", "long", "length of the line without its end"),
        Column(
            "line_hash",
            "long",
            "xxHash64 of its first ingest.max_line_bytes bytes; null of a short one, which could "
            "be guessed by it",
        ),
        Column("reason", "string", "first rule it broke"),
        Column(
            "contents",
            "string",
            "its fields and their kinds, or where it stops being JSON; none of its values",
        ),
        Column("ingest_batch", "long", "batch that rejected it"),
    ),
    partition_by=("rejected_date",),
)

ERASED_USERS = TableSpec(
    "bronze",
    "erased_users",
    "one user who was erased: later files don't bring them back",
    (
        Column(
            "user_hash",
            "string",
            "HMAC-SHA256 of the user's id, keyed by the salt and, where ids are pseudonyms, by "
            "their key",
        ),
        Column("salt", "string", "random, the same in all rows of a lakehouse"),
    ),
)
