"""Each kind of calibration is the likeliest of its kind, keeps the order and survives JSON."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression

from churn_spark.evaluation.metrics import row_log_losses
from churn_spark.models.calibration import KINDS, Calibration, Kind, fit_calibration

MARGINS = st.lists(st.floats(-20, 20), min_size=2, max_size=20)
SHIFTS = st.floats(-10, 10)


def shift_by(log_odds: float) -> Calibration:
    return Calibration("shift", (log_odds,))


def labels_of(n: int, n_positive: int) -> np.ndarray:
    return np.array([1] * n_positive + [0] * (n - n_positive))


@pytest.mark.parametrize(
    ("shift", "margin", "expected"),
    [(0.0, 0.0, 0.5), (-math.log(9), 0.0, 0.1), (-math.log(16), math.log(4), 0.2)],
)
def test_odds_are_multiplied_by_the_exponential_of_the_shift(
    shift: float, margin: float, expected: float
) -> None:
    found = shift_by(shift).probabilities(np.array([margin]))
    assert found == pytest.approx([expected], rel=1e-12)


@given(p=st.floats(1e-6, 1 - 1e-6), weight=st.floats(0.01, 1000))
def test_probability_is_restored_when_its_odds_were_weighted(p: float, weight: float) -> None:
    weighted = np.array([math.log(weight * p / (1 - p))])
    assert shift_by(-math.log(weight)).probabilities(weighted) == pytest.approx([p], rel=1e-9)


def test_whole_weight_is_taken_off_when_the_model_has_learnt_it() -> None:
    # 30 cancels counted 9-fold beside 270 stays: the weighted odds are 1, the true ones 1/9.
    margins = np.full(300, math.log(30 * 9 / 270))
    found = Calibration.match_base_rate(margins, labels_of(300, 30))
    assert found.parameters[0] == pytest.approx(-math.log(9))


def test_nothing_is_shifted_when_the_mean_is_right_already() -> None:
    margins = np.array([math.log(0.9 / 0.1), math.log(0.1 / 0.9)])
    found = Calibration.match_base_rate(margins, labels_of(2, 1))
    assert found.parameters[0] == pytest.approx(0.0, abs=1e-9)


@given(margins=MARGINS, data=st.data())
def test_mean_probability_is_the_share_of_cancels(
    margins: list[float], data: st.DataObject
) -> None:
    n_positive = data.draw(st.integers(1, len(margins) - 1))
    calibration = Calibration.match_base_rate(
        np.array(margins), labels_of(len(margins), n_positive)
    )
    mean = calibration.probabilities(np.array(margins)).mean()
    assert mean == pytest.approx(n_positive / len(margins), abs=1e-9)


@given(margins=MARGINS, moved=SHIFTS)
def test_constant_in_the_margins_is_taken_off_again(margins: list[float], moved: float) -> None:
    labels = labels_of(len(margins), 1)
    plain = Calibration.match_base_rate(np.array(margins), labels)
    found = Calibration.match_base_rate(np.array(margins) + moved, labels)
    np.testing.assert_allclose(
        found.probabilities(np.array(margins) + moved),
        plain.probabilities(np.array(margins)),
        atol=1e-9,
    )


@pytest.mark.parametrize("labels", [[0, 0], [1, 1]])
def test_shift_is_refused_when_only_one_class_is_present(labels: list[int]) -> None:
    with pytest.raises(ValueError, match="expected both classes"):
        Calibration.match_base_rate(np.array([0.1, 0.2]), np.array(labels))


@given(margins=MARGINS, shift=SHIFTS)
def test_order_of_users_is_kept(margins: list[float], shift: float) -> None:
    probabilities = shift_by(shift).probabilities(np.sort(margins))
    assert np.all(np.diff(probabilities) >= 0)


@given(margin=st.floats(-20, 20), first=SHIFTS, second=SHIFTS)
def test_probability_falls_when_the_shift_falls(margin: float, first: float, second: float) -> None:
    low, high = (shift_by(s).probabilities(np.array([margin])) for s in sorted((first, second)))
    assert low <= high


@given(margins=st.lists(st.floats(allow_nan=False), max_size=10), shift=SHIFTS)
def test_probabilities_stay_between_zero_and_one_at_any_margin(
    margins: list[float], shift: float
) -> None:
    found = shift_by(shift).probabilities(np.array(margins))
    assert np.all((found >= 0) & (found <= 1))


def test_probabilities_have_the_shape_of_the_margins() -> None:
    found = shift_by(0.0).probabilities(np.zeros((2, 3), dtype=np.float32))
    assert (found.shape, found.dtype) == ((2, 3), np.float64)


Draws = tuple[np.ndarray, np.ndarray]


def drawn_rows(bend: Callable[[np.ndarray], np.ndarray], n: int = 4000, seed: int = 1) -> Draws:
    """Bent margins and labels of users whose true log-odds are normal around -2."""
    rng = np.random.default_rng(seed)
    true = rng.normal(-2, 1, n)
    return bend(true), (rng.random(n) < expit(true)).astype(float)


TENTHS = st.lists(
    st.tuples(st.integers(-40, 40).map(lambda n: n / 10), st.integers(0, 1)),
    min_size=2,
    max_size=40,
).filter(lambda rows: len({label for _, label in rows}) == 2)


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=40)
@given(rows=TENTHS)
def test_order_of_users_is_kept_by_every_kind(kind: Kind, rows: list[tuple[float, int]]) -> None:
    margins, labels = np.array(rows).T
    tried = np.sort(np.concatenate([margins, np.linspace(-8, 8, 50)]))
    probabilities = fit_calibration(kind, margins, labels).probabilities(tried)
    assert np.all(np.diff(probabilities) >= -1e-12)
    assert np.all((probabilities > 0) & (probabilities < 1))


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=40)
@given(rows=TENTHS)
def test_calibration_is_equal_after_a_round_trip_through_json(
    kind: Kind, rows: list[tuple[float, int]]
) -> None:
    calibration = fit_calibration(kind, *np.array(rows).T)
    assert Calibration.from_json(calibration.to_json()) == calibration


@pytest.mark.parametrize(
    ("bend", "a", "b", "c"),
    [
        (lambda m: m, 1, 1, 0),
        (lambda m: (m - 0.5) / 0.6, 0.6, 0.6, 0.5),
        (lambda m: m + 2, None, None, None),
    ],
    ids=["as they are", "stretched", "shifted"],
)
def test_beta_undoes_what_was_done_to_the_log_odds(
    bend: Callable[[np.ndarray], np.ndarray], a: float | None, b: float | None, c: float | None
) -> None:
    margins, labels = drawn_rows(bend, n=100_000)
    calibration = fit_calibration("beta", margins, labels)
    grid = np.linspace(-4, 0, 20)
    assert calibration.probabilities(bend(grid)) == pytest.approx(expit(grid), rel=0.1)
    if a is not None:
        assert calibration.parameters == pytest.approx((a, b, c), abs=0.25)


def test_beta_is_the_likeliest_curve_under_its_prior() -> None:
    margins, labels = drawn_rows(lambda m: 0.5 * m + 1, n=500)

    def loss(parameters: np.ndarray) -> float:
        a, b, c = parameters
        p = expit(margins)
        curve = a * np.log(p) - b * np.log(1 - p) + c
        prior = ((a - 1) ** 2 + (b - 1) ** 2) / 2
        return float(row_log_losses(labels, expit(curve)).sum()) + prior

    best = minimize(loss, [1, 1, 0], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-10})
    assert min(best.x[:2]) > 0
    found = fit_calibration("beta", margins, labels)
    assert found.parameters == pytest.approx(best.x, abs=1e-4)


def test_beta_never_turns_the_order_round() -> None:
    margins, labels = drawn_rows(lambda m: -m)
    a, b, _ = fit_calibration("beta", margins, labels).parameters
    assert (a, b) == pytest.approx((0, 0), abs=1e-6)


def test_beta_stays_finite_when_a_threshold_parts_the_classes() -> None:
    a, b, c = fit_calibration(
        "beta", np.array([-2.0, -1.0, 1.0, 2.0]), np.array([0, 0, 1, 1])
    ).parameters
    assert max(abs(a), abs(b), abs(c)) < 5


def test_isotonic_points_are_the_blocks_of_scikit_learn_with_a_row_of_the_base_rate_each() -> None:
    margins, labels = drawn_rows(lambda m: np.round(m, 2), n=2000)
    at, log_odds = np.split(np.array(fit_calibration("isotonic", margins, labels).parameters), 2)
    shares = IsotonicRegression().fit_transform(margins, labels)
    expected = []
    for share in np.unique(shares):
        n, mean = np.sum(shares == share), margins[shares == share].mean()
        expected.append((mean, (n * share + labels.mean()) / (n + 1), n + 1))
    # Blocks that the extra row turned round are pooled by scikit-learn again.
    means, smooth, n = np.array(expected).T
    pooled = IsotonicRegression().fit_transform(means, smooth, sample_weight=n)
    points = [
        (np.average(means[pooled == share], weights=n[pooled == share]), logit(share))
        for share in np.unique(pooled)
    ]
    np.testing.assert_allclose(np.column_stack([at, log_odds]), points, rtol=1e-9)
    assert len(points) > 5


def test_isotonic_is_straight_in_log_odds_between_points_and_parallel_beyond() -> None:
    calibration = Calibration("isotonic", (-1.0, 1.0, -3.0, 0.0))
    found = logit(calibration.probabilities(np.array([-3.0, -1.0, 0.0, 1.0, 2.5])))
    assert found == pytest.approx([-5.0, -3.0, -1.5, 0.0, 1.5])


def test_isotonic_is_never_certain_and_the_order_is_strict() -> None:
    margins, labels = drawn_rows(lambda m: m, n=500)
    calibration = fit_calibration("isotonic", margins, labels)
    assert np.all(np.diff(calibration.probabilities(np.linspace(-6, 6, 1000))) > 0)
    far = calibration.probabilities(np.array([-1e308, -50, 50, 1e308, -np.inf, np.inf]))
    assert np.all((far > 0) & (far < 1))


@pytest.mark.parametrize("kind", ["shift", "beta", "isotonic"])
def test_kinds_are_refused_when_only_one_class_is_present(kind: Kind) -> None:
    with pytest.raises(ValueError, match="expected both classes"):
        fit_calibration(kind, np.array([0.1, 0.2]), np.array([1, 1]))


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [("none", (1.0,)), ("shift", ()), ("beta", (1.0,)), ("isotonic", ()), ("isotonic", (1.0,) * 3)],
)
def test_parameters_of_another_kind_are_refused(kind: Kind, parameters: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=f"parameters of a {kind} calibration"):
        Calibration(kind, parameters)


def test_unknown_kind_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="expected one of none, shift, beta, isotonic"):
        Calibration.from_json('{"kind": "platt", "parameters": []}')
