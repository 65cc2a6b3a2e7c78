"""What the page says: percentages, reasons, charts and drift."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from churn_spark.contracts.features.spec import named
from churn_spark.models.reasons import Reason
from churn_spark.serving.lists import of_one_model
from churn_spark.serving.page_parts import (
    describe_drift,
    draw_history,
    find_joint_drift,
    percent,
    shown_reasons,
)
from churn_spark.serving.users import Users

DAY = date(2018, 11, 30)


def scored(day: int, probability: float) -> dict[str, Any]:
    return {"as_of": date(2018, 11, day), "churn_probability": probability}


def drift_row(feature: str, gap: float | None, **values: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {"status": "ok", "is_breached": False, "is_trending": False}
    plain |= {"comparison": "training", "slice": "all"}
    plain |= {"kind": "number", "total_variation": None, "missing_rate_current": 0.0}
    return {"feature": feature, "ks_statistic": gap, **plain, **values}


@pytest.mark.parametrize(
    ("probability", "text"), [(0.0, "0.0 %"), (0.0004, "< 0.1 %"), (0.042, "4.2 %"), (1, "100.0 %")]
)
def test_percentage_never_rounds_to_nothing(probability: float, text: str) -> None:
    assert percent(probability) == text


PLACE, DOWNGRADES = named(["location", "num_downgrades"])
REASONS = [Reason(PLACE, -0.5, "a: b", "CA"), Reason(DOWNGRADES, 0.25, 4.0, None)]
SENTENCES = [reason.sentence for reason in REASONS]


def test_reasons_are_shown_by_their_fields() -> None:
    row = {"reasons": SENTENCES, "reason_fields": [reason.fields() for reason in REASONS]}
    assert shown_reasons(row) == [
        ("lives in a: b", "lowers"),
        ("visited Downgrade 4 times (median: unknown)", "raises"),
    ]


def test_sentence_is_shown_whole_when_its_feature_is_no_longer_declared() -> None:
    fields = [{**REASONS[0].fields(), "feature": "gone"}, REASONS[1].fields()]
    row = {"reasons": SENTENCES, "reason_fields": fields}
    assert [direction for _, direction in shown_reasons(row)] == ["", "raises"]
    assert shown_reasons(row)[0][0] == "lives in a: b: lowers the risk"


@pytest.mark.parametrize("older", [{}, {"reason_fields": None}])
def test_sentences_are_shown_whole_when_an_older_version_kept_no_fields(
    older: dict[str, Any],
) -> None:
    assert shown_reasons({"reasons": SENTENCES, **older}) == [(text, "") for text in SENTENCES]


def test_history_is_drawn_by_date_under_a_round_number() -> None:
    chart = draw_history([scored(1, 0.0), scored(2, 0.15), scored(11, 0.075)])
    assert chart is not None
    assert chart["top"] == "20 %"
    assert chart["points"] == [(10.0, 170.0), (72.0, 50.0), (630.0, 110.0)]


def test_history_needs_two_dates_to_be_drawn() -> None:
    assert draw_history([scored(1, 0.5)]) is None


def test_certain_cancellation_reaches_the_top_of_the_chart() -> None:
    chart = draw_history([scored(1, 1.0), scored(2, 1.0)])
    assert chart is not None
    assert (chart["top"], chart["points"][0][1]) == ("100 %", 10.0)


def test_what_has_moved_comes_first_and_only_training_and_all_users_count() -> None:
    rows = [
        drift_row("ok", 0.02),
        drift_row("cumulative", 0.4, is_trending=True),
        drift_row("moved", 0.1, is_breached=True),
        drift_row("empty", float("nan"), status="skipped"),
        drift_row("ok", 0.3, comparison="previous_night"),
        drift_row("ok", 0.3, slice="level=paid"),
    ]
    assert [(row["feature"], row["state"], row["gap"]) for row in describe_drift(rows)] == [
        ("moved", "drifted", 0.1),
        ("cumulative", "time-dependent, not judged", 0.4),
        ("ok", "no drift", 0.02),
        ("empty", "not compared", None),
    ]


def test_category_has_its_total_variation_and_no_share_of_missing_values() -> None:
    values = {"kind": "category", "total_variation": 0.3, "missing_rate_current": None}
    [row] = describe_drift([drift_row("os", None, **values)])
    assert (row["gap"], row["missing"]) == (0.3, None)
    [row] = describe_drift([drift_row("songs", 0.1, missing_rate_current=0.05)])
    assert (row["gap"], row["missing"]) == (0.1, 0.05)


def test_joint_drift_is_shown_where_it_was_tested() -> None:
    joint = drift_row("joint", None, comparison="joint", auc=0.52)
    assert find_joint_drift([drift_row("ok", 0.02), joint]) == joint
    assert find_joint_drift([{**joint, "status": "skipped"}]) is None


def test_parts_of_a_score_are_shown_where_they_were_measured() -> None:
    measured = {"contribution_baseline": 0.1, "contribution_current": 0.2}
    rows = [drift_row("of this release", 0.02, **measured), drift_row("older", 0.01)]
    assert [row["parts"] for row in describe_drift(rows)] == [[0.1, 0.2], None]


def test_user_is_listed_once_when_several_models_have_scored_the_date() -> None:
    rows = pa.table(
        {"user_id": ["b", "a", "a", "b"], "model_version": ["9", "10", "9", "10"]},
    )
    scores = Users(rows, np.arange(4), ())
    assert of_one_model(scores, "9").known["user_id"].to_pylist() == ["b", "a"]
    assert of_one_model(scores, "11").known["model_version"].to_pylist() == ["10", "10"]
    assert of_one_model(scores, None).known["user_id"].to_pylist() == ["a", "b"]
