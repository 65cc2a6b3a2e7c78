"""Which terms are told: material ones, what raises the risk first, near-twins as one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churn_spark.config import ScoringConfig, load_config
from churn_spark.contracts.features.parts import COUNTED_PARTS, PAGE_PARTS, VISITS
from churn_spark.contracts.features.spec import FEATURES
from churn_spark.contracts.features.topics import SCORE, topic_of
from churn_spark.models.reason_choice import choose_reasons
from churn_spark.models.reasons import read_reason
from churn_spark.models.terms import Term, feature_terms

CONFIG = load_config().scoring
BY_NAME = {feature.name: feature for feature in FEATURES}
ADVERTS = next(part for part in PAGE_PARTS if part.name == "adverts")


def of_feature(name: str, contribution: float, value: object, typical: object) -> Term:
    feature = BY_NAME[name]
    values = np.array([value], dtype=np.float64 if feature.is_numeric else object)
    return Term(topic_of(feature), np.array([contribution]), values, typical, feature)


def of_part(contribution: float, value: float, typical: float, days: float = 42.0) -> Term:
    one = (np.array([number]) for number in (contribution, value, typical, days))
    contributions, values, usual, watched = one
    return Term(ADVERTS.name, contributions, values, usual, ADVERTS, watched)


def told(*terms: Term, config: ScoringConfig = CONFIG) -> list[str]:
    return [reason.sentence for reason in choose_reasons(terms, config)[0]]


DOWNGRADES = of_feature("num_downgrades", 0.5, 4.0, 0.0)
LEVEL = of_feature("last_subscription_level", 0.9, "free", "paid")
HOME = of_feature("home_per_song", 0.3, 80.0, 45.0)


def test_what_raises_most_comes_first() -> None:
    assert told(DOWNGRADES, LEVEL, HOME) == [
        "subscription is free (most common: paid): raises the risk",
        "visited Downgrade 4 times (median: 0): raises the risk",
        "visits to Home: 80 per 1,000 songs (median: 45): raises the risk",
    ]
    fewer = CONFIG.model_copy(update={"n_reasons": 1})
    assert told(DOWNGRADES, LEVEL, HOME, config=fewer) == [told(LEVEL)[0]]


def test_nothing_that_lowers_is_told_of_a_risk_above_the_typical_one() -> None:
    lowers = of_feature("last_subscription_level", -0.4, "free", "paid")
    assert told(DOWNGRADES, lowers) == ["visited Downgrade 4 times (median: 0): raises the risk"]


def test_what_lowers_is_told_after_one_that_raises_when_the_risk_is_below_the_typical_one() -> None:
    lowers = of_feature("last_subscription_level", -2.0, "free", "paid")
    less = of_feature("page_kinds_28d", -0.2, 3.0, 9.0)
    assert [text.split()[0] for text in told(DOWNGRADES, less, lowers, HOME)] == [
        "visited",
        "subscription",
        "used",
    ]


def test_small_contribution_is_told_only_when_nothing_else_raises_the_risk() -> None:
    small = of_feature("last_subscription_level", 0.05, "free", "paid")
    assert told(DOWNGRADES, small) == told(DOWNGRADES)
    assert told(small) == ["subscription is free (most common: paid): raises the risk"]


def test_small_difference_is_told_only_when_nothing_else_raises_the_risk() -> None:
    near = of_part(0.9, 13.0, 11.0)
    assert told(near, DOWNGRADES) == told(DOWNGRADES)
    assert told(near) == ["saw 13 adverts in 42 days (expected: 11): raises the risk"]


@pytest.mark.parametrize(
    ("name", "value", "typical"),
    [
        ("num_downgrades", 0.0, 0.0),
        ("num_downgrades", float("nan"), 3.0),
        ("num_downgrades", 3.0, None),
        ("last_subscription_level", "paid", "paid"),
        ("last_subscription_level", None, "paid"),
    ],
)
def test_value_that_is_typical_or_unknown_is_no_reason(
    name: str, value: object, typical: object
) -> None:
    assert told(of_feature(name, 0.9, value, typical)) == []


@pytest.mark.parametrize(
    ("name", "value", "typical"),
    [("thumbs_up_per_song", 51.0, 53.0), ("settings_per_song", 7.2, 6.8)],
)
def test_difference_that_is_none_is_no_reason_beside_others(
    name: str, value: float, typical: float
) -> None:
    assert told(of_feature(name, 0.9, value, typical), DOWNGRADES) == told(DOWNGRADES)


def test_negative_values_differ_by_their_distance() -> None:
    slope = of_feature("songs_slope", 0.4, -12.0, 2.0)
    assert told(slope) == ["has 12 songs fewer each week (median: +2): raises the risk"]


def test_score_of_another_model_is_no_reason() -> None:
    score = of_feature("behaviour_probability", 3.0, 0.4, 0.03)
    assert topic_of(BY_NAME["behaviour_probability"]) == SCORE
    assert told(score) == []
    assert told(score, DOWNGRADES) == told(DOWNGRADES)


def test_near_twins_are_one_reason_with_what_they_add_together() -> None:
    windowed = of_feature("adverts_28d", 0.2, 30.0, 6.0)
    against = of_feature("adverts_per_song", -0.1, 25.0, 18.0)
    (one,) = choose_reasons([of_part(0.6, 30.0, 9.0), windowed, against], CONFIG)[0]
    assert one.sentence == "saw 30 adverts in 42 days (expected: 9): raises the risk"
    assert one.contribution == pytest.approx(0.7)
    assert one.feature.name == "visits_of_adverts_42d"


def test_largest_twin_that_differs_and_pulls_the_same_way_speaks() -> None:
    same = of_part(0.6, 9.5, 9.0)
    windowed = of_feature("adverts_28d", 0.2, 30.0, 6.0)
    other_way = of_feature("adverts_7d", -0.3, 0.0, 6.0)
    assert told(same, windowed, other_way) == [
        "saw 30 adverts in 28 days (median: 6): raises the risk"
    ]


def test_reason_of_a_part_is_read_from_its_fields() -> None:
    (one,) = choose_reasons([of_part(0.6, 12.0, 1.0, 14.0)], CONFIG)[0]
    read = read_reason(one.fields())
    assert read is not None
    assert (
        read.sentence == one.sentence == "saw 12 adverts in 14 days (expected: 1): raises the risk"
    )
    assert read.kind == "saw … adverts in … days: raises the risk"


def test_each_row_has_its_own_reasons_and_none_without_rows() -> None:
    rows = pd.DataFrame({"num_downgrades": [4, 0], "last_subscription_level": ["paid", "free"]})
    features = (BY_NAME["num_downgrades"], BY_NAME["last_subscription_level"])
    typical = {"num_downgrades": 0.0, "last_subscription_level": "paid"}
    matrix = np.array([[4.0, 0.0], [0.0, 1.0]])
    terms = feature_terms(rows, matrix, np.array([[1.0, 0.2], [0.1, 0.5]]), features, typical)
    assert [[one.text for one in several] for several in choose_reasons(terms, CONFIG)] == [
        ["visited Downgrade 4 times (median: 0)"],
        ["subscription is free (most common: paid)"],
    ]
    nobody = feature_terms(rows.iloc[:0], matrix[:0], np.empty((0, 2)), features, typical)
    assert choose_reasons(nobody, CONFIG) == []
    assert choose_reasons([], CONFIG) == []


@settings(deadline=None)
@given(
    contributions=st.lists(st.floats(-3, 3, allow_subnormal=False), min_size=3, max_size=3),
    values=st.lists(st.floats(0, 100), min_size=3, max_size=3),
)
def test_told_is_only_what_is_material(contributions: list[float], values: list[float]) -> None:
    names = ("num_downgrades", "home_per_song", "page_kinds_28d")
    terms = [
        of_feature(name, contribution, value, 20.0)
        for name, contribution, value in zip(names, contributions, values, strict=True)
    ]
    found = choose_reasons(terms, CONFIG)[0]
    sizes = [one.contribution for one in found]
    assert all(abs(one) >= CONFIG.min_contribution for one in sizes[1:])
    for one in found[1:]:
        value = float(one.value)  # type: ignore[arg-type]
        assert abs(value - 20.0) >= CONFIG.min_difference * max(value, 20.0)
    if sum(contributions) >= 0:
        assert all(one > 0 for one in sizes)
        assert sizes == sorted(sizes, reverse=True)
    else:
        assert all(one < 0 for one in sizes[1:])


def test_topics_of_features_are_those_of_the_parts_they_say_again() -> None:
    assert topic_of(BY_NAME["adverts_28d"]) == topic_of(BY_NAME["adverts_while_free"]) == "adverts"
    assert topic_of(BY_NAME["sessions_7d"]) == topic_of(BY_NAME["visits_a_week"]) == VISITS.name
    assert topic_of(BY_NAME["settings_per_song"]) == "settings"
    assert topic_of(BY_NAME["location"]) == "location"
    named = {part.name for part in COUNTED_PARTS}
    assert len(named) == len(COUNTED_PARTS)


def test_lost_interest_is_no_reason_where_it_is_below_the_typical_one() -> None:
    lost = of_feature("fading_now", 0.6, 0.4, 0.1)
    assert told(lost) == [
        "may be losing interest, judging by longer pauses: 40 % (median: 10 %): raises the risk"
    ]
    # Where nobody fades, the model may learn that who comes often cancels more.
    assert told(of_feature("fading_now", 0.6, 0.02, 0.1), DOWNGRADES) == told(DOWNGRADES)
    assert told(of_feature("fading_now", 0.6, 0.02, 0.1)) == []
