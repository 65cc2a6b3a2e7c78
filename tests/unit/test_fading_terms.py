"""What the forecast of fading adds to an offset is told by the state and by the billing day."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_spark.contracts.features.spec import named
from churn_spark.contracts.features.topics import SCORE
from churn_spark.models.fading.clock import WeeklyClock
from churn_spark.models.fading.model import FadingModel
from churn_spark.models.fading.parameters import Parameters
from churn_spark.models.fading_terms import FADING_SCORE, tell_fading
from churn_spark.models.terms import Term, feature_terms

NAMES = (FADING_SCORE, "fading_now", "billing_day")
TYPICAL = {FADING_SCORE: 0.05, "fading_now": 0.3, "billing_day": 14.0}
MODEL = FadingModel(
    Parameters(0.01, 0.05, 2.0, 0.001, 0.02, 0.5, 0.5),
    np.ones(30),
    WeeklyClock(np.ones(168)),
    date(2018, 10, 1),
    date(2018, 11, 1),
)


def terms_of(fading: list[float]) -> list[Term]:
    matrix = np.column_stack([np.full(len(fading), 0.1), fading, np.full(len(fading), 2.0)])
    rows = pd.DataFrame(matrix, columns=[*NAMES])
    return feature_terms(rows, matrix, np.zeros(matrix.shape), named(NAMES), TYPICAL)


@given(
    users=st.lists(
        st.tuples(st.floats(0, 1) | st.just(float("nan")), st.floats(-5, 5)), min_size=1, max_size=5
    ),
    slope=st.floats(0, 2),
    has_model=st.booleans(),
)
def test_shares_add_up_to_what_the_offset_adds(
    users: list[tuple[float, float]], slope: float, has_model: bool
) -> None:
    distances = np.array([distance for _, distance in users])
    terms = terms_of([fading for fading, _ in users])
    told = tell_fading(terms, distances, slope, MODEL if has_model else None)
    total = np.sum([term.contributions for term in told], axis=0)
    np.testing.assert_allclose(total, slope * distances, atol=1e-12)


def test_state_has_the_change_of_its_chance_and_the_billing_day_the_rest() -> None:
    score, state, billing = tell_fading(terms_of([0.3, 0.9]), np.array([0.4, 0.4]), 1.0, MODEL)
    assert score.topic == SCORE
    assert list(score.contributions) == [0.0, 0.0]
    # .001 + .019 x chance: .0067 for the typical user, .0181 for the other one.
    assert list(state.contributions) == pytest.approx([0.0, np.log(0.0181 / 0.0067)])
    assert list(billing.contributions) == pytest.approx([0.4, 0.4 - np.log(0.0181 / 0.0067)])


def test_unknown_state_tells_nothing_apart() -> None:
    score, state, billing = tell_fading(terms_of([float("nan")]), np.array([0.4]), 1.0, MODEL)
    assert [term.contributions[0] for term in (score, state, billing)] == [0.4, 0.0, 0.0]


def test_forecast_beside_no_billing_day_keeps_its_part() -> None:
    terms = terms_of([0.9])[:2]
    score, state = tell_fading(terms, np.array([0.4]), 1.0, MODEL)
    assert (score.contributions[0], state.contributions[0]) == (0.4, 0.0)
