"""The tables of the ingest as a run finds them: made, brought up to date, or refused."""

from __future__ import annotations

from dataclasses import replace

from churn_spark.config import IngestConfig, PrivacyConfig
from churn_spark.config.privacy import require_privacy_key
from churn_spark.contracts.tables import EVENTS, FILES
from churn_spark.contracts.tables.table import BUCKETS
from churn_spark.errors import LostTableError, OldTableError
from churn_spark.lakehouse.commits import create_table
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.pipeline import ingest_batch
from churn_spark.pipeline.quarantine import remove_raw_lines
from churn_spark.stores.user_ids import key_check_of, require_as_configured


def prepare_tables(lakehouse: Lakehouse, config: IngestConfig, privacy: PrivacyConfig) -> int:
    """Create the tables that are missing; returns the number of the events' buckets.

    Raises:
        OldTableError: if the events were loaded by a release that didn't cut them by user.
        LostTableError: if files are noted as read, and the events that they delivered are gone.
        ConfigError: if the key of pseudonyms is missing.
        OtherIdsError: if the events keep user ids in another way than is configured.
    """
    require_fitting(lakehouse, privacy)
    key_check = key_check_of(privacy)
    remove_raw_lines(lakehouse)
    there = [spec for spec in ingest_batch.TABLES if lakehouse.exists(spec)]
    if len(there) < len(ingest_batch.TABLES):
        # What waited for its commit went with the table that is gone.
        ingest_batch.forget_pending(lakehouse)
    for spec in ingest_batch.TABLES:
        if spec not in there:
            lakehouse.create(
                replace(spec, n_buckets=config.buckets, key_check=key_check)
                if spec is EVENTS
                else spec
            )
    for spec in there:
        # Spark brings a table up to date when it writes.
        if lakehouse.takes_commits([spec]):
            create_table(spec, lakehouse.uri(spec), lakehouse.storage_options)
    return int(lakehouse.properties(EVENTS)[BUCKETS])


def require_fitting(lakehouse: Lakehouse, privacy: PrivacyConfig) -> None:
    """Let pass only tables that an ingest can go on with, or that are still to be made.

    Raises:
        OldTableError: if the events were loaded by a release that didn't cut them by user.
        LostTableError: if files are noted as read, and the events that they delivered are gone.
        ConfigError: if the key of pseudonyms is missing.
        OtherIdsError: if the events keep user ids in another way than is configured.
    """
    require_privacy_key(privacy)
    require_as_configured(lakehouse, privacy)
    is_loaded = lakehouse.exists(EVENTS)
    if not is_loaded and lakehouse.count_rows(FILES):
        raise LostTableError(
            f"found {FILES.path} in {lakehouse.root}, which says what was loaded, and no "
            f"{EVENTS.path} with what it says; expected both or none: restore the second, or "
            "delete the first, and all logs that are still there are loaded anew"
        )
    if is_loaded and BUCKETS not in lakehouse.properties(EVENTS):
        raise OldTableError(
            f"found {EVENTS.path} in {lakehouse.root} as an older release has made it, expected "
            "events cut into buckets by their user: load the logs into a new lakehouse"
        )
