"""Held nights ahead of the log: taken back whole, before a true night is run."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from nights import FIRST, POLICY, START, decided

from churn_spark.config import load_config
from churn_spark.contracts.registry_state import RegistryState
from churn_spark.contracts.tables import (
    ALERTS,
    BUILT_LISTS,
    DATA_CHECKS,
    DECISIONS,
    SNAPSHOTS,
    USER_TOTALS,
    TableSpec,
)
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.monitoring.alerts.alerts import Alert, update_alerts
from churn_spark.monitoring.policy.evidence import Evidence
from churn_spark.monitoring.policy.history import Entry
from churn_spark.monitoring.policy.policy import release
from churn_spark.monitoring.policy.policy_state import Decision
from churn_spark.monitoring.policy.reconcile import adopt_external, reconcile
from churn_spark.monitoring.policy.replayed import count_differences
from churn_spark.pipeline.ahead import end_alerts, move_human_decisions
from churn_spark.pipeline.dates import LogDates
from churn_spark.pipeline.withdraw import withdraw_ahead
from churn_spark.stores.alerts import read_alerts, read_open_alerts, write_alerts
from churn_spark.stores.decisions import read_entries, write_night
from churn_spark.timeline import LogSpan
from tests.local_lakehouse import open_local

TRUE, HELD, OUTAGE = date(2018, 12, 1), date(2031, 1, 1), date(2018, 12, 3)
SPAN = LogSpan(date(2018, 10, 1), date(2018, 12, 1))
_OF_NIGHT = ((SNAPSHOTS, "as_of"), (DATA_CHECKS, "run_date"))
_ALL = (
    *_OF_NIGHT,
    (BUILT_LISTS, "as_of"),
    (ALERTS, "run_date"),
    (USER_TOTALS, "before"),
)


@pytest.fixture
def lakehouse(tmp_path: Path) -> Lakehouse:
    """Rows of three dates in each table that has any, and a held night's decision on each."""
    made = open_local(tmp_path)
    for spec, column in _ALL:
        rows = pd.DataFrame([{**dict.fromkeys(spec.column_names), column: day} for day in _DATES])
        made.replace_rows(rows, spec, {column: _DATES})
    for day in _DATES:
        write_night(made, day, [decided(WAITS, BROKEN, day)])
    return made


_DATES = (TRUE, OUTAGE, HELD)
LOG = LogDates(SPAN, TRUE, frozenset({HELD}))
BROKEN = Evidence(1000, ("volume",))
WAITS = replace(START, waits_for_human="look at it")


def run_ahead(lakehouse: Lakehouse, *done: Entry) -> None:
    """A night ahead of the log on which a human did something before it was held."""
    assert done[-1].after is not None
    write_night(lakehouse, HELD, [*done, decided(done[-1].after, BROKEN, HELD)])


def dates_of(lakehouse: Lakehouse, spec: TableSpec, column: str) -> list[date]:
    return lakehouse.partition_values(spec, column)


def test_held_night_ahead_of_the_log_leaves_nothing(lakehouse: Lakehouse) -> None:
    assert withdraw_ahead(lakehouse, LOG, TRUE)
    for spec, column in (*_ALL, (DECISIONS, "run_date")):
        kept = {TRUE} if spec is USER_TOTALS else {TRUE, OUTAGE}
        assert {*dates_of(lakehouse, spec, column)} == kept, spec.name


def test_champion_that_a_human_named_on_a_night_taken_back_stays_champion(
    lakehouse: Lakehouse,
) -> None:
    adopted = adopt_external(read_entries(lakehouse)[1], "2", POLICY, HELD)
    run_ahead(lakehouse, adopted)
    registered = RegistryState("2", adopted.step, FIRST)
    assert withdraw_ahead(lakehouse, LOG, TRUE)
    entries = read_entries(lakehouse)
    assert [(e.decision.night, e.decision.rule) for e in entries] == [
        (TRUE, "data_checks"),
        (OUTAGE, "data_checks"),
        (OUTAGE, "human"),
    ]
    found = reconcile(entries, registered, POLICY, OUTAGE)
    # Only the registry's note has to be written anew.
    assert (found.champion, found.step) == ("2", entries[-1].step)
    assert found.entries == entries
    assert count_differences(entries) == 0


def test_release_of_a_night_taken_back_stays_also_after_a_kill(lakehouse: Lakehouse) -> None:
    decision = Decision(HELD, "keep", "released", "I have looked")
    run_ahead(lakehouse, Entry(0, decision, WAITS, None, release(WAITS), POLICY))
    # Killed before the night was taken back.
    move_human_decisions(lakehouse, [HELD], TRUE)
    assert withdraw_ahead(lakehouse, LOG, TRUE)
    entries = read_entries(lakehouse)
    assert [e.decision.rule for e in entries] == ["data_checks", "data_checks", "released"]
    assert entries[-1].decision.night == OUTAGE
    assert entries[-1].after is not None
    assert entries[-1].after.waits_for_human is None
    assert count_differences(entries) == 0


def test_alert_that_opened_on_a_night_taken_back_ends_where_it_was_told(
    lakehouse: Lakehouse,
) -> None:
    day = date(2018, 12, 4)
    told, known_to_none, older = (
        Alert("data:freshness", "critical", "old", HELD, HELD, HELD),
        Alert("data:volume", "critical", "few", HELD, HELD, None),
        Alert("data:rows", "info", "few", TRUE, HELD, TRUE),
    )
    waits = Alert("policy:waits", "critical", "look at it", OUTAGE, OUTAGE, OUTAGE)
    write_alerts(lakehouse, OUTAGE, [waits], [])
    write_alerts(lakehouse, HELD, [told, known_to_none, older], [])
    # Killed before the night was taken back.
    end_alerts(lakehouse, [HELD], day)
    assert withdraw_ahead(lakehouse, LOG, day)
    # A night that dies before it tells of alerts leaves those that are open where they were.
    assert read_alerts(lakehouse, [day]) == []
    [ended, still_open] = read_open_alerts(lakehouse, day)
    assert (ended.key, ended.resolved, ended.last_told) == ("data:freshness", OUTAGE, None)
    assert still_open == waits
    config = load_config().alerts
    assert [one.change for one in update_alerts([ended], [], config, day, is_judged=True)[1]] == [
        "resolved"
    ]


@pytest.mark.parametrize(
    ("failed", "end", "night"),
    [
        # Sound, within the log, or before the night.
        ((), SPAN.end, TRUE),
        ((OUTAGE,), date(2018, 12, 5), TRUE),
        ((OUTAGE,), SPAN.end, OUTAGE),
    ],
)
def test_other_nights_stay(
    failed: tuple[date, ...], end: date, night: date, lakehouse: Lakehouse
) -> None:
    log = LogDates(LogSpan(SPAN.start, end), TRUE, frozenset(failed))
    assert not withdraw_ahead(lakehouse, log, night)
    assert {*dates_of(lakehouse, DATA_CHECKS, "run_date")} == {*_DATES}
