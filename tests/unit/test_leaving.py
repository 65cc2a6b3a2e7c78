"""How users leave: which of two models carries a log, and the pace before they cancel."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from report_builders import build_evaluation
from scipy.special import expit, logit

from churn_spark.reports.card import Leaving, ModelCard
from churn_spark.reports.data import EvaluationData
from churn_spark.reports.evaluation import build_page
from churn_spark.reports.leaving import fading_weight, leaving_section, weekly_paces

BEHAVIOUR, FADING = "behaviour_probability", "fading_probability"


def learnt(**slopes: float) -> Leaving:
    return Leaving(slopes=slopes, fading_days=23.4, slowing=2.1, fading_share=0.15)


@pytest.fixture(scope="module")
def data() -> EvaluationData:
    """An evaluation whose model of fading has half the spread of its behaviour model."""
    found = build_evaluation(500)
    behaviour = found.predictions[found.predictions["model"] == "behaviour"]
    odds = logit(behaviour["churn_probability"])
    fading = behaviour.assign(model="fading", churn_probability=expit(odds / 2 - 1))
    predictions = pd.concat([found.predictions, fading], ignore_index=True)
    return replace(found, predictions=predictions)


def test_weight_is_slope_times_spread(data: EvaluationData) -> None:
    both = learnt(**{BEHAVIOUR: 0.5, FADING: 3.0})
    assert fading_weight(data, both) == pytest.approx(1.5 / (0.5 + 1.5))
    assert fading_weight(data, learnt(**{BEHAVIOUR: 0.5})) == 0.0
    assert fading_weight(data, learnt()) is None


@pytest.mark.parametrize(
    ("slopes", "words"),
    [
        ({BEHAVIOUR: 0.1, FADING: 1.0}, "fade for about 23 days first"),
        ({BEHAVIOUR: 1.0, FADING: 0.1}, "leave without warning"),
        ({BEHAVIOUR: 0.5, FADING: 1.0}, "Some of your users fade"),
        ({}, "Neither model"),
    ],
)
def test_answer_says_how_users_leave(
    data: EvaluationData, slopes: dict[str, float], words: str
) -> None:
    assert words in leaving_section(data, learnt(**slopes)).answer


def with_weeks(data: EvaluationData, **of_cancels: Any) -> EvaluationData:
    """Weekly sessions of 2 for all but who cancels, whose usual week has 4."""
    labels = data.predictions.drop_duplicates(["as_of", "user_id"])
    features = data.features.merge(labels[["as_of", "user_id", "label"]], on=["as_of", "user_id"])
    cancels = features.pop("label") == 1
    weeks = {name: np.where(cancels, value, 2) for name, value in of_cancels.items()}
    return replace(data, features=features.assign(visit_rate=np.where(cancels, 4, 2), **weeks))


def test_curve_is_the_pace_of_each_week_over_the_usual_one(data: EvaluationData) -> None:
    weeks = {"sessions_week_4": 4, "sessions_week_3": 3, "sessions_week_2": 2, "sessions_7d": 1}
    slower = with_weeks(data, **weeks)
    paces = weekly_paces(slower)
    assert paces is not None
    assert paces[0].tolist() == [1.0, 0.75, 0.5, 0.25]
    assert paces[1].tolist() == [1.0, 1.0, 1.0, 1.0]
    assert "from 1.00 to 0.25" in str(leaving_section(slower, learnt(**{FADING: 1.0})).blocks)
    assert weekly_paces(data) is None


def test_page_has_the_section_where_the_card_knows(data: EvaluationData) -> None:
    known = data.card.model_copy(update={"leaving": learnt(**{FADING: 1.0})})
    titles = [section.title for section in build_page(replace(data, card=known)).sections]
    assert "How users leave" in titles
    assert "How users leave" not in [section.title for section in build_page(data).sections]
    assert ModelCard.from_json(known.model_dump_json()) == known
