"""What a night tells, and what it takes back when its data are found to be broken."""

from __future__ import annotations

from datetime import date

import pandas as pd
from builders import write_rows
from nights import DRIFTED, QUIET, START, decided, night

from bench.alert_history import read_alerts
from churn_spark.contracts.tables import DRIFT, PERFORMANCE, SCORES, TableSpec
from churn_spark.monitoring.data_quality.checks import CheckResult
from churn_spark.monitoring.policy.history import Entry
from churn_spark.pipeline.context import JobContext
from churn_spark.pipeline.monitor import Drift, read_drift
from churn_spark.pipeline.notify import notify
from churn_spark.pipeline.withdraw import withdraw

PASSED = CheckResult("volume", 100.0, "50 to 200", True, "100 events")
FAILED = CheckResult("freshness", 40.0, "at most 24 hours", False, "40 hours old")
ZEROS = {
    "feature": "songs_7d", "comparison": "training", "slice": "all", "is_trending": False,
    "zero_rate_baseline": 0.1, "zero_rate_current": 0.2, "zero_p_value": 1e-9,
}  # fmt: skip


def tell(
    context: JobContext, day: date, tonight: list[Entry], checks: list[CheckResult]
) -> tuple[str, ...]:
    is_sound = all(check.passed for check in checks)
    drift = read_drift(context.lakehouse, day) if tonight and is_sound else Drift()
    config = context.config
    return notify(context.lakehouse, day, tonight, checks, drift, config.alerts, config.policy)


def dates_of(context: JobContext, spec: TableSpec, column: str) -> list[object]:
    return sorted(row[column] for row in context.lakehouse.read(spec).collect())


def test_night_found_broken_withdraws_what_it_said_and_no_other_does(context: JobContext) -> None:
    for spec, column in ((SCORES, "as_of"), (DRIFT, "run_date")):
        write_rows(context, spec, pd.DataFrame({column: [night(1), night(2), night(2)]}))
    withdraw(context.lakehouse, night(2))
    assert dates_of(context, SCORES, "as_of") == [night(1)]
    assert dates_of(context, DRIFT, "run_date") == [night(1)]
    assert not context.lakehouse.exists(PERFORMANCE)


def test_alerts_follow_the_data_the_decision_and_the_shares(context: JobContext) -> None:
    drift = [ZEROS | {"run_date": night(2)}, ZEROS | {"run_date": night(3), "slice": "level=paid"}]
    write_rows(context, DRIFT, pd.DataFrame(drift))
    held = decided(START, QUIET, night(1))
    # On a night whose data failed, drift is neither looked at nor needed.
    assert tell(context, night(1), [held], [PASSED, FAILED]) == ("data:freshness",)
    # Nothing is severe but what is still open.
    told = tell(context, night(2), [decided(START, DRIFTED, night(2))], [PASSED])
    assert told == ("data:freshness",)
    opened = {alert.key: alert.opened for alert in read_alerts(context.lakehouse)}
    assert opened == {
        "data:freshness": night(1),
        "drift:moved": night(2),
        "rate:zero": night(2),
    }


def test_alerts_about_the_data_end_where_nothing_is_decided(context: JobContext) -> None:
    tell(context, night(1), [], [FAILED])
    assert tell(context, night(2), [], [PASSED]) == ("data:freshness",)
    assert tell(context, night(3), [], [PASSED]) == ()
    [alert] = read_alerts(context.lakehouse)
    assert alert.resolved == night(3)
