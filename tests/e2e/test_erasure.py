"""An erased user is in no byte of a lakehouse, after the erasure and after the jobs that follow."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from every_byte import find_bytes, mark_log
from model_builders import BRIEF_BACKTEST
from pyspark.sql import SparkSession

from bench import flow
from bench.killed_night import LIGHT
from churn_spark.config import PrivacyConfig, load_config
from churn_spark.contracts.contact import INBOX, Contact
from churn_spark.contracts.tables import (
    CONTACTS,
    ERASURES,
    EVENTS,
    RETENTION_LISTS,
    SCORES,
    SESSION_DAYS,
    TABLES,
    TRAINING_ROWS,
    TRANSITIONS,
)
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.pipeline import erase_user, ingest, maintain, record_contacts, replay
from churn_spark.pipeline.context import JobContext
from churn_spark.serving.contact_inbox import ContactInbox
from churn_spark.stores.contacts import Batch
from tests.known_logs import KnownLog

NIGHT = date(2018, 11, 30)
"""The log has a day more, for the night after it."""


@pytest.mark.slow
def test_erased_user_is_nowhere_after_any_job(
    spark: SparkSession, simulated_log: KnownLog, tmp_path: Path
) -> None:
    log = str(mark_log(simulated_log.path, tmp_path / "log"))
    where = f"lakehouse={tmp_path / 'lakehouse'}"
    config = load_config(overrides=[where, *LIGHT, *BRIEF_BACKTEST])
    context = JobContext(config, Lakehouse(spark, config.lakehouse))
    lakehouse = context.lakehouse
    flow.nightly(context, NIGHT, log)
    flow.run_backtest(context, NIGHT)
    flow.build_report(context)
    csv = Path(config.lakehouse) / "list.csv"
    flow.build_retention_list(context, NIGHT, csv)
    learnt = {row.user_id for row in lakehouse.collect_rows(TRAINING_ROWS)}
    scored = lakehouse.collect_rows(SCORES, {"as_of": [NIGHT]})
    # Who is on the list, was learnt from and begins no other's id.
    gone = next(
        row.user_id
        for row in sorted(scored, key=lambda row: row.risk_rank)
        if row.user_id in learnt and f'"{row.user_id}"' in csv.read_text()
    )
    contacts = tmp_path / "contacts.csv"
    listed = [row.user_id for row in lakehouse.collect_rows(RETENTION_LISTS, {"as_of": [NIGHT]})]
    called = [gone, next(one for one in listed if one != gone)]
    lines = [f"{one},{NIGHT},{NIGHT}T10:00:00Z,call,accepted\n" for one in called]
    contacts.write_text(f"user_id,list_date,time,channel,outcome\n{''.join(lines)}")
    record_contacts.run(lakehouse, contacts)
    one = {"user_id": gone, "list_date": NIGHT, "time": f"{NIGHT}T11:00", "channel": "mail"}
    sent = Contact.model_validate({**one, "outcome": "reached"})

    def send() -> None:
        ContactInbox(config.lakehouse).keep([sent], "crm", "")

    def send_and_record() -> list[Batch]:
        send()
        return record_contacts.run(lakehouse, contacts)

    send()
    pattern = re.compile(rb"(?<!\w)" + gone.encode() + rb"(?!\d)")

    searched = set[bytes]()

    def places() -> set[str]:
        found = find_bytes(Path(config.lakehouse), pattern, searched)
        return {place for files in found.values() for place in files}

    with_users = {spec.path for spec in TABLES if "user_id" in spec.column_names}
    before = {"/".join(Path(one).parts[:2]) for one in places()}
    assert {"list.csv", EVENTS.path, SESSION_DAYS.path, TRANSITIONS.path, SCORES.path} <= before
    assert {CONTACTS.path, INBOX} <= before
    assert before <= with_users | {"list.csv", INBOX}

    privacy = PrivacyConfig()
    done = erase_user.run(lakehouse, lambda: context.registry, config.ingest, privacy, [gone])
    assert places() == set()
    assert lakehouse.count_rows(ERASURES, {"reference": [done.reference]}) > len(with_users) // 2
    champion = context.registry.champion_version()
    assert champion
    assert "versions_erased_on" in context.registry.trained_on(champion)

    later = NIGHT + timedelta(days=1)
    jobs: dict[str, Callable[[], Any]] = {
        "nothing is new": lambda: ingest.run(lakehouse, config.ingest, log).describe(),
        "read again": lambda: ingest.run(lakehouse, config.ingest, log, "all"),
        "nightly": lambda: flow.nightly(context, later, log),
        "score_users": lambda: flow.score_users(context, later),
        "monitor_model": lambda: flow.monitor_model(context, later),
        "retrain_if_needed": lambda: flow.retrain_if_needed(context, later),
        "train_model": lambda: flow.train_model(context, later),
        "backtest": lambda: flow.run_backtest(context, later),
        "report": lambda: flow.build_report(context),
        "list": lambda: flow.build_retention_list(context, later, csv),
        "record_contacts": send_and_record,
        "replay": lambda: replay.run(lakehouse, config.policy),
        "check_data": lambda: flow.run_check_data(context, later),
        "maintain_tables": lambda: maintain.run(
            lakehouse, context.registry, config.maintenance, config.tuning
        ),
    }
    said = {}
    for name, job in jobs.items():
        said[name] = job()
        assert places() == set(), name
    assert said["nothing is new"] == "no new file"
    assert said["read again"].lines["erased"] > 0
    assert not said["nightly"].is_held
    # What is told of the erased user again is of nobody on a list.
    assert [len(batch.contacts) for batch in said["record_contacts"]] == [0, 1]
    assert lakehouse.count_rows(SCORES, {"as_of": [later]}) > len(scored) // 2
