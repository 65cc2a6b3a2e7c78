"""The alerts of a night: kept in their table, and sent to who must know."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date as Date
from datetime import timedelta
from functools import partial
from typing import Final

from pyspark.sql import Row

from churn_spark.config import AlertsConfig, PolicyConfig
from churn_spark.contracts.tables import PERFORMANCE
from churn_spark.lakehouse.selection import Between, Where
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.monitoring.alerts.alerts import (
    FEW_USERS,
    as_not_told,
    find_in_data,
    find_in_decision,
    find_in_files,
    is_looked_at,
    is_severe,
    update_alerts,
)
from churn_spark.monitoring.alerts.cancellations import KIND as CANCELLATION_ALERTS
from churn_spark.monitoring.alerts.cancellations import find_in_cancellations
from churn_spark.monitoring.alerts.joint import find_joint_drift
from churn_spark.monitoring.alerts.labels import find_in_labels
from churn_spark.monitoring.alerts.rates import find_in_rates
from churn_spark.monitoring.alerts.reruns import end_of_rerun, goes_on_after_rerun, not_told_yet
from churn_spark.monitoring.alerts.sinks import deliver
from churn_spark.monitoring.alerts.unmeasured import find_unmeasured
from churn_spark.monitoring.data_quality.checks import CheckResult
from churn_spark.monitoring.performance.arrival import ARRIVAL
from churn_spark.monitoring.performance.cancellations import CANCELLATIONS
from churn_spark.monitoring.policy.history import Entry
from churn_spark.pipeline.monitor import Drift
from churn_spark.stores.alerts import (
    has_later_alerts,
    read_alerts,
    read_open_alerts,
    write_alerts,
)
from churn_spark.stores.files import read_changed_files

_WEEKS_UNTOLD: Final = timedelta(weeks=8)


def notify(
    lakehouse: Lakehouse,
    date: Date,
    tonight: Sequence[Entry],
    checks: Sequence[CheckResult],
    drift: Drift,
    config: AlertsConfig,
    policy: PolicyConfig,
    took_over: Date | None = None,
) -> tuple[str, ...]:
    """Send what is new and replace the alerts of the date; returns the severe ones' keys.

    What an earlier run of the date has told, and a receiver has taken, is not sent again.
    Sent first, so that what no receiver took is known to be due again on the next night.
    Nothing is decided where no model can be used: then only the data can be in trouble, and only
    alerts about them end.

    Args:
        lakehouse: with what was measured, and the alerts of the nights before.
        date: of the night.
        tonight: what was decided, in its order.
        checks: the night's data checks.
        drift: the night's drift.
        config: who is notified, and of what.
        policy: the thresholds.
        took_over: newest night on which another model came into use; none where none has.
    """
    is_sound = all(check.passed for check in checks)
    findings = [*find_in_data(checks), *find_in_files(read_changed_files(lakehouse))]
    of_night: Where = {"run_date": [date], "basis": [ARRIVAL, CANCELLATIONS]}
    measured = lakehouse.collect_rows(PERFORMANCE, of_night)
    cancelled = [row for row in measured if row["basis"] == CANCELLATIONS]
    findings += find_in_labels([row for row in measured if row["basis"] == ARRIVAL])
    for entry in tonight:
        findings += find_in_decision(entry.after, entry.decision, policy, entry.evidence)
        findings += find_joint_drift(entry.after, entry.evidence, policy)
    if tonight and is_sound:
        findings += find_in_rates(drift.rows, config)
        findings += find_in_cancellations(cancelled, config)
    is_judged = is_sound and bool(tonight)
    open_alerts, stored = read_open_alerts(lakehouse, date), read_alerts(lakehouse, [date])
    unmeasured = find_unmeasured(tonight, policy, [*open_alerts, *stored], took_over)
    uncounted = () if is_judged else (FEW_USERS,)
    unjudged = (*_unjudged(lakehouse, date, cancelled), *unmeasured, *uncounted)
    alerts, notices = update_alerts(open_alerts, findings, config, date, is_judged, unjudged)
    if not has_later_alerts(lakehouse, date):
        is_seen = partial(is_looked_at, unjudged=unjudged, is_judged=is_judged)
        ended, ends = end_of_rerun(stored, {alert.key for alert in alerts}, date, is_seen)
        reminders = goes_on_after_rerun(stored, alerts, date)
        reminded = {notice.alert.key: notice.alert for notice in reminders}
        alerts = (*(reminded.get(alert.key, alert) for alert in alerts), *ended)
        notices = (*notices, *ends, *reminders)
    unsent = not_told_yet(notices, stored, date)
    deliveries = deliver(unsent, config)
    if deliveries and not any(one.arrived for one in deliveries):
        alerts = as_not_told(alerts, unsent, config)
    write_alerts(lakehouse, date, alerts, notices)
    return tuple(
        alert.key for alert in alerts if alert.resolved is None and is_severe(alert, config)
    )


def _unjudged(lakehouse: Lakehouse, date: Date, cancelled: Sequence[Row]) -> tuple[str, ...]:
    """What can't be seen to end: that fewer cancel, or more, where no cancellation is known.

    Once nothing has been told of cancellations for weeks, they are not counted here any more.
    """
    if any(row["n_positive"] for row in cancelled):
        return ()
    weeks = Between(date - _WEEKS_UNTOLD, date)
    lately: Where = {"run_date": weeks, "basis": [CANCELLATIONS]}
    return (CANCELLATION_ALERTS,) if lakehouse.count_rows(PERFORMANCE, lately) else ()
