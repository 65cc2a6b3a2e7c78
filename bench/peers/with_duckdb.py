"""The night as a DuckDB script: `python -m bench.peers.with_duckdb EVENTS OUT NIGHT DATE...`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

import duckdb

from bench.peers.shared import (
    LISTENED_DAYS,
    PAGES,
    TOTALS,
    WINDOWS,
    Stopwatch,
    Task,
    finish,
    threads,
)
from churn_spark.events.rules import BROWSER_RULES, OS_RULES, OTHER

_LOG: Final = (
    "{ts: 'BIGINT', userId: 'VARCHAR', sessionId: 'BIGINT', page: 'VARCHAR', auth: 'VARCHAR', "
    "level: 'VARCHAR', itemInSession: 'BIGINT', location: 'VARCHAR', userAgent: 'VARCHAR', "
    "registration: 'DOUBLE', gender: 'VARCHAR', length: 'DOUBLE'}"
)
_PROFILE: Final = ("level", "gender", "location", "agent", "registration")


def ingest(connection: duckdb.DuckDBPyConnection, task: Task) -> str:
    """Write the log as Parquet, a folder a date; returns what reads it."""
    table = task.out / "events"
    connection.execute(f"""
        COPY (SELECT userId AS user_id, sessionId AS session_id, ts, page, level, length, gender,
                     auth = 'Logged In' AS is_in, nullif(trim(userAgent), '') AS agent,
                     ts * 1000000 + least(coalesce(itemInSession, 0), 999999) AS seen,
                     nullif(trim(split_part(trim(split_part(location, ',', -1)), '-', 1)), '')
                       AS location,
                     registration::BIGINT AS registration, epoch_ms(ts)::DATE AS event_date
              FROM read_json({task.events}, format = 'newline_delimited', columns = {_LOG})
              WHERE trim(userId) <> '')
        TO '{table}' (FORMAT parquet, PARTITION_BY (event_date), COMPRESSION snappy)""")
    return f"read_parquet('{table}/*/*.parquet', hive_partitioning = true)"


def build_user_days(connection: duckdb.DuckDBPyConnection, log: str) -> None:
    """A row per user and day, and the users who have cancelled."""
    counts = ", ".join(
        f"count(*) FILTER (is_in AND page = '{page}') AS {name}" for name, page in PAGES.items()
    )
    newest = ", ".join(
        f"arg_max({name}, seen) FILTER (is_in AND {name} IS NOT NULL) AS {name}"
        for name in _PROFILE
    )
    connection.execute(f"""
        CREATE TABLE user_day AS
        WITH opened AS (
          SELECT user_id, event_date, count(*) AS sessions
          FROM (SELECT user_id, session_id, min(event_date) AS event_date FROM {log}
                WHERE is_in GROUP BY ALL) GROUP BY ALL),
        days AS (
          SELECT user_id, event_date, {counts}, {newest},
                 coalesce(sum(round(length * 1e6)::BIGINT)
                          FILTER (is_in AND page = 'NextSong'), 0) AS listened,
                 count(*) FILTER (is_in) AS n_events,
                 max(ts) FILTER (is_in AND page <> 'Cancel') AS last_ts,
                 min(ts) FILTER (page = 'Cancellation Confirmation') AS cancel_ts
          FROM {log} GROUP BY ALL)
        SELECT days.*, coalesce(sessions, 0) AS sessions,
               (last_ts IS NOT NULL)::BIGINT AS active_days
        FROM days LEFT JOIN opened USING (user_id, event_date)""")
    connection.execute("""
        CREATE TABLE cancel AS
        SELECT user_id, epoch_ms(min(cancel_ts))::DATE AS cancel_date FROM user_day
        GROUP BY ALL HAVING min(cancel_ts) IS NOT NULL""")


def build_features(connection: duckdb.DuckDBPyConnection, task: Task) -> duckdb.DuckDBPyRelation:
    """A row per as-of date and user alive on it, from the days before, with the label."""
    connection.execute("CREATE TABLE asked (as_of DATE)")
    connection.executemany("INSERT INTO asked VALUES (?)", [[day] for day in task.dates])
    sums = [f"sum({column}) AS {name}" for name, column in TOTALS.items()]
    sums += [
        f"coalesce(sum({name}) FILTER (event_date >= as_of - {n}), 0) AS {name}_{n}d"
        for name, days in WINDOWS.items()
        for n in days
    ]
    sums += [
        f"coalesce(sum(listened) FILTER (event_date >= as_of - {n}), 0) / 3.6e9 "
        f"AS listen_hours_{n}d"
        for n in LISTENED_DAYS
    ]
    newest = ", ".join(f"arg_max({name}, event_date) AS {name}" for name in _PROFILE)
    return connection.sql(f"""
        WITH past AS (
          SELECT as_of, user_id, {", ".join(sums)}, {newest}, sum(listened) AS listened,
                 max(last_ts) AS last_ts,
                 max(event_date) FILTER (n_events > 0) AS last_active
          FROM asked JOIN user_day ON event_date < as_of GROUP BY ALL)
        SELECT past.* EXCLUDE (level, agent, registration, listened, last_ts, last_active),
               (epoch_ms(as_of::TIMESTAMP) - registration) / 86400000.0 AS tenure_days,
               (epoch_ms(as_of::TIMESTAMP) - last_ts) / 3600000.0 AS hours_since_last_event,
               listened / 1e6 AS total_listen_time, level AS last_subscription_level,
               total_songs_played / nullif(num_sessions, 0) AS avg_songs_per_session,
               {_first_match(OS_RULES)} AS os, {_first_match(BROWSER_RULES)} AS browser,
               CASE WHEN cancel_date IS NULL OR cancel_date >= as_of + {task.end_days} THEN 0
                    WHEN cancel_date >= as_of + {task.gap_days} THEN 1 END AS label
        FROM past LEFT JOIN cancel USING (user_id)
        WHERE last_active >= as_of - {task.active_days}
          AND (cancel_date IS NULL OR cancel_date >= as_of)
        ORDER BY as_of, user_id""")


def _first_match(rules: Sequence[tuple[str, str]]) -> str:
    cases = " ".join(f"WHEN contains(agent, '{mark}') THEN '{name}'" for mark, name in rules)
    return f"CASE WHEN agent IS NULL THEN NULL {cases} ELSE '{OTHER}' END"


def main(arguments: Sequence[str]) -> None:
    """Do it all and print what each stage took."""
    task, watch = Task.of_arguments(arguments), Stopwatch()
    connection = duckdb.connect()
    connection.execute(f"SET threads = {threads()}; SET preserve_insertion_order = false")
    connection.execute(f"SET temp_directory = '{task.out}/spilled'")
    # With the default, 524,288 rows a thread, the full log takes 12 GB.
    connection.execute("SET partitioned_write_flush_threshold = 50000")
    with watch.stage("ingest"):
        log = ingest(connection, task)
    with watch.stage("user days"):
        build_user_days(connection, log)
    with watch.stage("features"):
        features = build_features(connection, task).df()
        features.to_parquet(task.out / "features.parquet", index=False)
    finish(task, features, watch)


if __name__ == "__main__":
    main(sys.argv[1:])
