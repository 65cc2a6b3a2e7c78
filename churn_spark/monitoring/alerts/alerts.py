"""Which alerts open, stay and end, so that one finding is one alert however often it shows.

An alert opens on the first night with its finding, and a notice of it is sent. It ends after some
nights in a row without the finding, so that a finding that comes and goes is still one alert. While
it is open, another notice is sent after a week, and at once when it gets more severe. A notice that
no receiver took, that of the end too, is sent again on the next night. On a night without data
nothing ends.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final, Literal

from churn_spark.churn_words import in_words
from churn_spark.config import AlertsConfig, PolicyConfig
from churn_spark.monitoring.data_quality.checks import CheckResult
from churn_spark.monitoring.drift.movement import Movement
from churn_spark.monitoring.policy.evidence import Evidence
from churn_spark.monitoring.policy.policy import PREDICTION
from churn_spark.monitoring.policy.policy_state import Decision, PolicyState
from churn_spark.monitoring.policy.triggers import (
    bad_nights_of,
    describe_few_users,
    is_drift_confirmed,
)
from churn_spark.wording import count_of, name_some

Severity = Literal["info", "warning", "critical"]
Change = Literal["opened", "worsened", "reminder", "resolved"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")
MOVED: Final = "drift:moved"
"""Key of the alert that features have drifted."""
CONFIRMED_DRIFT: Final = "model:drifted"
"""Key of the alert that what has moved matters to the model."""
FEW_USERS: Final = "data:rows"
"""Key of the alert that there are too few users to judge drift by."""
_NAMED: Final = 3
_DOUBTFUL: Final = timedelta(weeks=8)
"""After so long, too few bad windows to act on are no finding any more: where none after them has
enough cancels for a verdict, nothing else would end it."""


@dataclass(frozen=True)
class Finding:
    """Something that is wrong tonight.

    Attributes:
        key: names the alert; the same one on every night of the same trouble.
        severity: info: to know; warning: the model may suffer; critical: someone must act.
        sentence: what was found, with the numbers.
    """

    key: str
    severity: Severity
    sentence: str


@dataclass(frozen=True)
class Alert:
    """One alert; its key and the date it opened on name it for good.

    Attributes:
        key: of its finding.
        severity: the highest so far.
        sentence: of the newest finding.
        opened: first night with the finding.
        last_seen: newest night with it.
        last_told: newest night on which a notice of it was sent; none where no receiver took it.
        nights_clear: nights in a row without it, of those that were judged.
        resolved: night on which it ended; none while it is open.
    """

    key: str
    severity: Severity
    sentence: str
    opened: date
    last_seen: date
    last_told: date | None
    nights_clear: int = 0
    resolved: date | None = None

    @property
    def goes_on(self) -> bool:
        """Whether later nights have to do with it: it is open, or no receiver took its end."""
        return self.resolved is None or self.last_told is None


@dataclass(frozen=True)
class Notice:
    """What is sent of an alert on a night, and why."""

    change: Change
    alert: Alert


def find_in_data(checks: Iterable[CheckResult]) -> tuple[Finding, ...]:
    """A finding for each data check that failed."""
    return tuple(
        Finding(f"data:{check.name}", "critical", check.sentence)
        for check in checks
        if not check.passed
    )


def find_in_files(changed: Sequence[str]) -> tuple[Finding, ...]:
    """What is wrong with the input: files that were changed after they had been read.

    Args:
        changed: their paths.
    """
    if not changed:
        return ()
    sentence = (
        f"{count_of(len(changed), 'file was', 'files were')} changed after being read, and their "
        f"new content is not loaded: {name_some(changed, _NAMED)}; `ingest_events --reload "
        "changed` replaces the events read from them before"
    )
    return (Finding("data:changed_files", "warning", sentence),)


def find_in_decision(
    state: PolicyState | None,
    decision: Decision,
    config: PolicyConfig,
    evidence: Evidence | None = None,
) -> tuple[Finding, ...]:
    """What is wrong as of a decision.

    Args:
        state: after the decision; none before the first training.
        decision: of the night.
        config: the policy's thresholds.
        evidence: that it was decided by; none where a human decided.
    """
    return tuple(_find_in_decision(state, decision, config, evidence))


def _find_in_decision(
    state: PolicyState | None, decision: Decision, config: PolicyConfig, evidence: Evidence | None
) -> Iterator[Finding]:
    if evidence is not None and _lacks_users(evidence, config):
        yield Finding(FEW_USERS, "info", describe_few_users(evidence, config))
    if decision.kind == "roll_back":
        yield Finding("model:rolled_back", "critical", decision.reason)
    if state is None:
        return
    if state.waits_for_human is not None:
        yield Finding("policy:waits", "critical", state.waits_for_human)
    for streak in state.streaks:
        is_sure = streak.n_bad >= config.bad_windows
        if streak.n_bad and (is_sure or decision.night - streak.window_end <= _DOUBTFUL):
            windows = f"{streak.n_bad} windows in a row" if streak.n_bad > 1 else "1 window"
            yield Finding(
                f"performance:{streak.metric}",
                "critical" if is_sure else "warning",
                f"{streak.metric} is significantly worse than its reference on {windows}, the "
                f"newest until {streak.window_end}",
            )
    if evidence is None or not evidence.measures_drift(config):
        # What nights before have found stays as they have told it.
        return
    # What has moved is worth a look. It is trouble once the nights say so. Either is one finding,
    # however many features show it.
    movement = Movement.of(state.breached, evidence.features, evidence.prediction).describe()
    if state.breached:
        features = [name for name in state.breached if name != PREDICTION]
        named = f" ({name_some(features, _NAMED)})" if features else ""
        yield Finding(MOVED, "info", f"compared with the training rows {movement}{named}")
    if is_drift_confirmed(state, config):
        yield Finding(CONFIRMED_DRIFT, "warning", f"{bad_nights_of(state)}; now {movement}")


def _lacks_users(evidence: Evidence, config: PolicyConfig) -> bool:
    """Whether it is of a night that had too few, whatever was decided on it."""
    of_night = evidence.wander is None and evidence.order is None and not evidence.failed_checks
    return of_night and not evidence.tells_drift(config)


def update_alerts(
    open_alerts: Iterable[Alert],
    findings: Iterable[Finding],
    config: AlertsConfig,
    today: date,
    is_judged: bool,
    unjudged: Collection[str] = (),
) -> tuple[tuple[Alert, ...], tuple[Notice, ...]]:
    """The alerts after tonight, those whose end is told tonight among them, and what to notify of.

    Args:
        open_alerts: from the night before; of those that ended only the ends that are still to be
            told count.
        findings: of tonight; of several with one key the most severe counts.
        config: when alerts end, and when to remind of them.
        today: the night.
        is_judged: false when the data failed: only alerts about the data can be seen to end.
        unjudged: how the keys begin of what could not be looked at tonight: none of it ends.

    Returns:
        The alerts and the notices, each by key.
    """
    worst: dict[str, Finding] = {}
    for finding in findings:
        rival = worst.get(finding.key)
        if rival is None or _rank(finding.severity) > _rank(rival.severity):
            worst[finding.key] = finding
    known = {alert.key: alert for alert in open_alerts if alert.goes_on}
    alerts, notices = [], []
    for key in sorted({*known, *worst}):
        is_seen = is_looked_at(key, unjudged, is_judged=is_judged)
        alert, notice = _update(known.get(key), worst.get(key), config, today, is_seen)
        alerts.append(alert)
        notices += [notice] if notice else []
    return tuple(alerts), tuple(notices)


def is_looked_at(key: str, unjudged: Collection[str], *, is_judged: bool) -> bool:
    """Whether tonight could see an alert of the key end; for the others see `update_alerts`."""
    return (is_judged or key.startswith("data:")) and not key.startswith((*unjudged,))


def as_not_told(
    alerts: Iterable[Alert], notices: Iterable[Notice], config: AlertsConfig
) -> tuple[Alert, ...]:
    """The alerts where no receiver took tonight's notices: they are due again on the next night."""
    lost = {notice.alert.key for notice in notices if is_worth_notifying(notice, config)}
    return tuple(replace(alert, last_told=None) if alert.key in lost else alert for alert in alerts)


def severity_order(severity: str) -> int:
    """A sort key: the most severe first."""
    return -_rank(severity)


def is_worth_notifying(notice: Notice, config: AlertsConfig) -> bool:
    """Whether the notice goes to the receivers, and not only to the log."""
    return is_severe(notice.alert, config)


def is_severe(alert: Alert, config: AlertsConfig) -> bool:
    """Whether the alert is severe enough to be sent, and to count at the end of a night."""
    return _rank(alert.severity) >= _rank(config.min_severity)


def _update(
    alert: Alert | None, finding: Finding | None, config: AlertsConfig, today: date, is_seen: bool
) -> tuple[Alert, Notice | None]:
    if alert is None or (finding and alert.resolved):
        assert finding is not None
        opened = Alert(
            finding.key, finding.severity, in_words(finding.sentence), today, today, today
        )
        return opened, Notice("opened", opened)
    if alert.resolved:
        again = replace(alert, last_told=today)
        return again, Notice("resolved", again)
    if finding is None:
        clear = replace(alert, nights_clear=alert.nights_clear + is_seen)
        if alert.last_told is None:
            # Its notice was lost. Before its end is told, it has to be known.
            told_again = replace(clear, last_told=today)
            return told_again, Notice("reminder", told_again)
        if not is_seen or clear.nights_clear < config.clear_nights:
            return clear, None
        resolved = replace(clear, resolved=today, last_told=today)
        return resolved, Notice("resolved", resolved)
    is_worse = _rank(finding.severity) > _rank(alert.severity)
    kept = replace(
        alert,
        severity=finding.severity if is_worse else alert.severity,
        sentence=in_words(finding.sentence),
        last_seen=today,
        nights_clear=0,
    )
    told = alert.last_told
    if is_worse or told is None or (today - told).days >= config.remind_days:
        notified = replace(kept, last_told=today)
        return notified, Notice("worsened" if is_worse else "reminder", notified)
    return kept, None


def _rank(severity: str) -> int:
    order: tuple[str, ...] = SEVERITIES
    return order.index(severity)
