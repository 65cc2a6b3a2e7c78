"""Feature declarations: the fingerprint guards them, tables derive from them."""

from __future__ import annotations

from dataclasses import fields, replace
from string import Formatter
from typing import Any

import pytest

from churn_spark.contracts.features.spec import (
    DERIVED_SOURCES,
    FEATURE_SETS,
    FEATURES,
    PAGE_COUNTS,
    PROFILE_FIELDS,
    SNAPSHOT_FEATURES,
    Feature,
    fingerprint,
    model_features,
    named,
)
from churn_spark.contracts.tables import SESSION_DAYS
from churn_spark.errors import FingerprintError

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
    "days": 7,
    "scale": 7.0,
    "prior": 0.5,
    "prior_weight": 2.0,
    "level": "paid",
    "is_trending": False,
    "is_sensitive": True,
}


def test_report_set_is_the_reports() -> None:
    assert [feature.name for feature in FEATURE_SETS["report"]] == REPORT_NAMES


def test_names_are_unique_over_all_sets() -> None:
    names = [feature.name for feature in FEATURES]
    assert len(set(names)) == len(names) > 80


def test_sets_are_switchable_and_keep_the_order_of_the_table() -> None:
    found = model_features(["behaviour", "report"], use_gender=True)
    assert found == FEATURE_SETS["report"] + FEATURE_SETS["behaviour"]
    with pytest.raises(KeyError):
        model_features(["unknown"], use_gender=True)


def test_named_keeps_the_order_asked_for_and_leaves_out_what_is_unknown() -> None:
    assert [feature.name for feature in named(["os", "none", "gender"])] == ["os", "gender"]


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
    without = [feature.name for feature in model_features(FEATURE_SETS, use_gender=False)]
    assert without == [feature.name for feature in FEATURES if feature.name != "gender"]
    assert model_features(FEATURE_SETS, use_gender=True) == FEATURES


def test_only_text_is_a_category() -> None:
    categories = [feature.name for feature in FEATURES if not feature.is_numeric]
    assert categories == ["last_subscription_level", "gender", "location", "os", "browser"]


def test_what_grows_for_everybody_is_trending_and_nothing_else_is() -> None:
    trending = [feature.name for feature in FEATURES if feature.is_trending]
    totals = [name for name in REPORT_NAMES[:10] if name != "avg_songs_per_session"]
    assert trending == [*totals, "exposure_days", "level_changes"]


def test_what_follows_the_calendar_is_expected_to_move() -> None:
    moving = [f.name for f in FEATURES if f.moves_by_construction and not f.is_trending]
    assert moving == [
        "sessions_1d", "sessions_3d", "songs_1d", "songs_3d", "hours_since_last_event",
        "gap_spread_days", "longest_gap_days", "relative_gap", "billing_day",
        "days_since_level_change", "missed_sessions",
    ]  # fmt: skip


def test_every_source_is_known() -> None:
    known = {*SESSION_DAYS.column_names, *DERIVED_SOURCES, "exposure", "level_changed_ts", ""}
    sources = {name for feature in SNAPSHOT_FEATURES for name in (feature.source, feature.per)}
    assert sources - known == set()


def test_no_source_counts_the_pages_of_cancelling() -> None:
    """`n_events` and the pages that aren't counted by name would hold Cancel."""
    sources = {name for feature in SNAPSHOT_FEATURES for name in (feature.source, feature.per)}
    assert sources & {"n_events", "n_other_pages", "cancel_ts"} == set()


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
def test_rates_alone_have_a_denominator_and_numbers_alone_a_unit(feature: Feature) -> None:
    has_rate = feature.aggregate in ("ratio", "if_level", "surprise", "silence")
    assert has_rate == bool(feature.per)
    assert feature.is_numeric == bool(feature.unit)


def test_fingerprint_error_ends_a_job_with_two() -> None:
    assert FingerprintError.exit_code == 2
