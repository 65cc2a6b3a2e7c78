"""What a night tells, in real tables without Spark: also when it is run again or can't judge."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from local_lakehouse import open_local
from nights import DRIFTED, IN_A_GAP, POLICY, QUIET, START, TOLD_APART, decided, night
from pyspark.sql import Row
from receivers import Receiver, started

from churn_spark.config import load_config
from churn_spark.contracts.tables import ALERTS
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.monitoring.alerts.alerts import Alert
from churn_spark.monitoring.data_quality.checks import CheckResult
from churn_spark.monitoring.policy.evidence import Evidence
from churn_spark.monitoring.policy.history import Entry
from churn_spark.monitoring.policy.policy_state import Decision, PolicyState, Streak
from churn_spark.pipeline.monitor import Drift
from churn_spark.pipeline.notify import notify
from churn_spark.stores.alerts import read_alerts, read_open_alerts

ALERTS_CONFIG = load_config().alerts
PASSED = CheckResult("volume", 100.0, "50 to 200", True, "100 events")
FAILED = CheckResult("volume", 40.0, "50 to 200", False, "40 events")
NO_DRIFT = Drift()


@pytest.fixture
def lakehouse(tmp_path: Path) -> Lakehouse:
    return open_local(tmp_path)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with started([200]) as made:
        yield made


def tell(
    lakehouse: Lakehouse,
    day: date,
    checks: Sequence[CheckResult] = (PASSED,),
    tonight: Sequence[Entry] = (),
    url: str = "",
    took_over: date | None = None,
    drift: Drift = NO_DRIFT,
) -> tuple[str, ...]:
    config = ALERTS_CONFIG.model_copy(update={"webhook_url": url, "attempts": 1})
    return notify(lakehouse, day, tonight, checks, drift, config, POLICY, took_over)


def stored(lakehouse: Lakehouse, day: date) -> dict[str, Alert]:
    return {alert.key: alert for alert in read_alerts(lakehouse, [day])}


def got(receiver: Receiver) -> list[tuple[str, str]]:
    """The changes that it was told of, and of which alert."""
    told = [json.loads(body) for _, body in receiver.got]
    return [(one["change"], one["alert"]["key"]) for message in told for one in message["notices"]]


def test_alert_that_a_mended_night_had_opened_ends_when_it_is_run_again(
    lakehouse: Lakehouse, receiver: Receiver
) -> None:
    for checks in ([FAILED], [PASSED], [PASSED]):
        tell(lakehouse, night(1), checks, url=receiver.url)
    assert got(receiver) == [("opened", "data:volume"), ("resolved", "data:volume")]
    assert stored(lakehouse, night(1))["data:volume"].resolved == night(1)
    assert [row.change for row in lakehouse.collect_rows(ALERTS)] == ["resolved"]
    assert read_open_alerts(lakehouse, night(2)) == []
    # Broken once more, it opens once more.
    assert tell(lakehouse, night(1), [FAILED], url=receiver.url) == ("data:volume",)
    assert got(receiver)[2:] == [("opened", "data:volume")]


def test_alert_that_a_later_night_has_open_is_not_told_over(
    lakehouse: Lakehouse, receiver: Receiver
) -> None:
    for number in (1, 2):
        tell(lakehouse, night(number), [FAILED], url=receiver.url)
    tell(lakehouse, night(1), [PASSED], url=receiver.url)
    tell(lakehouse, night(3), [FAILED], url=receiver.url)
    assert got(receiver) == [("opened", "data:volume")]
    assert stored(lakehouse, night(3))["data:volume"].resolved is None


def test_rerun_that_can_not_judge_ends_no_alert_of_the_model(
    lakehouse: Lakehouse, receiver: Receiver
) -> None:
    waits = [decided(replace(START, waits_for_human="look at it"), QUIET, night(1))]
    tell(lakehouse, night(1), [PASSED], waits, url=receiver.url)
    before = stored(lakehouse, night(1))["policy:waits"]
    tell(lakehouse, night(1), [FAILED], url=receiver.url)
    assert got(receiver) == [("opened", "policy:waits"), ("opened", "data:volume")]
    assert stored(lakehouse, night(1))["policy:waits"] == before


def told_again(lakehouse: Lakehouse, receiver: Receiver, day: date, *checks: CheckResult) -> bool:
    """Whether a night tells anything when it is run a second and a third time."""
    before, rows = len(receiver.got), lakehouse.collect_rows(ALERTS)
    for _ in range(2):
        tell(lakehouse, day, checks, url=receiver.url)
    assert lakehouse.collect_rows(ALERTS) == rows
    return len(receiver.got) > before


def test_night_that_is_run_again_leaves_the_same_alerts_and_tells_nothing_twice(
    lakehouse: Lakehouse, receiver: Receiver
) -> None:
    remind = 1 + ALERTS_CONFIG.remind_days
    for number in (1, remind):
        tell(lakehouse, night(number), [FAILED], url=receiver.url)
        assert not told_again(lakehouse, receiver, night(number), FAILED)
    for number in (remind + 1, remind + 2):
        tell(lakehouse, night(number), [PASSED], url=receiver.url)
        assert not told_again(lakehouse, receiver, night(number), PASSED)
    key = "data:volume"
    assert got(receiver) == [("opened", key), ("reminder", key), ("resolved", key)]


def test_night_that_is_run_again_tells_only_what_is_new(
    lakehouse: Lakehouse, receiver: Receiver
) -> None:
    tell(lakehouse, night(1), [FAILED], url=receiver.url)
    tell(lakehouse, night(1), [FAILED, replace(FAILED, name="freshness")], url=receiver.url)
    assert got(receiver) == [("opened", "data:volume"), ("opened", "data:freshness")]


def test_alert_that_is_more_severe_when_the_night_is_run_again_is_told_over(
    lakehouse: Lakehouse, receiver: Receiver
) -> None:
    notices = []
    for is_sure in (False, True, False):
        streak = Streak("roc_auc", night(0), POLICY.bad_windows if is_sure else 1)
        state = replace(START, streaks=(streak,))
        tell(lakehouse, night(1), [PASSED], [decided(state, QUIET, night(1))], url=receiver.url)
        notices.append(len(receiver.got))
    assert notices == [1, 2, 2]


def test_notice_that_no_receiver_took_is_sent_when_the_night_is_run_again(
    lakehouse: Lakehouse, receiver: Receiver
) -> None:
    with started([500]) as unwilling:
        tell(lakehouse, night(1), [FAILED], url=unwilling.url)
    tell(lakehouse, night(1), [FAILED], url=receiver.url)
    assert got(receiver) == [("opened", "data:volume")]
    assert stored(lakehouse, night(1))["data:volume"].last_told == night(1)


def test_alert_whose_end_was_told_is_told_to_go_on_when_its_finding_is_back(
    lakehouse: Lakehouse, receiver: Receiver
) -> None:
    tell(lakehouse, night(1), [FAILED], url=receiver.url)
    for number in (2, 3):
        tell(lakehouse, night(number), [PASSED], url=receiver.url)
    tell(lakehouse, night(3), [FAILED], url=receiver.url)
    assert not told_again(lakehouse, receiver, night(3), FAILED)
    key = "data:volume"
    assert got(receiver) == [("opened", key), ("resolved", key), ("reminder", key)]
    assert stored(lakehouse, night(3))[key].resolved is None


def test_alert_that_a_rerun_could_not_judge_is_not_told_over_by_the_next_one(
    lakehouse: Lakehouse, receiver: Receiver
) -> None:
    waits = [decided(replace(START, waits_for_human="look at it"), QUIET, night(1))]
    for checks in ([PASSED], [FAILED], [PASSED]):
        tell(lakehouse, night(1), checks, waits, url=receiver.url)
    opened = [key for change, key in got(receiver) if change == "opened"]
    assert sorted(opened) == ["data:volume", "policy:waits"]


def test_end_that_no_receiver_took_in_a_rerun_is_sent_again(
    lakehouse: Lakehouse, receiver: Receiver
) -> None:
    tell(lakehouse, night(1), [FAILED], url=receiver.url)
    with started([500]) as unwilling:
        tell(lakehouse, night(1), url=unwilling.url)
    tell(lakehouse, night(1), url=receiver.url)
    tell(lakehouse, night(2), url=receiver.url)
    assert got(receiver) == [("opened", "data:volume"), ("resolved", "data:volume")]


def test_alert_that_nobody_was_told_of_leaves_nothing_when_the_night_is_mended(
    lakehouse: Lakehouse,
) -> None:
    with started([500]) as unwilling:
        tell(lakehouse, night(1), [FAILED], url=unwilling.url)
        tell(lakehouse, night(1), url=unwilling.url)
    assert stored(lakehouse, night(1)) == {}
    assert lakehouse.count_rows(ALERTS) == 0


def live(
    lakehouse: Lakehouse,
    *evidence: Evidence,
    state: PolicyState = START,
    took_over: date | None = None,
) -> PolicyState:
    """Decide nights one after the other, and tell what is found."""
    for number, known in enumerate(evidence, start=4):
        checks = [FAILED] if known.failed_checks else [PASSED]
        entry = decided(state, known, night(number))
        assert entry.after is not None
        state = entry.after
        tell(lakehouse, night(number), checks, [entry], took_over=took_over)
    return state


def test_alert_of_drift_stays_as_it_was_on_nights_that_measured_none(lakehouse: Lakehouse) -> None:
    few = replace(DRIFTED, n_rows=3)
    held = replace(few, failed_checks=("volume",))
    live(lakehouse, DRIFTED, DRIFTED, held, few, few, few, IN_A_GAP, IN_A_GAP, IN_A_GAP)
    before, after = (stored(lakehouse, night(number)) for number in (5, 12))
    for key in ("drift:moved", "model:drifted"):
        assert "1 of 3 features has drifted" in after[key].sentence
        assert after[key] == before[key]


def test_alert_of_drift_from_a_champion_before_ends_on_nights_that_measured_none(
    lakehouse: Lakehouse,
) -> None:
    live(lakehouse, DRIFTED, DRIFTED, IN_A_GAP, IN_A_GAP, took_over=night(5))
    alerts = stored(lakehouse, night(7))
    assert [alerts[key].resolved for key in ("drift:moved", "model:drifted")] == [night(7)] * 2


def test_alert_of_shares_ends_only_on_nights_that_compared_them(lakehouse: Lakehouse) -> None:
    rates = {"missing_rate_baseline": 0.01, "zero_rate_baseline": None, "zero_rate_current": None}
    more = {"missing_rate_current": 0.05, "missing_p_value": 1e-9, "zero_p_value": None}
    changed = Drift((Row(feature="songs", is_trending=False, **rates, **more),))
    few = replace(QUIET, n_rows=3)
    for number, known in enumerate([QUIET, IN_A_GAP, IN_A_GAP, IN_A_GAP, few, few], start=4):
        entry = decided(START, known, night(number))
        found = changed if number == 4 else NO_DRIFT
        tell(lakehouse, night(number), [PASSED], [entry], drift=found)
    assert stored(lakehouse, night(7))["rate:missing"].nights_clear == 0
    assert stored(lakehouse, night(9))["rate:missing"].resolved == night(9)


def test_alert_of_too_few_users_stays_while_a_retraining_is_under_way(
    lakehouse: Lakehouse,
) -> None:
    few = replace(QUIET, n_rows=3)
    held = replace(few, failed_checks=("volume",))
    live(lakehouse, *[few] * 9, held, held, held, few)
    rows = [row for row in lakehouse.collect_rows(ALERTS) if row.key == "data:rows"]
    changes = [row.change for row in sorted(rows, key=lambda row: row.run_date)]
    assert (len(changes), changes[0]) == (13, "opened")
    assert {"opened", "resolved"}.isdisjoint(changes[1:])


def test_alert_of_all_features_at_once_ends_only_on_nights_that_tested_them(
    lakehouse: Lakehouse,
) -> None:
    apart, untested = replace(QUIET, joint=TOLD_APART), replace(QUIET, joint=None)
    state = live(lakehouse, apart, untested, untested, untested)
    alert = stored(lakehouse, night(7))["drift:joint"]
    assert (alert.opened, alert.nights_clear, alert.resolved) == (night(4), 0, None)
    mended = replace(QUIET, joint=replace(TOLD_APART, auc=0.5, low=0.48))
    for number in (8, 9):
        entry = decided(state, mended, night(number))
        assert entry.after is not None
        state = entry.after
        tell(lakehouse, night(number), [PASSED], [entry])
    assert stored(lakehouse, night(9))["drift:joint"].resolved == night(9)


def test_alerts_of_the_model_stay_on_nights_that_no_model_can_be_used_on(
    lakehouse: Lakehouse,
) -> None:
    waits = replace(START, waits_for_human="look at it")
    tell(lakehouse, night(1), [FAILED], [decided(waits, QUIET, night(1))])
    for number in (2, 3, 4):
        tell(lakehouse, night(number), [PASSED], [])
    alerts = stored(lakehouse, night(4))
    assert {key: (one.nights_clear, one.resolved) for key, one in alerts.items()} == {
        "policy:waits": (0, None)
    }
    assert stored(lakehouse, night(3))["data:volume"].resolved == night(3)


def test_figures_of_the_night_are_told_beside_a_challenger_that_was_dropped(
    lakehouse: Lakehouse,
) -> None:
    known = decided(live(lakehouse, DRIFTED), DRIFTED, night(5))
    unfit = Decision(night(5), "reject", "unfit", "it knows other features", "2")
    assert known.before is not None
    dropped = Entry(0, unfit, known.before, None, known.before, POLICY)
    tell(lakehouse, night(5), [PASSED], [dropped, known])
    assert "1 of 3 features has drifted" in stored(lakehouse, night(5))["drift:moved"].sentence
