"""A young log is no drift: what is compared with which training rows, and what waits."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nights import DRIFTED, POLICY, QUIET, START, fact, run

from churn_spark.contracts.features.history import (
    FILLED_DAYS,
    FULL_WINDOWS,
    LATE_ROWS,
    LOG_DAYS,
    History,
)
from churn_spark.contracts.features.spec import need_to_compare
from churn_spark.features.log_dates import find_silent_dates
from churn_spark.lakehouse.frames import collect, with_constants
from churn_spark.models.encoding import Encoding
from churn_spark.monitoring.drift.comparisons import NOT_COMPARABLE, recount_for
from churn_spark.monitoring.drift.facts import drift_facts
from churn_spark.monitoring.drift.ks import build_reference, collect_bins, compare, locate_bins
from churn_spark.monitoring.drift.movement import Movement
from churn_spark.monitoring.frames.bin_counts import count_bins_by_feature, share_edges
from churn_spark.monitoring.frames.drift import Judgement, build_drift
from churn_spark.monitoring.frames.reference import (
    Reference,
    compared_rows,
    count_slices,
    encode_users,
    is_outgrown,
)
from churn_spark.monitoring.policy.hysteresis import breached_share, update_breached
from churn_spark.monitoring.policy.policy_state import from_json, to_json
from churn_spark.pipeline.dates import LogDates
from churn_spark.timeline import LogSpan

FIRST, NIGHT = date(2018, 10, 1), date(2018, 12, 1)
SPAN = LogSpan(FIRST, NIGHT)
NAMES = ("songs_28d", "visit_rate", "tenure_days", "churn_probability")
ENCODING = Encoding(NAMES[:3], {}, {}, "")


def log_of(*silent: int) -> LogDates:
    """A log of 61 days; so many days before its end nothing has come in."""
    return LogDates(SPAN, NIGHT, silent=frozenset(NIGHT - timedelta(days=n) for n in silent))


@pytest.mark.parametrize(
    ("name", "need"),
    [
        ("sessions_7d", FULL_WINDOWS),
        ("adverts_28d", FULL_WINDOWS),
        ("songs_week_4", FULL_WINDOWS),
        ("thumbs_up_trend", FULL_WINDOWS),
        ("page_kinds_28d", FULL_WINDOWS),
        ("os", FULL_WINDOWS),
        ("sessions_decayed", LATE_ROWS),
        ("mean_gap_days", LATE_ROWS),
        ("sessions_surprise_7d", LATE_ROWS),
        ("adverts_while_free", LATE_ROWS),
        ("behaviour_probability", LATE_ROWS),
        ("churn_probability", LATE_ROWS),
    ],
)
def test_need_follows_from_how_far_a_formula_looks_back(name: str, need: object) -> None:
    assert need_to_compare(name) == need


def test_what_moves_by_construction_is_shown_as_ever() -> None:
    for name in ("tenure_days", "sessions_1d", "num_sessions", "hours_since_last_event"):
        assert need_to_compare(name).is_filled([1], [0], History(500, 0)).all()


@pytest.mark.parametrize(
    ("silent", "filled"),
    [((), 61), ((1,), 0), ((5,), 4), ((30,), 61), ((30, 31), 30), ((30, 50), 61), ((10, 40), 9)],
)
def test_log_is_filled_back_to_its_last_gap(silent: tuple[int, ...], filled: int) -> None:
    assert log_of(*silent).history(NIGHT) == History(61, filled)


def test_log_knows_nothing_before_its_first_date() -> None:
    assert log_of().history(FIRST + timedelta(days=14)) == History(14, 14)
    assert log_of().history(FIRST - timedelta(days=3)) == History(0, 0)


def test_day_with_a_trickle_is_silent_and_a_holiday_is_not() -> None:
    counts = {FIRST + timedelta(days=n): 1_000 for n in range(61)}
    outage, holiday, nothing = (FIRST + timedelta(days=n) for n in (20, 30, 40))
    counts |= {outage: 60, holiday: 200}
    del counts[nothing]
    assert find_silent_dates(counts, SPAN) == {outage, nothing}
    assert find_silent_dates({FIRST: 1}, LogSpan(FIRST, FIRST + timedelta(days=1))) == frozenset()


def rows_of(*ages: int) -> pd.DataFrame:
    return pd.DataFrame({LOG_DAYS: ages, FILLED_DAYS: ages})


@pytest.mark.parametrize(
    ("name", "tonight", "expected"),
    [
        ("songs_28d", History(61, 61), [False, False, True, True]),
        ("songs_28d", History(500, 61), [False, False, True, True]),
        ("songs_28d", History(61, 34), [False] * 4),
        ("visit_rate", History(61, 61), [False, False, False, True]),
        ("visit_rate", History(75, 75), [False] * 4),
        ("tenure_days", History(20, 20), [True] * 4),
    ],
)
def test_rows_of_a_log_that_was_too_young_are_no_reference(
    name: str, tonight: History, expected: list[bool]
) -> None:
    assert (
        compared_rows(rows_of(7, 28, 42, 56), need_to_compare(name), tonight).tolist() == expected
    )


def test_rows_that_say_nothing_of_their_log_are_all_compared() -> None:
    rows = pd.DataFrame({"songs_28d": [1, 2]})
    assert compared_rows(rows, need_to_compare("songs_28d"), History(9, 9)).all()


def draw(age: int, seed: int) -> pd.DataFrame:
    """Users as of a log's age: sums and rates are those of the days there are."""
    rng = np.random.default_rng(seed)
    n = 600
    users = pd.DataFrame(
        {
            "songs_28d": rng.poisson(min(age, 28), n),
            "visit_rate": rng.gamma(age / 10, 10 / age, n),
            "tenure_days": rng.normal(90 + age, 20, n),
            "churn_probability": rng.random(n),
            "last_subscription_level": rng.choice(["free", "paid"], n),
            "os": "Windows",
        }
    )
    return users.assign(
        segment_level=users["last_subscription_level"], **{LOG_DAYS: age, FILLED_DAYS: age}
    )


TRAINING = pd.concat([draw(age, age) for age in (7, 14, 42)], ignore_index=True)


def drift_of(users: pd.DataFrame, tonight: History) -> pd.DataFrame:
    """Tonight's drift rows against all training rows that may be compared."""
    samples = {name: build_reference(TRAINING[name].to_numpy()) for name in NAMES}
    full = {name: compared_rows(TRAINING, need_to_compare(name), tonight) for name in NAMES}
    reference = Reference(
        "7",
        samples,
        {},
        {"songs_28d": 0.4, "visit_rate": 0.6},
        count_slices(TRAINING, samples, full),
        frozenset(name for name in NAMES if not full[name].any()),
    )
    encode = partial(encode_users, encoding=ENCODING)
    counted = count_bins_by_feature(users, share_edges(users, samples), ["level"], encode)
    dated = with_constants(counted, run_date=NIGHT)
    return collect(build_drift(dated, reference, NIGHT, 200, Judgement(POLICY)))


def of_all(drift: pd.DataFrame, name: str) -> pd.Series:
    rows = drift[(drift["feature"] == name) & (drift["slice"] == "all")]
    return rows[rows["comparison"] == "training"].iloc[0]


def test_window_is_compared_with_full_ones_and_a_whole_life_waits() -> None:
    drift = drift_of(draw(61, 1), History(61, 61))
    songs, rate = of_all(drift, "songs_28d"), of_all(drift, "visit_rate")
    own = TRAINING.loc[TRAINING[LOG_DAYS] == 42, "songs_28d"]
    expected = compare(
        build_reference(own.to_numpy()),
        np.bincount(
            locate_bins(np.unique(own), draw(61, 1)["songs_28d"].to_numpy(float)),
            minlength=2 * own.nunique() + 1,
        ),
        0,
    )
    assert songs["ks_statistic"] == pytest.approx(expected.statistic, abs=1e-12)
    assert (songs["n_baseline"], songs["is_breached"]) == (600, False)
    assert (rate["status"], rate["n_baseline"], rate["n_current"]) == (NOT_COMPARABLE, 0, 600)
    assert np.isnan(rate["ks_statistic"])
    assert not rate["is_breached"]
    part = drift[(drift["feature"] == "songs_28d") & (drift["slice"] == "level=paid")].iloc[0]
    n_paid = (TRAINING.query(f"{LOG_DAYS} == 42")["segment_level"] == "paid").sum()
    assert part["n_baseline"] == n_paid


def test_without_the_rule_the_same_night_has_moved() -> None:
    every = drift_of(draw(61, 1), History(61, 61))
    samples = build_reference(TRAINING["songs_28d"].to_numpy())
    counts = np.unique(
        locate_bins(samples.edges, draw(61, 1)["songs_28d"].to_numpy(float)), return_counts=True
    )
    found = compare(samples, *collect_bins(samples, *counts))
    assert found.lower_bound > 0.4
    assert of_all(every, "songs_28d")["lower_bound"] < POLICY.enter_lower_bound


def test_change_that_is_one_is_still_found() -> None:
    users = draw(61, 1).assign(songs_28d=lambda rows: rows["songs_28d"] + 6)
    assert of_all(drift_of(users, History(61, 61)), "songs_28d")["is_breached"]


def test_nothing_is_compared_in_a_log_of_two_weeks_but_what_is_never_judged() -> None:
    drift = drift_of(draw(14, 1), History(14, 14))
    status = {name: of_all(drift, name)["status"] for name in NAMES}
    assert status == dict.fromkeys(NAMES, NOT_COMPARABLE) | {"tenure_days": "ok"}
    features, prediction = drift_facts(drift.to_dict("records"))
    assert Movement.of((), features, prediction).describe() == (
        "no feature can be compared yet; the prediction can't be compared yet; 1 not yet "
        "comparable: needs a log of 35 days without a gap; 2 not yet comparable: needs a log of 35 "
        "days without a gap, and training rows of its last quarter"
    )


@pytest.mark.parametrize(("log_days", "is_over"), [(14, False), (56, False), (57, True)])
def test_log_outgrows_training_rows_that_knew_less_than_three_quarters_of_it(
    log_days: int, is_over: bool
) -> None:
    assert is_outgrown(TRAINING, log_days) == is_over
    assert not is_outgrown(TRAINING.drop(columns=LOG_DAYS), log_days)
    # Rows of soon after a gap can't be compared with either.
    assert is_outgrown(TRAINING.assign(**{FILLED_DAYS: 34}), log_days)


def test_counts_are_those_of_a_part_of_the_sample() -> None:
    rng = np.random.default_rng(5)
    values, now = rng.integers(0, 30, 500).astype(float), rng.integers(-3, 40, 400).astype(float)
    every, part = build_reference(values), build_reference(values[:60])
    bins, counts = np.unique(locate_bins(every.edges, now), return_counts=True)
    own, n_own = np.unique(locate_bins(part.edges, now), return_counts=True)
    expected, _ = collect_bins(part, own, n_own)
    found = recount_for(part, every, bins.tolist(), counts.tolist())
    assert compare(part, found, 0).statistic == compare(part, expected, 0).statistic


WAITING = fact("songs", 0.0, is_comparable=False)


def test_what_cannot_be_compared_any_more_has_not_moved() -> None:
    assert update_breached(("adverts", "songs"), [WAITING], POLICY) == ("adverts",)


def test_importance_of_what_waits_stays_a_part_of_the_whole() -> None:
    adverts = fact("adverts", 0.3, importance=1.0)
    assert breached_share(["adverts"], [adverts, replace(WAITING, importance=3.0)]) == 0.25


def test_nights_that_wait_are_quiet_and_decided_again_to_the_byte() -> None:
    waits = replace(QUIET, features=(WAITING,), prediction=replace(WAITING, feature="p"))
    state, decisions = run(START, [(1, DRIFTED), (2, waits), (3, waits)])
    assert (state.breached, state.bad_nights) == ((), (True, False, False))
    assert decisions[-1].reason.startswith(
        "performance not measured yet, no feature can be compared yet, next scheduled training"
    )
    assert from_json(type(waits), to_json(waits)) == waits
    assert run(START, [(1, DRIFTED), (2, waits), (3, waits)]) == (state, decisions)


def test_evidence_of_an_older_release_compares_all() -> None:
    older = to_json(DRIFTED).replace(',"is_comparable":true', "")
    assert "is_comparable" not in older
    assert from_json(type(DRIFTED), older) == DRIFTED


@given(st.integers(1, 400), st.integers(1, 400))
def test_longer_history_is_never_compared_less(first: int, second: int) -> None:
    less, more = sorted((first, second))
    tonight = History(200, 200)
    for need in (FULL_WINDOWS, LATE_ROWS):
        found = need.is_filled([less, more], [less, more], tonight)
        assert found[0] <= found[1]
