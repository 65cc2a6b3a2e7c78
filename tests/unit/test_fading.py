"""The model of fading on planted truth: states, likelihoods and parameters come back."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, timedelta
from itertools import product

import numpy as np
import pandas as pd
import pytest

from churn_spark.models.fading import fitting
from churn_spark.models.fading.clock import HOURS, WeeklyClock, fit_clock, hours_of_week
from churn_spark.models.fading.filtering import (
    Sums,
    filter_lives,
    forecast_staying,
    foresee_cancels,
    sum_slopes,
)
from churn_spark.models.fading.fitting import UserDays, fit_fading
from churn_spark.models.fading.lives import CYCLE_DAYS, Lives, build_lives, life_ends
from churn_spark.models.fading.model import FadingModel
from churn_spark.models.fading.parameters import Parameters, WeakPrior, grid
from churn_spark.models.fading.parts import LocalParts
from churn_spark.models.fading.visits import visits_of
from churn_spark.timeline import SECONDS_PER_DAY, Horizon, day_start_millis

START = date(2018, 10, 1)
START_S = day_start_millis(START) / 1000.0
EVEN = WeeklyClock(np.ones(HOURS))
VECTOR = np.array([-3.0, -2.0, 0.3, -5.0, -2.5, 0.8, -0.4])
PARAMETERS = Parameters.of_vector(VECTOR)
PROFILE = np.where(np.arange(CYCLE_DAYS) < 3, 6.0, 13.0 / 27.0)
HOUR = 1 / 24


def at(day: float) -> int:
    """An instant of the log, epoch milliseconds."""
    return round((START_S + day * SECONDS_PER_DAY) * 1000)


def days_of(*visits: tuple[float, float]) -> tuple[list[int], list[int]]:
    return [at(begin) for begin, _ in visits], [at(end) for _, end in visits]


def make_lives(until: int) -> Lives:
    """One who was there before the log, one who registers in it, one who cancels, one unseen."""
    days = [
        days_of((0.5, 0.55), (1.2, 1.3), (4.1, 4.2)),
        days_of((2.3, 2.4), (2.9, 2.95)),
        days_of((0.1, 0.2), (3.3, 3.4)),
        (None, None),
    ]
    registered = START_S + np.array([-10.5, 2.3, -27.0, np.nan]) * SECONDS_PER_DAY
    cancelled = START_S + np.array([np.nan, np.nan, 4.6, np.nan]) * SECONDS_PER_DAY
    end = START_S + until * SECONDS_PER_DAY
    visits = visits_of(days, life_ends(cancelled, end))
    return build_lives(visits, registered, cancelled, START_S, end, EVEN)


Pauses = list[tuple[int, float, bool]]
"""Day on which each begins, length, and whether a visit ended it."""


def enumerate_paths(
    first: int,
    last: int,
    pauses: Pauses,
    cycle: int | None,
    fading: float,
    *,
    survives_last: bool = True,
) -> tuple[float, float, float]:
    """By all paths of states: likelihood of a life, weight of fading at its end, cancel next day.

    Args:
        first: day on which the life begins.
        last: the day after the last one that was lived through.
        pauses: day, length and whether a visit ended it.
        cycle: day of the billing cycle on day 0; none where it is unknown.
        fading: share of those fading on the first day.
        survives_last: whether the day before `last` passed without a cancellation; else its pauses
            are known, and no more.
    """
    weights = np.exp(grid()[1])
    chances = PARAMETERS.cancel_content, PARAMETERS.cancel_fading
    moves = (
        (1 - PARAMETERS.onset, PARAMETERS.onset),
        (PARAMETERS.recovery, 1 - PARAMETERS.recovery),
    )
    factor = {
        day: 1.0 if cycle is None else PROFILE[(cycle + day) % CYCLE_DAYS]
        for day in range(first, last + 1)
    }
    total = at_end = cancels = 0.0
    for mean, weight in zip(PARAMETERS.pauses, weights, strict=True):
        for path in product((0, 1), repeat=last - first + 1):
            chance = weight * (fading if path[0] else 1 - fading)
            for day in range(first, last):
                state = path[day - first]
                size = mean * (PARAMETERS.slowing if state else 1.0)
                for begun, length, ended in pauses:
                    if begun == day:
                        chance *= math.exp(-length / size) / (size if ended else 1.0)
                if survives_last or day < last - 1:
                    chance *= 1 - chances[state] * factor[day]
                chance *= moves[state][path[day - first + 1]]
            total += chance
            at_end += chance * path[-1]
            cancels += chance * chances[path[-1]] * factor[last]
    return total, at_end / total, cancels / total


def told_lives() -> list[tuple[int, int, Pauses, int | None, float]]:
    """The lives of `make_lives(6)`, as `enumerate_paths` is told them."""
    hour = 1 / 24
    share = PARAMETERS.fading_at_start
    often: Pauses = [
        (0, 0.5, True),
        (0, 1.2 - 0.55 - hour, True),
        (1, 4.1 - 1.3 - hour, True),
        (4, 6 - 4.2 - hour, False),
    ]
    cancels: Pauses = [(0, 0.1, True), (0, 3.3 - 0.2 - hour, True), (3, 4 - 3.4 - hour, False)]
    return [
        (0, 6, often, 11, share),
        (2, 6, [(2, 2.9 - 2.4 - hour, True), (2, 6 - 2.95 - hour, False)], 28, 0.0),
        (0, 4, cancels, 27, share),
        (0, 6, [(0, 6.0, False)], None, share),
    ]


def expected_lives() -> list[tuple[float, float, float]]:
    return [enumerate_paths(*told) for told in told_lives()]


def test_filter_is_the_sum_over_all_paths() -> None:
    found = filter_lives(make_lives(6), PARAMETERS, PROFILE)
    likelihoods, fading, _ = zip(*expected_lives(), strict=True)
    np.testing.assert_allclose(found.log_likelihoods, np.log(likelihoods), rtol=1e-9)
    np.testing.assert_allclose(found.fading, fading, rtol=1e-9)


def test_chance_to_cancel_next_day_is_that_of_all_paths() -> None:
    lives = make_lives(6)
    filtered = filter_lives(lives, PARAMETERS, PROFILE)
    found = 1 - forecast_staying(lives, filtered, PARAMETERS, PROFILE, 0, [1])[:, 0]
    chosen = [0, 1, 3]  # the third one has cancelled
    expected = [expected_lives()[user][2] for user in chosen]
    np.testing.assert_allclose(found[chosen], expected, rtol=1e-9)


def test_forecast_is_of_those_who_stay_through_the_gap() -> None:
    lives = make_lives(6)
    filtered = filter_lives(lives, PARAMETERS, PROFILE)
    whole = forecast_staying(lives, filtered, PARAMETERS, PROFILE, 0, [2, 9, 40])
    later = forecast_staying(lives, filtered, PARAMETERS, PROFILE, 2, [9, 40])
    np.testing.assert_allclose(whole[:, :1] * later, whole[:, 1:], rtol=1e-12)
    assert (np.diff(whole, axis=1) < 0).all()


def test_likelihood_has_the_cancellation_too() -> None:
    found = sum_slopes(make_lives(6), VECTOR, PROFILE).log_likelihood
    expected = [math.log(likelihood) for likelihood, _, _ in expected_lives()]
    assert found == pytest.approx(sum(expected) + math.log(expected_lives()[2][2]), rel=1e-9)


def test_days_are_foreseen_by_the_pauses_begun_by_then() -> None:
    """By all paths: each day with the pauses that begin on it, and those before, only."""
    expected = math.log(expected_lives()[2][2])  # of the one who cancels, on that day
    for first, last, pauses, cycle, fading in told_lives():
        for day in range(first, last):
            life = first, day + 1, pauses, cycle, fading
            survived, seen = (
                enumerate_paths(*life, survives_last=survives)[0] for survives in (True, False)
            )
            expected += math.log(survived / seen)
    found = foresee_cancels(make_lives(6), VECTOR, PROFILE)
    assert found == pytest.approx(expected, rel=1e-9)


def slope_by_steps(lives: Lives, vector: np.ndarray, profile: np.ndarray) -> list[float]:
    """The slope of the likelihood, by small steps to both sides."""
    step = 1e-5
    return [
        (
            sum_slopes(lives, vector + step * one, profile).log_likelihood
            - sum_slopes(lives, vector - step * one, profile).log_likelihood
        )
        / (2 * step)
        for one in np.eye(len(vector))
    ]


def test_slope_is_that_of_the_likelihood() -> None:
    found = sum_slopes(make_lives(6), VECTOR, PROFILE)
    expected = slope_by_steps(make_lives(6), VECTOR, PROFILE)
    np.testing.assert_allclose(found.slope, expected, rtol=1e-5, atol=1e-7)


def test_slope_of_a_chance_that_can_grow_no_more_is_zero() -> None:
    """On the days of bills the chance of fading users is at its bound, as on the one's last day."""
    often, bills = VECTOR + np.array([0, 0, 0, 0, 2.0, 0, 0]), np.full(CYCLE_DAYS, 0.1)
    bills[[27, 28, 1]] = 9.0
    found = sum_slopes(make_lives(6), often, bills)
    expected = slope_by_steps(make_lives(6), often, bills)
    np.testing.assert_allclose(found.slope, expected, rtol=1e-5, atol=1e-7)


ACTIVE = np.array([-5.3, -3.5, 0.0, -6.2, -3.6, 0.0, -0.3])
"""Users come every day, or more rarely while they fade."""


def visit_often(n_a_day: int, n_days: int) -> tuple[list[int], list[int]]:
    """Visits of minutes; nobody comes after these days."""
    return days_of(*((k / n_a_day, k / n_a_day + 0.01) for k in range(n_a_day * n_days)))


@pytest.mark.parametrize("registered", [-40.0, 0.0])
def test_who_came_often_and_left_without_a_word_keeps_finite_chances(registered: float) -> None:
    """Each mean pause is ruled out at one time or another, by more than a float can tell."""
    end = START_S + 365 * SECONDS_PER_DAY
    visits = visits_of([visit_often(12, 60)], np.array([end]))
    since = np.array([START_S + registered * SECONDS_PER_DAY])
    lives = build_lives(visits, since, np.array([np.nan]), START_S, end, EVEN)
    filtered = filter_lives(lives, Parameters.of_vector(ACTIVE), PROFILE)
    assert filtered.weights.sum() == pytest.approx(1.0)
    found = sum_slopes(lives, ACTIVE, PROFILE)
    expected = slope_by_steps(lives, ACTIVE, PROFILE)
    np.testing.assert_allclose(found.slope, expected, rtol=1e-5, atol=1e-5)
    assert np.isfinite(foresee_cancels(lives, ACTIVE, PROFILE))


def test_who_registers_and_never_comes_again_is_content_on_that_day() -> None:
    """However unlikely so long a pause is of a content user: others don't take its place."""
    fewer = Parameters.of_vector(ACTIVE - np.array([0, 0, -2.0, 0, 0, 1.9, 0.5]))
    end = START_S + 1095 * SECONDS_PER_DAY
    visits = visits_of([days_of((0.1, 0.2))], np.array([end]))
    lives = build_lives(visits, np.full(1, START_S), np.full(1, np.nan), START_S, end, EVEN)
    filtered = filter_lives(lives, fewer, PROFILE)
    length = lives.pauses.days[0]
    # The longest mean pause is by far the likeliest.
    assert filtered.log_likelihoods[0] < -length / fewer.pauses[-1]
    assert filtered.weights.sum() == pytest.approx(1.0)
    staying = forecast_staying(lives, filtered, fewer, PROFILE, 0, [30])
    assert 0.0 < staying[0, 0] < 1.0


def test_slope_of_the_prior_is_that_of_its_log_density() -> None:
    prior, step = WeakPrior.around(0.003, 4.0, -2.0), 1e-6
    expected = [
        (prior.log_density(VECTOR + step * one) - prior.log_density(VECTOR - step * one))
        / (2 * step)
        for one in np.eye(len(VECTOR))
    ]
    np.testing.assert_allclose(prior.slope(VECTOR), expected, rtol=1e-5)


def test_prior_keeps_most_users_content() -> None:
    """The same flow with slower stops has most users fading: the prior all but rules it out."""
    prior = WeakPrior.around(0.003, 4.0, -2.0)
    few, most = prior.mean.copy(), prior.mean.copy()
    few[0], most[1] = -5.6, -7.5
    assert prior.log_density(few) > prior.log_density(most) + 8


def test_a_session_over_midnight_and_two_devices_are_one_visit() -> None:
    days = days_of((0.9, 0.999), (1.0, 1.1), (0.95, 1.05), (1.1 + 2 * HOUR, 1.3))
    found = visits_of([days], np.array([START_S + 5 * SECONDS_PER_DAY]))
    np.testing.assert_allclose((found.begins - START_S) / SECONDS_PER_DAY, [0.9, 1.1 + 2 * HOUR])
    np.testing.assert_allclose((found.ends - START_S) / SECONDS_PER_DAY, [1.1, 1.3])


def test_of_a_session_over_midnight_only_the_days_before_are_known() -> None:
    days = days_of((0.9, 0.999), (1.0, 1.1))
    found = visits_of([days], np.array([START_S + SECONDS_PER_DAY]))
    np.testing.assert_allclose((found.ends - START_S) / SECONDS_PER_DAY, [0.999])


def test_clock_has_seven_days_a_week_and_longer_hours_when_many_come() -> None:
    begins = np.arange(START_S, START_S + 14 * SECONDS_PER_DAY, 3600.0)
    visits = np.bincount(hours_of_week(begins), minlength=HOURS) * 500.0
    visits[18] *= 4  # Mondays from 18 o'clock on
    clock = fit_clock(visits, START_S, START_S + 14 * SECONDS_PER_DAY)
    week = clock.days(np.array(START_S + 1000.0), np.array(START_S + 1000.0 + 7 * SECONDS_PER_DAY))
    assert float(week) == pytest.approx(7.0)
    evening, night = (
        clock.days(np.array(START_S + hour * 3600.0), np.array(START_S + (hour + 1) * 3600.0))
        for hour in (18, 3)
    )
    assert evening / night == pytest.approx(4.0, rel=0.1)


def simulate_users(n_users: int, n_days: int, truth: Parameters, profile: np.ndarray) -> UserDays:
    """Users whose visits are moments, all registered before the log; by another way than lives."""
    rng = np.random.default_rng(5)
    days, cancelled = [], np.full(n_users, np.nan)
    registered = START_S - rng.integers(1, 90, n_users) * SECONDS_PER_DAY
    cycle = ((START_S - registered) // SECONDS_PER_DAY).astype(int)
    chances = truth.cancel_content, truth.cancel_fading
    for user in range(n_users):
        mean = math.exp(truth.mean_log_pause + truth.sd_log_pause * rng.normal())
        states = [int(rng.random() < truth.fading_at_start)]
        end = n_days
        for day in range(n_days):
            factor = profile[(cycle[user] + day) % CYCLE_DAYS]
            if rng.random() < min(chances[states[day]] * factor, 0.9):
                end, cancelled[user] = day, START_S + (day + 0.5) * SECONDS_PER_DAY
                break
            change = truth.recovery if states[day] else truth.onset
            states.append(states[day] ^ int(rng.random() < change))
        begins, now = [], 0.0
        while True:
            state = states[min(int(now), len(states) - 1)]
            now += rng.exponential(mean * (truth.slowing if state else 1.0))
            if now >= end:
                break
            begins.append(now)
            now += HOUR
        days.append(days_of(*((one, one) for one in begins)))
    # Who never came is in no log, unless they came to cancel.
    seen = [user for user, (begins, _) in enumerate(days) if begins or cancelled[user] > 0]
    return UserDays([days[user] for user in seen], registered[seen], cancelled[seen])


def cut(users: UserDays, size: int) -> LocalParts[UserDays]:
    n_users = len(users.registered)
    parts = [slice(first, first + size) for first in range(0, n_users, size)]
    return LocalParts(
        [UserDays(users.days[one], users.registered[one], users.cancelled[one]) for one in parts]
    )


TRUTH = Parameters(0.012, 0.04, 2.5, 0.0005, 0.03, 1.0, 0.6)


@pytest.fixture(scope="module")
def users() -> UserDays:
    """Many users of known parameters."""
    return simulate_users(2500, 60, TRUTH, PROFILE)


@pytest.fixture(scope="module")
def fitted(users: UserDays) -> FadingModel:
    """The model of these users."""
    return fit_fading(cut(users, 800), START, START + timedelta(days=60))


def test_parameters_come_back(fitted: FadingModel) -> None:
    found = fitted.parameters
    assert 0.007 < found.onset < 0.02
    assert 0.02 < found.recovery < 0.08
    assert 0.06 < found.fading_at_start < 0.24
    assert 2.0 < found.slowing < 3.0
    assert 0.018 < found.cancel_fading < 0.045
    assert found.cancel_content < 0.3 * found.cancel_fading
    assert found.mean_log_pause == pytest.approx(1.0, abs=0.1)
    assert found.sd_log_pause == pytest.approx(0.6, abs=0.1)


def test_share_of_fading_users_is_estimated_from_who_cancels() -> None:
    """Few fade, and no prior knows."""
    truth = replace(TRUTH, onset=0.003, recovery=0.06)
    some = simulate_users(2000, 50, truth, PROFILE)
    found = fit_fading(cut(some, 800), START, START + timedelta(days=50)).parameters
    assert found.fading_at_start == pytest.approx(truth.fading_at_start, rel=0.4)


def test_prior_lies_around_the_rate_of_users_without_a_registration_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing is known of their bills, but days are days."""
    some = simulate_users(100, 30, replace(TRUTH, onset=0.1, cancel_fading=0.1), PROFILE)
    some.registered[20:] = np.nan
    rates, around = [], WeakPrior.around

    def record(cancels_a_day: float, mean_pause: float, log_odds: float) -> WeakPrior:
        rates.append(cancels_a_day)
        return around(cancels_a_day, mean_pause, log_odds)

    monkeypatch.setattr(WeakPrior, "around", record)
    fit_fading(LocalParts([some]), START, START + timedelta(days=30))
    ended = np.floor((some.cancelled - START_S) / SECONDS_PER_DAY)
    n_cancels, days = (ended >= 0).sum(), np.where(np.isnan(ended), 30, ended).sum()
    assert n_cancels > 20
    assert rates == pytest.approx([(n_cancels + 1) / (days + 1)] * len(rates))


def test_likelihood_that_is_no_number_ends_the_fit(
    users: UserDays, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_number = Sums(math.nan, np.zeros(7), np.eye(7))
    monkeypatch.setattr(fitting, "sum_slopes", lambda *_, **__: no_number)
    with pytest.raises(ValueError, match="log likelihood of nan"):
        fit_fading(cut(users, 800), START, START + timedelta(days=60))


def test_billing_days_come_back(fitted: FadingModel) -> None:
    assert fitted.profile[:3].min() > 3.5
    assert fitted.profile[3:].max() < 1.5


def test_parts_of_users_make_no_difference(users: UserDays, fitted: FadingModel) -> None:
    found = fit_fading(cut(users, 5000), START, START + timedelta(days=60))
    np.testing.assert_allclose(found.profile, fitted.profile, rtol=1e-9)
    for name, value in vars(fitted.parameters).items():
        assert vars(found.parameters)[name] == pytest.approx(value, rel=1e-6)


def test_nothing_of_the_date_or_later_is_learnt(users: UserDays) -> None:
    until = START + timedelta(days=30)
    end = day_start_millis(until) / 1000.0
    known = UserDays(
        [
            tuple([one for one in side if one < end * 1000.0] for side in pair)
            for pair in users.days
        ],
        users.registered,
        np.where(users.cancelled < end, users.cancelled, np.nan),
    )
    found, expected = (fit_fading(cut(some, 800), START, until) for some in (users, known))
    assert found.to_json() == expected.to_json()


def test_who_comes_more_rarely_fades_and_cancels_around_the_billing_day(
    fitted: FadingModel,
) -> None:
    steady = [(day + 0.3, day + 0.4) for day in range(0, 40, 2)]
    slower = [*steady[:10], (25.3, 25.4), (32.3, 32.4)]
    as_of = START + timedelta(days=40)
    now = day_start_millis(as_of) / 1000.0
    # As of the date the first two are on day 20 of their cycle, the last on day 29.
    registered = START_S - np.array([10.0, 10.0, 19.0]) * SECONDS_PER_DAY
    visits = visits_of([days_of(*steady), days_of(*slower), days_of(*slower)], np.full(3, now))
    found = fitted.forecast(visits, registered, as_of, Horizon(5, 1))
    assert found.fading[0] < 0.2
    assert found.fading[1] > 2.5 * found.fading[0]
    assert found.cancel_probability[0] * 1.5 < found.cancel_probability[1]
    assert found.cancel_probability[1] * 2 < found.cancel_probability[2]


def test_model_is_read_as_it_was_written(fitted: FadingModel) -> None:
    found = FadingModel.from_json(fitted.to_json())
    assert found.to_json() == fitted.to_json()
    assert found.parameters == fitted.parameters


def test_users_without_visits_and_cancels_can_be_fitted_and_nobody_cannot() -> None:
    few = UserDays([days_of((1.2, 1.3)), (None, None)], np.full(2, START_S), np.full(2, np.nan))
    found = fit_fading(LocalParts([few]), START, START + timedelta(days=9))
    assert np.isfinite(list(vars(found.parameters).values())).all()
    assert (found.profile == 1.0).all()
    nobody = replace(few, days=[(None, None)] * 2)
    with pytest.raises(ValueError, match="no visits"):
        fit_fading(LocalParts([nobody]), START, START + timedelta(days=9))


def test_rows_without_days_have_nan_or_none_after_a_join() -> None:
    frame = pd.DataFrame({"begins": [None, np.nan], "ends": [None, np.nan]}, dtype=object)
    pairs = zip(frame["begins"], frame["ends"], strict=True)
    assert not len(visits_of(pairs, np.full(2, START_S)).user)
