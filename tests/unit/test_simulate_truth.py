"""The truth beside a simulated log: chances that frequencies bear out, and what they allow."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats
from simulated_users import twins
from typer.testing import CliRunner

from churn_spark.errors import InputError
from churn_spark.evaluation.expected import expected_roc_auc
from churn_spark.simulate import degrading, renewal
from churn_spark.simulate.draws import lognormal_mean_one, poisson, uniforms, user_keys
from churn_spark.simulate.lives import begin, simulate_lives
from churn_spark.simulate.next_event import IS_GONE, Lives
from churn_spark.simulate.pages import state_of
from churn_spark.simulate.population import Population
from churn_spark.simulate.probabilities import build_probabilities
from churn_spark.simulate.settings import DAY_S, Period, SimulationSettings
from churn_spark.simulate.truth import read_truth
from churn_spark.simulate.world import simulate_log
from churn_spark.timeline import day_number
from jobs.reveal_truth import app

START = date(2018, 10, 1)
WORLD = SimulationSettings(users=1200, days=31, seed=11, growth=0.0)


@pytest.fixture(scope="module")
def memoryless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate_log(WORLD, tmp_path_factory.mktemp("memoryless")).folder


@pytest.fixture(scope="module")
def fading(tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = replace(WORLD, regime="degrading", days=61)
    return simulate_log(settings, tmp_path_factory.mktemp("fading")).folder


@pytest.mark.parametrize("start", [START, date(2600, 10, 1), date(9818, 10, 1)])
def test_states_are_of_all_who_have_been_seen(start: date, tmp_path: Path) -> None:
    """They are found by user and second: in late years the seconds are many."""
    settings = SimulationSettings(users=300, days=3, seed=11, start=start, growth=0.0)
    folder = simulate_log(settings, tmp_path).folder
    users = read_truth(folder, "users").to_pandas()
    states = read_truth(folder, "states", start + timedelta(days=3)).to_pandas()
    staying = users.loc[users["cancel_ts"].isna(), "user_id"]
    assert len(staying) > 100
    # Others may be within a session that began before the log.
    assert set(staying) <= set(states["user_id"])


@pytest.mark.parametrize("persona", [0, 1])
def test_memoryless_chances_are_the_frequencies_of_twins(persona: int) -> None:
    settings = SimulationSettings(users=1, days=14, start=START)
    n_users, page = 3000, state_of("Logged In", "paid", "Home")
    people = twins(persona, n_users)
    last = begin(people, 0)
    lives = Lives(**(vars(last) | {"state": np.full(n_users, page), "session": last.session + 1}))
    lived = simulate_lives(settings, people, lives, None, Period(START, 14))
    events = lived.events
    gone = np.array([
        np.isin(np.arange(n_users), events.row[IS_GONE[events.state] & (events.ts < day)])
        for day in (np.arange(1, 15) + day_number(START)) * DAY_S
    ]).mean(axis=1)  # fmt: skip
    in_session, between = (
        renewal.cancelled_by_day(
            settings,
            renewal.Standing(
                people.persona[:1], people.event_gap[:1], people.session_gap[:1],
                np.array([page]), np.array([is_in_session]),
            ),
            range(day_number(START), day_number(START) + 14),
        )[:, 0]
        for is_in_session in (True, False)
    )  # fmt: skip
    # Home ends the session of some; the others go on with it.
    share = len(np.unique(events.row[events.session == 0])) / n_users
    expected = share * in_session + (1.0 - share) * between
    error = np.sqrt(expected * (1.0 - expected) / n_users)
    assert (np.abs(gone - expected) < 4.0 * error)[[0, 2, 6, 13]].all()
    assert expected[13] > 0.02


def course_of(people: Population, fading_days: int, days: int, **changes: Any) -> Any:
    settings = SimulationSettings(users=1, start=START, days=days, regime="degrading", **changes)
    started = np.full(len(people.number), fading_days)
    return settings, degrading.simulate_course(settings, people, started, settings.period)


@pytest.mark.parametrize(
    ("fading_days", "changes"),
    [(degrading.CONTENT, {}), (3, {}), (3, {"drift": "label", "drift_date": date(2018, 10, 8)})],
)
def test_degrading_chances_are_the_frequencies_of_twins(
    fading_days: int, changes: dict[str, Any]
) -> None:
    people = twins(1, 4000)
    settings, course = course_of(people, fading_days, 40, **changes)
    days = range(day_number(START), day_number(START) + 40)
    standing = degrading.Standing(
        people.number, people.persona, people.registered, np.full(4000, fading_days)
    )
    expected = degrading.cancelled_by_day(settings, standing, days, None)
    for n_days in (5, 15, 40):
        chance = expected[n_days - 1]
        n_gone = (course.cancels_at < (days[0] + n_days) * DAY_S).sum()
        error = np.sqrt((chance * (1.0 - chance)).sum())
        assert abs(n_gone - chance.sum()) < 4.0 * error
    assert (np.diff(expected, axis=0) >= 0.0).all()


def test_an_offer_multiplies_the_daily_chance_by_its_effect() -> None:
    settings = SimulationSettings(regime="degrading")
    registered, fading_days = np.zeros(5, dtype=np.int64), np.array([-1, 0, 5, 21, 28])
    without, offered = (
        degrading.cancel_chance(settings, registered, np.full(5, has), fading_days, 17_900)
        for has in (False, True)
    )
    assert_allclose(offered, without * degrading.OFFER_EFFECT)
    assert without[0] == without[1] == 0.0
    assert 0.0 < without[2] < without[3] == without[4]


def test_cancels_come_at_the_billing_day() -> None:
    people = twins(0, 4000)
    _, course = course_of(people, 20, 30)
    day = course.cancels_at[course.cancels_at < degrading.NEVER] // DAY_S
    in_cycle = (day - people.registered[0] // DAY_S) % 30
    assert len(day) > 1000
    # Interest that fades for 20 days is 10 days from the next bill: days 0 to 2 take the most.
    assert (in_cycle < 3).mean() > 0.5


def test_offers_are_a_fair_coin_from_the_second_campaign_on(fading: Path) -> None:
    offers = read_truth(fading, "offers").to_pandas()
    assert set(offers["offered_on"].astype(str)) == {"2018-10-29", "2018-11-26"}
    for _, campaign in offers.groupby("offered_on"):
        assert campaign["is_offered"].mean() == pytest.approx(0.5, abs=0.06)
    by_user = offers.pivot(index="user_id", columns="offered_on", values="is_offered")
    first, second = (by_user[column].astype(float) for column in by_user)
    assert abs(first.corr(second)) < 0.1


def test_sessions_grow_rarer_before_a_cancellation(fading: Path) -> None:
    users = read_truth(fading, "users").to_pandas()
    states = read_truth(fading, "states").to_pandas()
    as_of = date(2018, 11, 10)
    soon = users[users["cancel_ts"].dt.date.between(as_of, as_of + timedelta(days=7))]
    now = states[states["as_of"].astype(str) == str(as_of)].set_index("user_id")["fading_days"]
    assert len(soon) > 10
    assert now.reindex(soon["user_id"]).notna().mean() > 0.7
    assert now.notna().mean() < 0.4


def test_cancel_of_the_log_is_that_of_the_course(fading: Path) -> None:
    rows = build_probabilities(fading, date(2018, 11, 1), horizon_days=14, gap_days=0).to_pandas()
    users = read_truth(fading, "users").to_pandas().set_index("user_id")
    cancels = users["cancel_ts"].dt.tz_localize(None).reindex(rows["user_id"])
    expected = cancels.between("2018-11-01", "2018-11-14 23:59:59")
    assert rows["label"].to_numpy().tolist() == expected.astype(int).tolist()


def test_world_without_memory_is_calibrated_to_its_truth(memoryless: Path) -> None:
    rows = build_probabilities(memoryless, date(2018, 10, 15), 14, 1).to_pandas().dropna()
    chance = rows["cancel_probability"].to_numpy()
    error = np.sqrt((chance * (1.0 - chance)).sum())
    assert abs(rows["label"].sum() - chance.sum()) < 3.5 * error
    assert chance.max() > 3.0 * chance.mean()


@pytest.mark.parametrize("regime", ["memoryless", "fading"])
def test_auc_of_the_truth_is_the_expected_one(regime: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(regime)
    rows = build_probabilities(folder, date(2018, 10, 16), 14, 1).to_pandas().dropna()
    chance, label = rows["cancel_probability"].to_numpy(), rows["label"].to_numpy()
    drawn = np.random.default_rng(0).random((400, len(chance))) < chance
    aucs = [auc_by_pairs(chance, outcome) for outcome in drawn]
    assert np.mean(aucs) == pytest.approx(expected_roc_auc(chance, chance), abs=0.01)
    assert np.percentile(aucs, 0.5) < auc_by_pairs(chance, label == 1) < np.percentile(aucs, 99.5)


def auc_by_pairs(scores: np.ndarray[Any, Any], outcome: np.ndarray[Any, Any]) -> float:
    n_right = stats.mannwhitneyu(scores[outcome], scores[~outcome]).statistic
    return float(n_right / (outcome.sum() * (~outcome).sum()))


def test_label_is_null_in_the_gap_and_until_the_log_gets_there(memoryless: Path) -> None:
    early = build_probabilities(memoryless, date(2018, 10, 10), 14, 7)
    users = read_truth(memoryless, "users").to_pandas().set_index("user_id")
    cancels = users["cancel_ts"].dt.tz_localize(None)
    in_gap = set(cancels[cancels.between("2018-10-10", "2018-10-16 23:59:59")].index)
    unknown = {row["user_id"] for row in early.to_pylist() if row["label"] is None}
    assert unknown == in_gap & set(early["user_id"].to_pylist())
    assert unknown
    late = build_probabilities(memoryless, date(2018, 10, 25), 14, 1)
    assert late["label"].null_count == len(late)


@given(st.floats(0.0, 40.0))
def test_poisson_counts_have_the_quantiles_of_scipy(mean: float) -> None:
    draws = np.linspace(0.001, 0.999, 57)
    assert poisson(mean, draws).tolist() == stats.poisson(mean).ppf(draws).tolist()


def test_lognormal_factors_have_mean_one() -> None:
    draws = uniforms(user_keys(1, 2, np.arange(200_000)), 0, 2)
    factors = lognormal_mean_one(0.95, draws[0], draws[1])
    assert factors.mean() == pytest.approx(1.0, abs=0.01)
    assert np.log(factors).std() == pytest.approx(0.95, abs=0.01)


def test_draws_depend_on_user_and_position_alone() -> None:
    keys = user_keys(3, 4, np.arange(5))
    table = uniforms(keys, 0, 10)
    positions = np.array([0, 3, 6, 1, 2])
    assert_allclose(
        uniforms(keys, positions, 2)[1], [table[p + 1, u] for u, p in enumerate(positions)]
    )
    assert len(np.unique(table)) == 50


def test_job_says_what_can_be_reached_and_writes_the_chances(memoryless: Path) -> None:
    arguments = ["--out", str(memoryless), "--date", "2018-10-15"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0
    assert "best reachable ROC AUC 0." in result.output
    rows = read_truth(memoryless, "probabilities")
    expected = build_probabilities(memoryless, date(2018, 10, 15), 14, 1)
    assert rows.select(expected.column_names).equals(expected)
    assert set(rows["horizon_days"].to_pylist()) == {14}


@pytest.mark.parametrize(
    ("as_of", "horizon_days", "complaint"),
    [
        (date(2018, 10, 1), 14, "found as-of date 2018-10-01, expected 2018-10-02 to 2018-11-01"),
        (date(2018, 11, 2), 14, "found as-of date 2018-11-02"),
        (date(2018, 10, 2), 0, "found a horizon of 0"),
    ],
)
def test_truth_is_refused_where_there_is_none(
    memoryless: Path, as_of: date, horizon_days: int, complaint: str
) -> None:
    with pytest.raises(InputError, match=complaint):
        build_probabilities(memoryless, as_of, horizon_days, 1)
