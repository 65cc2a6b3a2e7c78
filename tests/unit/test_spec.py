"""Feature declarations: the fingerprint guards them, tables derive from them."""

from __future__ import annotations

from dataclasses import fields, replace
from string import Formatter
from typing import Any

import pytest

from churn_spark.errors import FingerprintError
from churn_spark.features.spec import (
    FEATURES,
    PAGE_COUNTS,
    PROFILE_FIELDS,
    Feature,
    fingerprint,
    model_features,
)
from churn_spark.schemas import SESSION_DAYS

REPORT_NAMES = [
    "tenure_days",
    "total_songs_played",
    "total_listen_time",
    "num_thumbs_up",
    "num_thumbs_down",
    "num_sessions",
    "avg_songs_per_session",
    "num_friends_added",
    "num_downgrades",
    "num_submit_downgrades",
    "last_subscription_level",
    "gender",
    "location",
    "os",
    "browser",
]
CHANGES: dict[str, Any] = {
    "name": "tenure",
    "data_type": "long",
    "aggregate": "sum",
    "source": "first_ts",
    "meaning": "time since sign-up",
    "unit": "weeks",
    "phrase": "here for {value}",
    "per": "n_songs",
    "scale": 7.0,
    "is_trending": False,
    "is_sensitive": True,
}


def test_features_are_the_reports() -> None:
    assert [feature.name for feature in FEATURES] == REPORT_NAMES


def test_fingerprint_is_sixteen_hexadecimal_digits() -> None:
    assert len(fingerprint(FEATURES)) == 16
    assert int(fingerprint(FEATURES), 16) >= 0


def test_fingerprint_is_equal_when_definitions_are_equal() -> None:
    assert fingerprint(tuple(replace(feature) for feature in FEATURES)) == fingerprint(FEATURES)


@pytest.mark.parametrize("attribute", [field.name for field in fields(Feature)])
def test_fingerprint_changes_when_one_attribute_changes(attribute: str) -> None:
    changed = replace(FEATURES[0], **{attribute: CHANGES[attribute]})
    assert fingerprint((changed, *FEATURES[1:])) != fingerprint(FEATURES)


def test_fingerprint_changes_when_a_feature_is_left_out_or_moved() -> None:
    swapped = (FEATURES[1], FEATURES[0], *FEATURES[2:])
    assert len({fingerprint(FEATURES), fingerprint(FEATURES[:-1]), fingerprint(swapped)}) == 3


def test_gender_is_no_input_unless_switched_on() -> None:
    without = [feature.name for feature in model_features(use_gender=False)]
    assert without == [name for name in REPORT_NAMES if name != "gender"]
    assert model_features(use_gender=True) == FEATURES


def test_only_text_is_a_category() -> None:
    categories = [feature.name for feature in FEATURES if not feature.is_numeric]
    assert categories == ["last_subscription_level", "gender", "location", "os", "browser"]


def test_totals_and_tenure_are_trending_and_nothing_else_is() -> None:
    steady = [feature.name for feature in FEATURES if not feature.is_trending]
    assert steady == ["avg_songs_per_session", *REPORT_NAMES[10:]]


def test_every_source_is_a_session_day_column_or_the_session_count() -> None:
    known = {*SESSION_DAYS.column_names, "n_sessions"}
    sources = {feature.source for feature in FEATURES} | {f.per for f in FEATURES if f.per}
    assert sources - known == set()


def test_every_profile_field_is_a_session_day_column_with_its_order() -> None:
    columns = {name for names in PROFILE_FIELDS.values() for name in names}
    orders = {f"{group}_seen" for group in PROFILE_FIELDS}
    assert columns | orders <= set(SESSION_DAYS.column_names)


def test_each_page_is_counted_once() -> None:
    assert len(set(PAGE_COUNTS.values())) == len(PAGE_COUNTS)


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_phrase_names_the_value_and_nothing_unknown(feature: Feature) -> None:
    named = {field for _, field, _, _ in Formatter().parse(feature.phrase) if field}
    assert "value" in named
    assert named <= {"value", "typical"}


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_ratios_alone_have_a_denominator_and_numbers_alone_a_unit(feature: Feature) -> None:
    assert (feature.aggregate == "ratio") == bool(feature.per)
    assert feature.is_numeric == bool(feature.unit)


def test_fingerprint_error_ends_a_job_with_two() -> None:
    assert FingerprintError.exit_code == 2
