"""The behaviour model on planted truth: classes, outcomes, rates and chances come back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.linalg import expm
from scipy.sparse import csr_matrix
from scipy.stats import poisson

from churn_spark.contracts.survival import SURVIVAL_DAYS
from churn_spark.models.behaviour.calendar import Calendar, fit_calendar
from churn_spark.models.behaviour.cells import CANCELLED, END, N_CELLS, SHAPE, START, cell_of
from churn_spark.models.behaviour.forecast import staying_chances, survival
from churn_spark.models.behaviour.mixture import (
    Mixture,
    MixtureSettings,
    class_log_weights,
    fit_mixtures,
)
from churn_spark.models.behaviour.model import BehaviourModel, Evidence
from churn_spark.models.behaviour.outcomes import Sessions, solve_sessions
from churn_spark.models.behaviour.visits import (
    SESSION_PAUSE_DAYS,
    VisitPrior,
    fit_visit_prior,
    rate_log_weights,
)
from churn_spark.timeline import Horizon

# (level, page) -> chances of the next page, for two kinds of listeners.
CALM = {
    START: {"NextSong": 1.0},
    "NextSong": {"NextSong": 0.9, "Thumbs Down": 0.01, "Home": 0.04, END: 0.05},
    "Thumbs Down": {"NextSong": 0.999, "Cancel": 0.001},
    "Home": {"NextSong": 0.8, END: 0.2},
    "Cancel": {CANCELLED: 1.0},
}
RESTLESS = {
    START: {"NextSong": 0.7, "Home": 0.3},
    "NextSong": {"NextSong": 0.7, "Thumbs Down": 0.15, "Home": 0.1, END: 0.05},
    "Thumbs Down": {"NextSong": 0.95, "Cancel": 0.05},
    "Home": {"NextSong": 0.7, END: 0.3},
    "Cancel": {CANCELLED: 1.0},
}


@dataclass(frozen=True)
class Local:
    """Blocks of users in this process."""

    blocks: list[csr_matrix]

    def __call__(self, function: Callable[[csr_matrix], Any]) -> list[Any]:
        """Apply a function to each."""
        return [function(block) for block in self.blocks]


def _log_chances(kind: dict[str, dict[str, float]]) -> np.ndarray:
    chances = np.full(SHAPE, 1e-12)
    flat = chances.reshape(-1)
    for level in ("free", "paid"):
        for page, row in kind.items():
            for target, chance in row.items():
                flat[cell_of(level, page, target)] = chance
    return np.log(flat)


def _walk(rng: np.random.Generator, kind: dict[str, dict[str, float]], n_visits: int) -> np.ndarray:
    counts = np.zeros(N_CELLS)
    for _ in range(n_visits):
        page = START
        while page not in (END, CANCELLED):
            row = kind[page]
            target = str(rng.choice(list(row), p=list(row.values())))
            counts[cell_of("paid", page, target)] += 1
            page = target
        if page == CANCELLED:
            break
    return counts


@pytest.fixture(scope="module")
def users() -> tuple[np.ndarray, np.ndarray]:
    """Counts of 300 users, and whether each is restless."""
    rng = np.random.default_rng(4)
    is_restless = np.arange(300) % 3 == 0
    kinds = [RESTLESS if restless else CALM for restless in is_restless]
    return np.stack([_walk(rng, kind, 6) for kind in kinds]), is_restless


@pytest.fixture(scope="module")
def mixtures(users: tuple[np.ndarray, np.ndarray]) -> list[Mixture]:
    """One to three classes."""
    blocks = Local([csr_matrix(part) for part in np.array_split(users[0], 3)])
    return fit_mixtures(blocks, [1, 2, 3], MixtureSettings(n_starts=4, seed=1))


def test_planted_classes_come_back(
    mixtures: list[Mixture], users: tuple[np.ndarray, np.ndarray]
) -> None:
    counts, is_restless = users
    two = mixtures[1]
    assert two.shares == pytest.approx([2 / 3, 1 / 3], abs=0.03)
    weights = np.exp(class_log_weights(two, counts @ two.log_chances.T))
    assert ((weights[:, 1] > 0.5) == is_restless).mean() > 0.95
    cell = cell_of("paid", "NextSong", "Thumbs Down")
    assert np.exp(two.log_chances[:, cell]) == pytest.approx([0.01, 0.15], abs=0.01)


def test_criterion_chooses_the_planted_number_of_classes(mixtures: list[Mixture]) -> None:
    assert int(np.argmin([mixture.aic for mixture in mixtures])) == 1


def test_chances_of_a_page_add_up_to_one(mixtures: list[Mixture]) -> None:
    for mixture in mixtures:
        sums = np.exp(mixture.log_chances).reshape(-1, *SHAPE).sum(axis=-1)
        assert sums == pytest.approx(np.ones_like(sums))


def test_fit_is_the_same_when_repeated(users: tuple[np.ndarray, np.ndarray]) -> None:
    blocks = Local([csr_matrix(users[0])])
    first, second = (fit_mixtures(blocks, [2], MixtureSettings(n_starts=2))[0] for _ in range(2))
    assert np.array_equal(first.log_chances, second.log_chances)


def test_more_likely_when_a_class_is_added(mixtures: list[Mixture]) -> None:
    likelihoods = [mixture.log_likelihood for mixture in mixtures]
    assert likelihoods[0] < likelihoods[1]


def test_no_transitions_are_refused() -> None:
    with pytest.raises(ValueError, match="no transitions"):
        fit_mixtures(Local([csr_matrix((2, N_CELLS))]), [1], MixtureSettings())


def test_outcomes_of_a_session_are_those_of_many_walks() -> None:
    rng = np.random.default_rng(5)
    solved = solve_sessions(np.stack([_log_chances(RESTLESS)]), np.full(N_CELLS, 60.0))
    cancelled = cell_of("paid", "Cancel", CANCELLED)
    walks = [_walk(rng, RESTLESS, 1) for _ in range(4000)]
    share = np.mean([walk[cancelled] > 0 for walk in walks])
    assert solved.ends[0, 1, 2] == pytest.approx(share, abs=0.012)
    assert solved.ends[0, 1, 0] == pytest.approx(0.0, abs=1e-6)
    assert solved.ends.sum(axis=-1) == pytest.approx(np.ones((1, 2)))
    steps = np.mean([walk.sum() - 1 for walk in walks])
    assert solved.days[0, 1] * 86_400 == pytest.approx(60.0 * steps, rel=0.05)


def test_planted_rates_come_back() -> None:
    rng = np.random.default_rng(6)
    prior = VisitPrior(-1.5, 0.8)
    rates = np.exp(rng.normal(prior.mean_log, prior.sd_log, 6000))
    exposure = rng.uniform(10.0, 60.0, 6000)
    visits = rng.poisson(rates * exposure).astype(float)
    seen = visits > 0
    found = fit_visit_prior(visits[seen], exposure[seen], np.ones(seen.sum()))
    assert found.mean_log == pytest.approx(-1.5, abs=0.05)
    assert found.sd_log == pytest.approx(0.8, abs=0.04)


def test_posterior_rate_lies_between_the_prior_and_the_count() -> None:
    prior = VisitPrior(-1.5, 0.8)
    rates, _ = prior.grid()
    weights = np.exp(rate_log_weights(prior, np.array([60.0, 1.0]), np.array([30.0, 0.5])))
    often, once = weights @ rates
    assert often == pytest.approx(2.0, rel=0.1)
    assert np.exp(-1.5) < once < 2.0
    direct = poisson.pmf(60, rates * 30.0) * np.exp(prior.grid()[1])
    assert weights[0] == pytest.approx(direct / direct.sum(), abs=1e-9)


def test_survival_is_that_of_a_simulated_subscriber() -> None:
    """Sessions at a rate, each with a chance to end it all."""
    sessions = Sessions(np.array([[[0.9, 0.0, 0.1], [0.0, 0.9, 0.1]]]), np.full((1, 2), 1e-9))
    found = survival(sessions, np.array([0.5]), 14.0)
    assert found[0, :, 0] == pytest.approx(np.exp(-0.1 * 14.0 / (2.0 + 1 / 48)) * np.ones(2))


_CHANCE = st.floats(0.0, 1.0)


@given(
    ends=st.lists(st.tuples(_CHANCE, _CHANCE), min_size=2, max_size=2),
    lengths=st.tuples(st.floats(0.0, 0.5), st.floats(0.0, 0.5)),
    rate=st.floats(1e-4, 40.0),
    days=st.floats(0.0, 120.0),
)
@example(ends=[(1.0, 0.0), (0.0, 1.0)], lengths=(0.0, 0.0), rate=1.0, days=14.0)
@example(ends=[(0.5, 0.5), (0.5, 0.5)], lengths=(0.0, 0.0), rate=40.0, days=120.0)
@example(ends=[(0.5, 0.0), (1.0, 0.5)], lengths=(0.1, 0.1), rate=1.0, days=30.0)
def test_survival_is_that_of_the_exponential_of_the_generator(
    ends: list[tuple[float, float]], lengths: tuple[float, float], rate: float, days: float
) -> None:
    """SciPy's exponential of one matrix at a time is the oracle."""
    chances = np.array([[alive * (1.0 - there), alive * there] for alive, there in ends])
    chances[1] = chances[1, ::-1]
    cancelled = 1.0 - chances.sum(axis=1, keepdims=True)
    sessions = Sessions(np.hstack([chances, cancelled])[None], np.array([lengths]))
    cycles = 1.0 / (1.0 / rate + np.array(lengths) + SESSION_PAUSE_DAYS)
    expected = expm(cycles[:, None] * (chances - np.eye(2)) * days).sum(axis=1)
    found = survival(sessions, np.array([rate]), days)
    np.testing.assert_allclose(found[0, :, 0], expected, rtol=1e-10, atol=1e-14)


def test_chance_to_stay_is_given_survival_to_the_begin_of_the_window() -> None:
    before, later = np.full((1, 2, 1), 0.9), [np.full((1, 2, 1), one) for one in (0.72, 0.45)]
    one = np.ones((1, 1))
    found = staying_chances(one, one, before, later, np.array([1.0]))
    np.testing.assert_allclose(found, [[0.8, 0.5]])


def test_weekend_counts_less_and_a_week_has_seven_days() -> None:
    calendar = fit_calendar(np.arange(7.0), np.array([10.0, 10, 10, 10, 10, 5, 5]))
    assert calendar.weekend_factor == pytest.approx(0.5)
    monday = np.array([4 * 86_400.0])
    days = calendar.days(monday, monday + 86_400.0 * np.arange(8.0))
    assert days[7] == pytest.approx(7.0)
    assert days[6] - days[5] == pytest.approx(0.5 * (days[1] - days[0]))


def _model() -> BehaviourModel:
    log_chances = np.stack([_log_chances(CALM), _log_chances(RESTLESS)])
    return BehaviourModel(
        mixture=Mixture(np.array([0.7, 0.3]), log_chances, -1.0, 2.0),
        sessions=solve_sessions(log_chances, np.full(N_CELLS, 60.0)),
        prior=VisitPrior(-1.5, 0.8),
        calendar=Calendar(0.6),
        log_start=date(2018, 10, 1),
        fitted_before=date(2018, 11, 1),
    )


def _evidence(**changes: float) -> Evidence:
    values = {"calm": 0.0, "restless": 0.0, "visits": 5.0, "registered": np.nan, "level": 1.0}
    values |= changes
    return Evidence(
        log_likelihoods=np.array([[values["calm"], values["restless"]]]),
        visits=np.array([values["visits"]]),
        visit_days=np.array([0.1]),
        registered=np.array([values["registered"]]),
        level=np.array([values["level"]]),
    )


@pytest.mark.parametrize(
    ("more", "less"),
    [({"restless": 5.0}, {"calm": 5.0}), ({"visits": 20.0}, {"visits": 2.0})],
)
def test_risk_grows_with_kind_and_visits(more: dict[str, float], less: dict[str, float]) -> None:
    day, horizon = date(2018, 11, 5), Horizon(14, 1)
    high, low = (_model().forecast(_evidence(**one), day, horizon) for one in (more, less))
    assert high.cancel_probability[0] > low.cancel_probability[0]


def test_longer_horizon_is_riskier() -> None:
    chances = [
        _model().forecast(_evidence(), date(2018, 11, 5), Horizon(days, 0)).cancel_probability[0]
        for days in (1, 7, 14, 60)
    ]
    assert chances == sorted(chances)
    assert 0 < chances[0] < chances[-1] < 1


def test_users_of_a_kind_stay_by_an_even_hazard_and_mixed_ones_by_a_falling_one() -> None:
    day, horizon = date(2018, 11, 5), Horizon(14, 1)
    sure, mixed = (
        _model().forecast(_evidence(visits=500.0, calm=calm), day, horizon) for calm in (50.0, -2.0)
    )
    for found, is_even in ((sure, True), (mixed, False)):
        a_day = -np.log(found.survival[0]) / np.array(SURVIVAL_DAYS)
        assert bool(a_day[0] - a_day[-1] < 0.02 * a_day[0]) is is_even
        fortnight = SURVIVAL_DAYS.index(14)
        assert 1 - found.survival[0, fortnight] == pytest.approx(found.cancel_probability[0])


def test_model_says_the_same_after_writing_and_reading() -> None:
    model, day, horizon = _model(), date(2018, 11, 5), Horizon(10, 0)
    again = BehaviourModel.from_json(model.to_json())
    first, second = (one.forecast(_evidence(), day, horizon) for one in (model, again))
    assert first.cancel_probability[0] == second.cancel_probability[0]
    assert again.to_json() == model.to_json()
