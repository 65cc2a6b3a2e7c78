"""What a list has reached beside chance, the rule and the best; labels that have not arrived."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from night_builders import NAMES, build_nights

from churn_spark.config import load_config
from churn_spark.monitoring.alerts.labels import find_in_labels
from churn_spark.monitoring.frames.list_counts import count_groups
from churn_spark.monitoring.performance.arrival import DueLabels, arrival_rows, missing_days
from churn_spark.monitoring.performance.reach import (
    Group,
    ListCounts,
    describe_reach,
    list_reaches,
    reach_rows,
    verdict_on_rule,
)
from churn_spark.monitoring.policy.evidence import Evidence, ListReach
from churn_spark.monitoring.policy.policy import decide, start_policy
from churn_spark.monitoring.policy.policy_state import from_json, to_json
from churn_spark.reports.night.reach import reach_blocks
from churn_spark.reports.page import Table
from churn_spark.timeline import Horizon

DAY = date(2026, 3, 2)
POLICY = load_config().policy


def counts(groups: dict[tuple[bool, bool, bool], int]) -> ListCounts:
    return ListCounts(DAY, "3", {Group(*traits): n for traits, n in groups.items()})


# 1,000 users of whom 100 cancel; 50 are listed, of whom 20 cancel; the rule names 200, 40 of whom
# cancel: 10 listed and 30 not.
PLANTED = counts(
    {
        (True, True, True): 10, (True, True, False): 10, (True, False, True): 30,
        (True, False, False): 50, (False, True, True): 5, (False, True, False): 25,
        (False, False, True): 155, (False, False, False): 715,
    }
)  # fmt: skip


def reach_of(found: ListCounts) -> ListReach:
    [reach] = list_reaches(reach_rows(found, 14))
    return reach


def test_list_is_held_against_lists_of_its_own_length() -> None:
    reach = reach_of(PLANTED)
    assert (reach.version, reach.n_listed, reach.n_positive) == ("3", 50, 100)
    assert (reach.window_start, reach.window_end) == (DAY, DAY + timedelta(days=14))
    assert reach.reached == pytest.approx(0.2)
    assert reach.by_chance == pytest.approx(0.05)
    # Of the 200 whom the rule names 50 are drawn: a quarter of the 40 who cancel.
    assert reach.by_rule == pytest.approx(0.1)
    assert reach.at_best == pytest.approx(0.5)
    assert reach.low < 0.2 < reach.high
    assert reach.rule_low is not None
    assert verdict_on_rule(reach) == "better"
    assert describe_reach(reach) == (
        "The list of 2026-03-02 had 20 of the 100 users who then cancelled (20 %, 13 % to 29 %) "
        "among its 50 users; a list of that length has 5.0 if drawn at "
        "random, 10.0 by the simple rule, 50 at best."
    )


@pytest.mark.parametrize(
    ("n_listed", "by_rule", "at_best"),
    # As many as the rule names; longer; everybody who cancels fits; everybody.
    [(40, 0.25, 0.4), (60, 0.25 + 0.75 * 20 / 160, 0.6), (150, 0.25 + 0.75 * 110 / 160, 1.0)],
)
def test_rule_takes_whom_it_names_first_and_others_by_chance(
    n_listed: int, by_rule: float, at_best: float
) -> None:
    # 200 users: 40 named, of whom 25 cancel, and 75 of the others; listed are some who stay.
    found = counts(
        {
            (True, False, True): 25, (True, False, False): 75, (False, False, True): 15,
            (False, True, False): min(n_listed, 85), (True, True, False): 0,
            (False, False, False): 85 - min(n_listed, 85),
        }
    )  # fmt: skip
    if n_listed > 85:
        more = n_listed - 85
        groups = {
            **found.groups,
            Group(True, True, False): more,
            Group(True, False, False): 75 - more,
        }
        found = ListCounts(DAY, "3", groups)
    reach = reach_of(found)
    assert reach.n_listed == n_listed
    assert reach.by_rule == pytest.approx(by_rule)
    assert reach.at_best == pytest.approx(at_best)
    assert reach.by_chance == pytest.approx(n_listed / 200)


def test_list_by_the_rule_itself_is_not_told_from_it() -> None:
    # The rule names just those who are listed: no user differs.
    found = counts(
        {(True, True, True): 9, (False, True, True): 41, (True, False, False): 30,
         (False, False, False): 120}
    )  # fmt: skip
    reach = reach_of(found)
    assert reach.reached == pytest.approx(reach.by_rule)
    assert (reach.rule_low, reach.rule_high) == (None, None)
    assert verdict_on_rule(reach) == "can't tell"


def test_intervals_hold_the_truth_in_19_of_20_draws() -> None:
    rng = np.random.default_rng(7)
    chances = np.array([0.02, 0.05, 0.15, 0.4])
    kinds = [(False, False), (False, True), (True, False), (True, True)]
    sizes = np.array([4000, 900, 60, 140])
    share = sizes[2:] @ chances[2:] / (sizes @ chances)
    named, n_named = np.array([0, 1, 0, 1]), sizes[1] + sizes[3]
    rule = (sizes * named) @ chances / n_named * sizes[2:].sum() / (sizes @ chances)
    hits = np.zeros(2)
    for _ in range(400):
        cancel = rng.binomial(sizes, chances)
        groups: dict[Group, int] = {}
        for kind, n, k in zip(kinds, sizes, cancel, strict=True):
            groups |= {Group(True, *kind): int(k), Group(False, *kind): int(n - k)}
        reach = reach_of(ListCounts(DAY, "3", groups))
        assert reach.rule_low is not None
        assert reach.rule_high is not None
        hits += [
            reach.low <= share <= reach.high,
            reach.rule_low <= share - rule <= reach.rule_high,
        ]
    assert (hits / 400 > 0.92).all()


@pytest.mark.parametrize("traits", [(True, False, False), (False, True, True)])
def test_nothing_is_said_where_nobody_cancels_or_nobody_was_listed(
    traits: tuple[bool, bool, bool],
) -> None:
    [row] = reach_rows(counts({traits: 40}), 14)
    assert row["metric"] == "nothing_to_reach"
    assert list_reaches([row]) == ()


@pytest.mark.parametrize("judge_list", [True, False])
def test_list_that_the_rule_beats_is_loud_only_where_the_policy_judges_it(judge_list: bool) -> None:
    beaten = {
        (True, True, True): 5, (True, True, False): 5, (True, False, True): 300,
        (False, True, False): 190, (False, False, True): 20, (False, False, False): 9000,
    }  # fmt: skip
    rows = pd.DataFrame(reach_rows(counts(beaten), 14))
    night = build_nights(1, names=NAMES[:8], n_windows=0)
    policy = night.policy.model_copy(update={"judge_list": judge_list})
    data = replace(night, performance=pd.concat([night.performance, rows]), policy=policy)
    [table] = [block for block in reach_blocks(data) if isinstance(block, Table)]
    verdict = table.rows[0][-1]
    assert verdict.text == "significantly fewer than the simple rule"
    assert verdict.tone == ("loud" if judge_list else "")


def test_users_are_counted_by_label_list_and_rule() -> None:
    users = pd.DataFrame(
        {
            "label": [1, 1, 0, 0, 0],
            # Who is left alone is on no list.
            "assignment": ["listed", "left_alone", "listed", "control", None],
            "last_subscription_level": ["paid", "paid", "free", None, "free"],
            "hours_since_last_event": [5.0, 100.0, 5.0, 5.0, 5.0],
        }
    )
    assert count_groups(users) == {
        Group(True, True, True): 1, Group(True, False, False): 1,
        Group(False, True, False): 1, Group(False, True, False, True): 1,
        Group(False, False, False): 1,
    }  # fmt: skip


def beaten(version: str = "1", day: date = DAY) -> ListReach:
    window, users = (day, day + timedelta(days=14)), (300, 400)
    shares = 0.1, 0.07, 0.13, 0.05, 0.2, 0.7, -0.14, -0.06
    return ListReach(version, *window, *users, *shares)


def retrains(reaches: list[ListReach], **changes: Any) -> Iterator[str]:
    policy = POLICY.model_copy(update={"schedule_days": 365, **changes})
    state = start_policy("1", DAY, policy)
    for reach in reaches:
        evidence = Evidence(1000, reach=reach)
        state, decision = decide(state, evidence, policy, reach.window_end)
        yield f"{decision.kind} ({decision.rule})"


def test_list_that_the_rule_beats_decides_nothing_unless_it_is_configured() -> None:
    weeks = [beaten(day=DAY + timedelta(days=14 * n)) for n in range(3)]
    assert set(retrains(weeks)) == {"keep (nothing)"}
    assert list(retrains(weeks, judge_list=True))[:2] == ["keep (nothing)", "retrain (performance)"]
    # Lists of a model before say nothing of the champion.
    others = [beaten("0", reach.window_start) for reach in weeks]
    assert set(retrains(others, judge_list=True)) == {"keep (nothing)"}


def test_evidence_is_kept_to_the_byte_and_that_of_older_releases_is_read() -> None:
    evidence = Evidence(1000, reach=beaten())
    text = to_json(evidence)
    assert to_json(from_json(Evidence, text)) == text
    older = to_json(Evidence(1000)).replace(',"reach":null', "")
    assert "reach" not in older
    assert from_json(Evidence, older) == Evidence(1000)


HORIZON = Horizon(14, 1)


def test_days_with_hardly_any_events_are_missing() -> None:
    gone = {DAY + timedelta(days=5), DAY + timedelta(days=6)}

    def n_events(day: date) -> int:
        return 30 if day in gone else 1000 if day < DAY + timedelta(days=15) else 0

    assert missing_days(DAY, HORIZON, n_events, 0.25) == tuple(sorted(gone))
    # A log that has ended: all of the window is due, and nothing has come.
    ended = missing_days(DAY, HORIZON, lambda day: 1000 if day < DAY else 0, 0.25)
    assert (len(ended), ended[0]) == (15, DAY)
    # Of a handful of users a day without any event is chance.
    assert missing_days(DAY, HORIZON, lambda day: day.day % 2 * 19, 0.25) == ()


@pytest.mark.parametrize(("n", "is_missing"), [(200, False), (1, False), (0, True)])
def test_holiday_may_have_few_events_but_none(n: int, is_missing: bool) -> None:
    holiday = DAY + timedelta(days=5)

    def n_events(day: date) -> int:
        return n if day == holiday else 1000

    missing = missing_days(DAY, HORIZON, n_events, 0.25, lambda day: day == holiday)
    assert missing == ((holiday,) if is_missing else ())
    assert missing_days(DAY, HORIZON, n_events, 0.25) == (holiday,)


@pytest.mark.parametrize(
    ("missing", "is_known", "n_known"),
    [((), True, 500), ((DAY,), True, 20), ((), False, 20)],
)
def test_who_has_not_cancelled_is_known_once_all_days_have_come(
    missing: tuple[date, ...], is_known: bool, n_known: int
) -> None:
    due = DueLabels(DAY, 500, 20, is_known, missing)
    assert due.n_known == n_known
    [row] = arrival_rows([due], 14)
    assert row["value"] == n_known / 500
    findings = find_in_labels([row])
    assert len(findings) == (n_known < 500)
    if findings:
        assert findings[0].key == "labels:missing"
        assert findings[0].sentence.startswith("20 of the 500 labels as of 2026-03-02 have arrived")
