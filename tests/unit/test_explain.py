"""What each feature adds to a margin, and that it adds up."""

from __future__ import annotations

import re
from dataclasses import replace

import lightgbm
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import logit

from churn_spark.config import load_config
from churn_spark.contracts.features.parts import COUNTED_PARTS, PARTS
from churn_spark.contracts.features.topics import SCORE
from churn_spark.errors import ExplanationError
from churn_spark.models.bundle import ModelBundle
from churn_spark.models.calibration import Calibration
from churn_spark.models.encoding import Encoding
from churn_spark.models.explain import Contributions, check_sums, contributions
from churn_spark.models.offset import Offset
from churn_spark.models.offset_terms import OffsetTerms


@pytest.fixture(scope="module")
def booster() -> lightgbm.Booster:
    generator = np.random.default_rng(7)
    matrix = generator.normal(size=(300, 3))
    matrix[:, 2] = 1.0
    labels = (matrix[:, 0] + 0.2 * generator.normal(size=300) > 0).astype(float)
    parameters = {"objective": "binary", "num_threads": 1, "num_leaves": 5, "verbosity": -1}
    return lightgbm.train(parameters, lightgbm.Dataset(matrix, labels), num_boost_round=10)


def test_contributions_and_expected_value_are_the_margin(booster: lightgbm.Booster) -> None:
    matrix = np.random.default_rng(1).normal(size=(20, 3))
    found = contributions(booster, matrix)
    assert found.values.shape == (20, 3)
    margins = booster.predict(matrix, raw_score=True)
    np.testing.assert_allclose(found.margins, margins, rtol=1e-9)
    check_sums(found, margins)


def test_contribution_is_large_where_the_label_depends_on_it(booster: lightgbm.Booster) -> None:
    found = contributions(booster, np.array([[2.0, 0.0, 1.0], [-2.0, 0.0, 1.0]])).values
    assert found[0, 0] > 1 > -1 > found[1, 0]
    assert found[:, 2].tolist() == [0.0, 0.0]


def test_expected_value_is_known_when_there_are_no_rows(booster: lightgbm.Booster) -> None:
    none, some = (contributions(booster, np.ones((n, 3))) for n in (0, 2))
    assert none.values.shape == (0, 3)
    assert none.expected == some.expected


@settings(deadline=None, max_examples=50)
@given(
    rows=hnp.arrays(np.float64, (4, 3), elements=st.floats(-1e6, 1e6) | st.just(np.nan)),
    offset=hnp.arrays(np.float64, (4,), elements=st.floats(-14, 14)),
    reference=st.floats(-14, 14),
    column=st.integers(0, 2),
)
def test_sums_are_the_margin_with_any_offset(
    booster: lightgbm.Booster, rows: np.ndarray, offset: np.ndarray, reference: float, column: int
) -> None:
    trees = contributions(booster, rows)
    found = trees.with_offset(offset, column, reference)
    check_sums(found, booster.predict(rows, raw_score=True) + offset)
    others = [position for position in range(3) if position != column]
    assert np.array_equal(found.values[:, others], trees.values[:, others])


def test_offset_is_credited_from_its_reference_and_leaves_the_trees_part() -> None:
    trees = Contributions(np.array([[0.5, -1.0], [0.25, 0.0]]), -2.0)
    found = trees.with_offset(np.array([-3.0, -1.0]), 1, -3.0)
    assert found.values.tolist() == [[0.5, -1.0], [0.25, 2.0]]
    assert found.expected == -5.0
    assert trees.values.tolist() == [[0.5, -1.0], [0.25, 0.0]]


@pytest.mark.parametrize("wrong", [1e-6, -0.5, np.nan, np.inf])
def test_explanation_is_refused_when_one_row_is_off(wrong: float) -> None:
    explained = Contributions(np.array([[1.0, 2.0], [0.5, 0.25]]), -3.0)
    check_sums(explained, np.array([0.0, -2.25]))
    with pytest.raises(ExplanationError, match=re.escape("of 1 of 2 rows don't add up: row 1")):
        check_sums(explained, np.array([0.0, -2.25 + wrong]))


def test_explanation_is_refused_when_it_is_of_other_rows() -> None:
    with pytest.raises(ExplanationError, match="contributions of 2 rows and 3 margins"):
        check_sums(Contributions(np.zeros((2, 1)), 0.0), np.zeros(3))


def bundle_with(booster: lightgbm.Booster, offset: Offset | None) -> ModelBundle:
    names = ("behaviour_probability", "songs_7d", "sessions_7d")
    typical = {"behaviour_probability": 0.05, "songs_7d": 20.0, "sessions_7d": 2.0}
    return ModelBundle(
        native_text=booster.model_to_string(),
        encoding=Encoding(names, {}, typical, "00aa"),
        calibration=Calibration("none"),
        base_rate=0.1,
        label={},
        baseline=pd.DataFrame(),
        offset=offset,
    )


def test_bundle_credits_its_offset_to_the_feature_from_the_typical_row(
    booster: lightgbm.Booster,
) -> None:
    offset = Offset.at("behaviour_probability", fallback=0.1)
    rows = pd.DataFrame(
        {"behaviour_probability": [0.05, 0.5, np.nan], "songs_7d": 1, "sessions_7d": 1}
    )
    plain, found = bundle_with(booster, None), bundle_with(booster, offset)
    credited = found.contributions(rows).values - plain.contributions(rows).values
    odds = np.array([1.0, 19.0, 19.0 / 9.0])
    np.testing.assert_allclose(credited[:, 0], np.log(odds), atol=1e-12)
    assert not credited[:, 1:].any()
    np.testing.assert_allclose(
        found.contributions(rows).margins, found.margins(found.encoding.encode(rows)), rtol=1e-9
    )


def test_bundle_refuses_reasons_that_leave_its_offset_out(
    booster: lightgbm.Booster, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = bundle_with(booster, Offset.at("behaviour_probability", fallback=0.1))
    rows = pd.DataFrame({"behaviour_probability": [0.4], "songs_7d": [3], "sessions_7d": [1]})
    config = load_config().scoring
    assert bundle.reasons(rows, config)
    left_out = OffsetTerms([], np.zeros(1), np.zeros(1))
    monkeypatch.setattr("churn_spark.models.bundle.offset_terms", lambda *_: left_out)
    with pytest.raises(ExplanationError, match="give the trees, the matrix and the offset"):
        bundle.reasons(rows, config)


NAMES = ("behaviour_probability", "visits_a_week", "cancel_per_visit")


def with_parts(rows: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """The rows with parts that add up to their log-odds, but for a constant of -3."""
    rng = np.random.default_rng(seed)
    left = logit(rows["behaviour_probability"].to_numpy()) + 3.0
    parts = rng.normal(size=(len(rows), len(PARTS)))
    parts[:, 0] += left - parts.sum(axis=1)
    counts = {
        f"{kind}_{part.name}": rng.integers(1, 50, len(rows)).astype(float)
        for part in COUNTED_PARTS
        for kind in ("n", "typical")
    }
    columns = {f"part_{name}": parts[:, place] for place, name in enumerate(PARTS)}
    return rows.assign(watched_days=42, last_subscription_level="free", **counts, **columns)


def three_feature_bundle(booster: lightgbm.Booster, offset: Offset | None) -> ModelBundle:
    typical = {"behaviour_probability": 0.05, "visits_a_week": 1.5, "cancel_per_visit": 0.01}
    bundle = bundle_with(booster, offset)
    return replace(bundle, encoding=Encoding(NAMES, {}, typical, "00aa"))


@settings(deadline=None, max_examples=40)
@given(
    rows=st.lists(
        st.tuples(st.floats(0.001, 0.9), st.floats(0.0, 20.0), st.floats(0.0, 0.5), st.booleans()),
        min_size=1,
        max_size=6,
    ),
    offset=st.sampled_from([None, *NAMES[:1], "base rate"]),
)
def test_terms_and_a_constant_are_the_margin_with_and_without_parts(
    booster: lightgbm.Booster,
    rows: list[tuple[float, float, float, bool]],
    offset: str | None,
) -> None:
    start = offset and Offset.at(None if offset == "base rate" else offset, 0.1)
    bundle = three_feature_bundle(booster, start or None)
    frame = with_parts(pd.DataFrame([row[:3] for row in rows], columns=[*NAMES]))
    is_known = np.array([row[3] for row in rows])
    frame.loc[~is_known, [f"part_{name}" for name in PARTS]] = np.nan
    terms = bundle.terms(frame)
    gaps = bundle.margins(bundle.encoding.encode(frame)) - np.sum(
        [term.contributions for term in terms], axis=0
    )
    # What is no term is the same for all who have parts, and for all who have none.
    for known in (True, False):
        of_kind = gaps[is_known == known]
        np.testing.assert_allclose(of_kind, of_kind[:1].repeat(len(of_kind)), atol=1e-9)


def test_score_that_has_parts_or_factors_keeps_nothing_for_itself(
    booster: lightgbm.Booster,
) -> None:
    bundle = three_feature_bundle(booster, Offset.at("behaviour_probability", 0.1))
    rows = pd.DataFrame([[0.4, 6.0, 0.05], [0.02, 0.4, 0.004]], columns=[*NAMES])
    of_trees = bundle.contributions(rows).values[:, 0] - (logit([0.4, 0.02]) - logit(0.05))
    assert of_trees.all()
    for asked in (rows, with_parts(rows)):
        score = next(term for term in bundle.terms(asked) if term.topic == SCORE)
        np.testing.assert_allclose(score.contributions, 0.0, atol=1e-12)


def test_score_that_only_trees_look_at_is_shared_out_among_its_parts(
    booster: lightgbm.Booster,
) -> None:
    bundle = three_feature_bundle(booster, Offset.at(None, 0.1))
    rows = with_parts(pd.DataFrame([[0.4, 6.0, 0.05]], columns=[*NAMES]))
    of_trees = float(bundle.contributions(rows).values[0, 0])
    sizes = rows[[f"part_{name}" for name in PARTS]].abs().to_numpy()[0]
    parts = [term for term in bundle.terms(rows) if term.topic in PARTS][1:]
    found = [float(term.contributions[0]) for term in parts]
    np.testing.assert_allclose(found, of_trees * sizes / sizes.sum(), atol=1e-12)


def test_without_parts_the_score_is_told_by_how_often_they_come_and_how_visits_end(
    booster: lightgbm.Booster,
) -> None:
    bundle = three_feature_bundle(booster, Offset.at("behaviour_probability", 0.1))
    rows = pd.DataFrame([[0.4, 6.0, 0.05]], columns=[*NAMES])
    found = bundle.reasons(rows, load_config().scoring)[0]
    assert {one.text for one in found} == {
        "visits 6 times a week (median: 1.5)",
        "a visit ends with a cancellation in 5 % of cases (median: 1 %)",
    }


def test_request_without_the_features_of_the_behaviour_model_is_explained(
    booster: lightgbm.Booster,
) -> None:
    bundle = three_feature_bundle(booster, Offset.at("behaviour_probability", 0.1))
    rows = pd.DataFrame([[np.nan] * 3, [0.3, 0.0, 0.0], [0.3, 0.0, np.nan]], columns=[*NAMES])
    assert len(bundle.reasons(rows, load_config().scoring)) == 3
