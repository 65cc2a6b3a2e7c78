"""Nights of a small lakehouse whose thresholds are calibrated from the drift that is stored."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from nights import IN_A_GAP, QUIET, START, fact, night

from churn_spark.config import PolicyConfig, load_config
from churn_spark.contracts.tables import DRIFT
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.monitoring.policy.history import Entry, calibration_at, last_before
from churn_spark.monitoring.policy.policy import decide
from churn_spark.monitoring.policy.policy_state import to_json
from churn_spark.monitoring.policy.replayed import count_differences
from churn_spark.monitoring.policy.wander import quiet_nights
from churn_spark.pipeline.calibrate import calibrate_if_due, read_distances
from churn_spark.serving.page_parts import describe_policy
from churn_spark.stores.decisions import read_entries, write_night
from tests.local_lakehouse import open_local

N_NIGHTS = 12
# So that no challenger is waited for.
POLICY = load_config(overrides=["policy.calibration_nights=10", "policy.schedule_days=90"]).policy
FEATURES = {"songs": 0.02, "adverts": 0.01, "os": 0.015, "tenure": 0.4, "young": 0.4}


def drift_row(
    day: date, feature: str, comparison: str, d: float, *, moved: bool = False
) -> list[Any]:
    is_category = feature == "os"
    row = {
        "run_date": day,
        "comparison": comparison,
        "slice": "all",
        "feature": feature,
        "model_version": "1",
        "kind": "category" if is_category else "number",
        # What can't be compared with the training rows is not measured either.
        "status": "skipped" if (feature, comparison) == ("young", "training") else "ok",
        "n_baseline": 22_000,
        "n_current": 22_000,
        "ks_statistic": None if is_category else d,
        "total_variation": d if is_category else None,
        "is_trending": feature == "tenure",
        "is_breached": moved,
    }
    return [row.get(name) for name in DRIFT.column_names]


def store_drift(lakehouse: Lakehouse, nights: list[date]) -> None:
    rows = []
    for day in nights:
        for feature, apart in FEATURES.items():
            for comparison, d in (
                ("training", 0.01),
                ("previous_night", apart / 4),
                ("same_weekday", apart),
                ("rolling_28", 0.9),
            ):
                rows.append(drift_row(day, feature, comparison, d))
            rows.append([*drift_row(day, feature, "same_weekday", 0.9)])
            rows[-1][DRIFT.column_names.index("slice")] = "level=paid"
    lakehouse.replace_rows(rows, DRIFT, {})


def live(
    lakehouse: Lakehouse, policy: PolicyConfig, drifted: tuple[int, ...] = ()
) -> tuple[Entry, ...]:
    """Nights one after another, written as they are decided."""
    nights = [night(number) for number in range(1, N_NIGHTS + 1)]
    store_drift(lakehouse, nights)
    for number, day in enumerate(nights, start=1):
        entries = read_entries(lakehouse)
        last = last_before(entries, day)
        before = last.after if last is not None and last.after is not None else START
        shifted = replace(QUIET, features=(fact("songs", 0.6),))
        evidence = shifted if number in drifted else QUIET
        after, decision = decide(before, evidence, policy, day)
        tonight = [Entry(0, decision, before, evidence, after, policy)]
        tonight += calibrate_if_due(lakehouse, day, entries, tonight, policy)
        write_night(lakehouse, day, tonight)
    return read_entries(lakehouse)


def calibrations(entries: tuple[Entry, ...]) -> list[Entry]:
    return [entry for entry in entries if entry.decision.kind == "calibrate"]


def test_thresholds_follow_the_stored_drift_after_enough_nights(tmp_path: Path) -> None:
    lakehouse = open_local(tmp_path)
    entries = live(lakehouse, POLICY)
    [found] = calibrations(entries)
    assert (found.decision.night, found.sequence) == (night(10), 1)
    assert found.after is not None
    calibration = found.after.calibration
    assert calibration is not None
    assert found.evidence is not None
    assert found.evidence.wander is not None
    # What trends never enters.
    known = [move.feature for move in found.evidence.wander.features]
    assert known == ["adverts", "os", "songs"]
    enter = [calibration.of(name).enter for name in ("adverts", "os", "songs")]
    assert POLICY.enter_lower_bound < enter[0] < enter[1] < enter[2] < POLICY.max_enter_lower_bound
    # In force from the next night on.
    assert calibration_at(entries, night(10)) is None
    assert calibration_at(entries, night(11)) == calibration
    assert count_differences(entries) == 0


def test_nights_on_which_a_feature_had_moved_tell_nothing_of_its_wander(tmp_path: Path) -> None:
    lakehouse = open_local(tmp_path)
    nights = [night(number) for number in range(1, N_NIGHTS + 1)]
    rows = [
        drift_row(day, feature, comparison, apart, moved=is_moved and comparison == "training")
        for number, day in enumerate(nights, start=1)
        # Songs have moved for some nights, and pages until tonight.
        for feature, is_moved in (
            ("songs", 4 <= number <= 6),
            ("pages", number >= 4),
            ("adverts", False),
        )
        for comparison, apart in (
            ("training", 0.1),
            ("previous_night", 0.02),
            ("same_weekday", 0.3 if is_moved else 0.02),
        )
    ]
    lakehouse.replace_rows(rows, DRIFT, {})
    found = read_distances(lakehouse, nights)
    assert sorted(found) == ["adverts", "songs"]
    assert sorted(found["adverts"].weekly) == nights
    assert sorted(found["songs"].weekly) == [*nights[:3], *nights[6:]]
    assert max(found["songs"].weekly.values()) < 0.02**2


def test_nights_on_which_nothing_could_be_compared_are_no_quiet_ones(tmp_path: Path) -> None:
    decision = decide(START, IN_A_GAP, POLICY, night(1))[1]
    entry = Entry(0, decision, START, IN_A_GAP, START, POLICY)
    quiet = replace(START, bad_nights=(False,))
    assert quiet_nights([replace(entry, after=quiet)], night(1)) == []
    assert quiet_nights([replace(entry, after=quiet, evidence=QUIET)], night(1)) == [night(1)]


def test_bad_night_on_which_a_waiting_challenger_took_over_calibrates_nothing(
    tmp_path: Path,
) -> None:
    """It is judged by the night's only entry, after which nothing looks bad any more."""
    lakehouse = open_local(tmp_path)
    entries = live(lakehouse, POLICY)
    policy = POLICY.model_copy(update={"calibration_nights": 8})
    [first] = [entry for entry in entries if entry.decision.night == night(10)][:1]
    assert first.after
    assert calibrate_if_due(lakehouse, night(10), entries, [first], policy)
    promoted = replace(first, after=replace(first.after, bad_nights=()))
    assert calibrate_if_due(lakehouse, night(10), entries, [promoted], policy) == []


@pytest.mark.parametrize("what", ["held", "took over on a bad night", "in a longer cooldown"])
def test_night_that_looked_like_drift_calibrates_nothing(tmp_path: Path, what: str) -> None:
    lakehouse = open_local(tmp_path)
    entries = live(lakehouse, POLICY)
    [first] = [entry for entry in entries if entry.decision.night == night(10)][:1]
    assert first.evidence
    assert first.after
    assert calibrate_if_due(lakehouse, night(10), entries, [first], POLICY)
    changed = {
        "held": replace(first, evidence=replace(first.evidence, failed_checks=("volume",))),
        "took over on a bad night": replace(
            first, after=replace(first.after, bad_nights=(False, True))
        ),
        "in a longer cooldown": replace(
            first,
            after=replace(
                first.after, reactions=(night(10) - timedelta(days=20),), cooldown_days=28
            ),
        ),
    }[what]
    took_over = replace(first, evidence=None)
    policy = POLICY.model_copy(update={"calibration_nights": 8})
    assert calibrate_if_due(lakehouse, night(10), entries, [first, took_over], policy)
    assert calibrate_if_due(lakehouse, night(10), entries, [changed, took_over], policy) == []


def test_rerun_of_the_night_gives_the_same_bytes(tmp_path: Path) -> None:
    lakehouse = open_local(tmp_path)
    entries = live(lakehouse, POLICY)
    [found] = calibrations(entries)
    tonight = [entry for entry in entries if entry.decision.night == night(10)][:1]
    [again] = calibrate_if_due(lakehouse, night(10), entries, tonight, POLICY)
    assert replace(again, sequence=1) == found


@pytest.mark.parametrize(
    ("changes", "drifted"),
    [
        ({"self_calibrate": False}, ()),
        ({}, (9, 10, 11, 12)),
        # Too few quiet nights are left.
        ({}, (2, 4, 6)),
    ],
)
def test_thresholds_stay_without_leave_or_while_drift_looks_real(
    tmp_path: Path, changes: dict[str, Any], drifted: tuple[int, ...]
) -> None:
    entries = live(open_local(tmp_path), POLICY.model_copy(update=changes), drifted)
    assert calibrations(entries) == []
    assert count_differences(entries) == 0


def test_service_says_what_is_found_before_and_after_the_calibration(tmp_path: Path) -> None:
    entries = live(open_local(tmp_path), POLICY)

    def said(number: int) -> str:
        rows = [
            {
                "sequence": entry.sequence,
                "state_after": to_json(entry.after) if entry.after else None,
                "policy": entry.policy.model_dump_json(),
            }
            for entry in entries
            if entry.decision.night == night(number)
        ]
        return describe_policy(rows, night(number))

    assert said(9).startswith("default until there are 10 runs without drift")
    assert said(10).startswith(
        f"calibrated on {night(10)}: in 10 runs without drift the KS distances"
    )
    assert said(12).startswith(f"calibrated on {night(10)}")
    assert describe_policy([], night(1)) == ""


def test_window_forgets_what_is_older_than_a_quarter(tmp_path: Path) -> None:
    lakehouse = open_local(tmp_path)
    entries = live(lakehouse, POLICY.model_copy(update={"self_calibrate": False}))
    late = night(N_NIGHTS) + timedelta(days=85)
    before = replace(START, last_night=None)
    after, decision = decide(before, QUIET, POLICY, late)
    tonight = [Entry(0, decision, before, QUIET, after, POLICY)]
    assert calibrate_if_due(lakehouse, late, entries, tonight, POLICY) == []
