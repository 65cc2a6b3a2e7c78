"""One finding is one alert: opening, staying, worsening, reminding, ending."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from nights import DRIFTED, POLICY, QUIET, START, challenger, change, fact, night, run

from churn_spark.config import load_config
from churn_spark.monitoring.alerts.alerts import (
    Alert,
    Finding,
    Notice,
    as_not_told,
    find_in_data,
    find_in_decision,
    find_in_files,
    is_worth_notifying,
    update_alerts,
)
from churn_spark.monitoring.data_quality.checks import CheckResult
from churn_spark.monitoring.policy.evidence import Evidence, ProbationComparison, Wander
from churn_spark.monitoring.policy.policy_state import Decision, PolicyState
from churn_spark.monitoring.policy.triggers import bad_nights_of

CONFIG = load_config().alerts
SONGS = Finding("drift:songs", "info", "songs has moved")
WORSE = Finding("drift:songs", "warning", "songs has moved")


def live(
    findings: list[list[Finding]], judged: list[bool] | None = None
) -> tuple[tuple[Alert, ...], list[list[tuple[str, str]]]]:
    """The alerts after some nights, and what was sent on each."""
    alerts: tuple[Alert, ...] = ()
    sent = []
    for number, of_night in enumerate(findings):
        is_judged = judged[number] if judged else True
        alerts, notices = update_alerts(alerts, of_night, CONFIG, night(number), is_judged)
        sent.append([(notice.change, notice.alert.key) for notice in notices])
    return alerts, sent


def test_alert_opens_once_and_ends_after_two_clear_nights() -> None:
    alerts, sent = live([[SONGS], [SONGS], [], []])
    assert sent == [[("opened", "drift:songs")], [], [], [("resolved", "drift:songs")]]
    [alert] = alerts
    assert (alert.opened, alert.last_seen, alert.resolved) == (night(0), night(1), night(3))


@given(st.lists(st.booleans(), max_size=40))
def test_finding_that_pauses_for_one_night_is_still_the_same_alert(pauses: list[bool]) -> None:
    nights: list[list[Finding]] = [[SONGS]]
    for pause in pauses:
        nights += [[], [SONGS]] if pause else [[SONGS]]
    alerts, sent = live(nights)
    assert sum(notice == ("opened", "drift:songs") for notices in sent for notice in notices) == 1
    assert [(alert.opened, alert.resolved) for alert in alerts] == [(night(0), None)]


def test_alert_opens_anew_when_its_finding_comes_back_after_the_end() -> None:
    alerts, sent = live([[SONGS], [], [], [SONGS]])
    assert sent[-1] == [("opened", "drift:songs")]
    assert [alert.opened for alert in alerts] == [night(3)]


def test_end_that_no_receiver_took_is_told_on_the_next_night_once() -> None:
    alert = Alert("drift:songs", "warning", "songs has moved", night(0), night(0), night(0))
    alerts: tuple[Alert, ...] = (alert,)
    sent = []
    for number in range(1, 7):
        alerts, notices = update_alerts(alerts, [], CONFIG, night(number), is_judged=number != 4)
        sent.append([notice.change for notice in notices])
        if number < 4:
            alerts = as_not_told(alerts, notices, CONFIG)
        told = [(one.resolved, one.last_told) for one in alerts]
        if number == 4:
            assert told == [(night(2), night(4))]
    assert sent == [[], ["resolved"], ["resolved"], ["resolved"], [], []]


def test_beginning_that_no_receiver_took_is_told_before_the_end() -> None:
    alerts, notices = update_alerts((), [WORSE], CONFIG, night(0), is_judged=True)
    alerts, sent = as_not_told(alerts, notices, CONFIG), []
    # On the second night nothing could be looked at.
    for number in range(1, 6):
        alerts, notices = update_alerts(alerts, [], CONFIG, night(number), is_judged=number != 1)
        sent.append([notice.change for notice in notices])
        if number < 3:
            alerts = as_not_told(alerts, notices, CONFIG)
    assert sent == [["reminder"], ["reminder"], ["reminder"], ["resolved"], []]


def test_alert_opens_anew_whose_end_no_receiver_took() -> None:
    ended = Alert("drift:songs", "info", "x", night(0), night(0), None, 2, night(2))
    [alert], [notice] = update_alerts([ended], [WORSE], CONFIG, night(3), is_judged=True)
    assert notice == Notice("opened", alert)
    assert (alert.opened, alert.severity, alert.resolved) == (night(3), "warning", None)


def test_alert_is_told_at_once_when_it_worsens_and_again_after_a_week() -> None:
    _, sent = live([[SONGS], [WORSE], *[[SONGS]] * 8])
    changes = {number: notices[0][0] for number, notices in enumerate(sent) if notices}
    assert changes == {0: "opened", 1: "worsened", 8: "reminder"}


def test_severity_never_falls_and_the_worst_of_two_findings_counts() -> None:
    alerts, _ = live([[WORSE, SONGS], [SONGS]])
    assert alerts[0].severity == "warning"


def test_nothing_ends_without_data_but_what_the_data_themselves_had() -> None:
    volume = Finding("data:volume", "critical", "12 events")
    alerts, sent = live([[SONGS, volume], [], []], judged=[True, False, False])
    assert sent[2] == [("resolved", "data:volume")]
    assert {alert.key: alert.resolved for alert in alerts} == {
        "data:volume": night(2),
        "drift:songs": None,
    }


def test_alerts_do_not_mix() -> None:
    other = Finding("drift:os", "info", "os has moved")
    _, sent = live([[SONGS, other], [other], [other]])
    assert sent[0] == [("opened", "drift:os"), ("opened", "drift:songs")]
    assert sent[2] == [("resolved", "drift:songs")]


def findings_of(
    state: PolicyState, decision: Decision, evidence: Evidence | None = None
) -> dict[str, str]:
    found = find_in_decision(state, decision, POLICY, evidence)
    return {finding.key: finding.severity for finding in found}


def last(*evidence: Evidence) -> tuple[PolicyState, Decision]:
    state, decisions = run(START, list(enumerate(evidence, start=4)))
    return state, decisions[-1]


def test_quiet_night_has_no_finding() -> None:
    assert findings_of(*last(QUIET)) == {}


def test_moved_features_are_to_know_and_confirmed_drift_is_one_warning() -> None:
    moved = replace(DRIFTED, prediction=fact("churn_probability", 0.2))
    assert findings_of(*last(DRIFTED), DRIFTED) == {"drift:moved": "info"}
    assert findings_of(*last(DRIFTED, moved), moved) == {
        "drift:moved": "info",
        "model:drifted": "warning",
    }
    told = [finding.sentence for finding in find_in_decision(*last(DRIFTED, moved), POLICY, moved)]
    figures = (
        "1 of 3 features has drifted (33.3 % of feature importance); the prediction has drifted"
    )
    assert told == [
        f"compared with the training rows {figures} (songs)",
        f"2 of the last 2 runs had drift; now {figures}",
    ]


def test_drift_of_nights_before_is_not_told_of_where_none_was_measured() -> None:
    state, _ = last(DRIFTED, DRIFTED)
    broken = Evidence(1000, ("volume",))
    state, [held] = run(state, [(9, broken)])
    assert held.kind == "hold"
    assert state.breached == ("songs",)
    assert find_in_decision(state, held, POLICY, broken) == ()
    # A challenger that can't be compared is dropped without any evidence.
    unfit = Decision(night(9), "reject", "unfit", "it knows other features", "2")
    assert find_in_decision(state, unfit, POLICY) == ()


def test_lost_performance_is_critical_on_the_second_window() -> None:
    first = replace(QUIET, performance=(change(-14),))
    second = replace(QUIET, performance=(change(-7),))
    assert findings_of(*last(first)) == {"performance:roc_auc": "warning"}
    assert findings_of(*last(first, second)) == {"performance:roc_auc": "critical"}


def test_one_bad_window_is_no_finding_for_good_where_none_after_it_can_be_judged() -> None:
    bad = change(-14)
    few = replace(QUIET, performance=(change(0, n=5),))
    state, [decision] = run(START, [(4, replace(QUIET, performance=(bad,)))])
    assert findings_of(state, decision) == {"performance:roc_auc": "warning"}
    two = replace(state, streaks=(replace(state.streaks[0], n_bad=POLICY.bad_windows),))
    last_night = (bad.window_end - night(0)).days + 56
    for number, found in ((last_night, {"performance:roc_auc": "warning"}), (last_night + 1, {})):
        after, [decision] = run(state, [(number, few)])
        assert findings_of(after, decision) == found
        after, [decision] = run(two, [(number, few)])
        assert findings_of(after, decision) == {"performance:roc_auc": "critical"}


def test_failed_data_are_critical_and_named() -> None:
    volume = CheckResult("volume", 12, "4,773 to 20,602", False, "12 events")
    sound = replace(volume, name="freshness", passed=True)
    assert find_in_data([volume, sound]) == (Finding("data:volume", "critical", "12 events"),)


def test_changed_files_are_one_finding_that_says_what_to_do() -> None:
    assert find_in_files([]) == ()
    (finding,) = find_in_files(["a.json", "b.json", "c.json", "d.json"])
    assert (finding.key, finding.severity) == ("data:changed_files", "warning")
    assert finding.sentence == (
        "4 files were changed after being read, and their new content is not loaded: a.json, "
        "b.json, c.json and 1 more; `ingest_events --reload changed` replaces the events read "
        "from them before"
    )


def test_too_few_users_are_a_finding_whatever_is_decided() -> None:
    few = replace(QUIET, n_rows=3)
    waits = replace(START, waits_for_human="look at it")
    for state in (START, waits):
        after, [decision] = run(state, [(4, few)])
        [finding, *_] = find_in_decision(after, decision, POLICY, few)
        assert (finding.key, finding.severity) == ("data:rows", "info")
        assert finding.sentence == f"drift is not judged (only 3 users, {POLICY.min_rows} needed)"
    # The evidence of an order, or of a held night, says nothing of a night's users.
    for other in (replace(few, failed_checks=("volume",)), replace(few, wander=Wander(0, ()))):
        assert findings_of(*last(other), other) == {}


def test_roll_back_is_critical_and_so_is_the_wait_for_a_human() -> None:
    state, _ = run(START, [(7, QUIET), (7, replace(QUIET, challenger=challenger()))])
    worse = replace(QUIET, probation=ProbationComparison("2", "1", -0.03, -0.02))
    state, [decision] = run(state, [(9, worse)])
    assert findings_of(state, decision) == {
        "model:rolled_back": "critical",
        "policy:waits": "critical",
    }


def test_only_what_is_severe_enough_is_sent() -> None:
    alert = Alert("drift:songs", "info", "songs has moved", night(0), night(0), night(0))
    assert not is_worth_notifying(Notice("opened", alert), CONFIG)
    assert is_worth_notifying(Notice("opened", replace(alert, severity="warning")), CONFIG)


def test_one_window_and_one_night_have_no_plural() -> None:
    state, decision = last(replace(QUIET, performance=(change(-14),)))
    [finding] = find_in_decision(state, decision, POLICY)
    assert "worse than its reference on 1 window, the newest until" in finding.sentence
    assert bad_nights_of(replace(state, bad_nights=(True,))) == "1 of the last 1 run had drift"
    assert bad_nights_of(replace(state, bad_nights=(True, False, True))) == (
        "2 of the last 3 runs had drift"
    )
