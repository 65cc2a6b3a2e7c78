"""Events of a log without sessions -> the visits that a silence, or midnight, parts."""

from __future__ import annotations

import polars as pl

from churn_spark.timeline import MILLIS_PER_MINUTE


def cut_by_silence(events: pl.DataFrame) -> pl.DataFrame:
    """Give a session to each event whose log has none; the others keep theirs.

    A visit ends with a silence, and at midnight UTC. Without the second rule it could hang on any
    number of dates before, and a date that is rebuilt would need them all; so it is the same
    whatever files, batches and nights its events came with. Its number is that of the millisecond
    in which it begins, negative: no log can have such a session.

    Args:
        events: `user_id`, `event_date`, `millis` and `session_id`; of an event without a session
            that is the silence in minutes, negative (`events.foreign.record.cut_marker`).
    """
    is_uncut = pl.col("session_id") < 0
    if not events.select(is_uncut.any()).item():
        return events
    who = ("user_id", "event_date", "session_id")
    uncut = events.filter(is_uncut).sort(*who, "millis")
    is_other = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift()) for name in who)
    is_silent = pl.col("millis").diff() > -pl.col("session_id") * MILLIS_PER_MINUTE
    begins = is_other | is_silent.fill_null(value=False)
    numbered = uncut.with_columns(
        session_id=pl.when(begins).then(-pl.col("millis")).otherwise(None).forward_fill()
    )
    return pl.concat([events.filter(~is_uncut), numbered])
