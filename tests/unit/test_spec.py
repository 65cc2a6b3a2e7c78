"""Feature declarations: the fingerprint guards them, tables derive from them."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date
from string import Formatter
from typing import Any

import numpy as np
import pytest

from churn_spark.contracts.features.formulas import Formula, IfLevel
from churn_spark.contracts.features.spec import (
    DERIVED_SOURCES,
    FEATURE_SETS,
    FEATURES,
    PAGE_COUNTS,
    PROFILE_FIELDS,
    SNAPSHOT_FEATURES,
    Feature,
    LogFeature,
    fingerprint,
    model_features,
    named,
)
from churn_spark.contracts.tables import SESSION_DAYS
from churn_spark.errors import FingerprintError
from churn_spark.features.local.past import FramePast
from churn_spark.serving.events.days import History
from churn_spark.serving.events.features import compute_features

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
    "unit": "weeks",
    "is_trending": False,
    "is_sensitive": True,
}
WORDS: dict[str, Any] = {
    "meaning": "time since sign-up",
    "phrase": "here for {value}",
    "is_risk": True,
}


FINGERPRINTS = {
    "report": "b9f447926eedf676",
    "activity": "21553e7d59fd742b",
    "behaviour": "106ab70b80a6cb9d",
    "fading": "0022142c5c8e6d81",
}
FORMULAS = {type(feature.formula): feature.formula for feature in SNAPSHOT_FEATURES}


class Asked(dict[str, Any]):
    """Has an answer to everything, and remembers what it was asked for."""

    def __init__(self, answer: object) -> None:
        self.answer = answer

    def __missing__(self, name: str) -> object:
        return self.setdefault(name, self.answer)


@pytest.fixture(scope="module")
def asked() -> History:
    """The history of nobody, after all features were asked of it."""
    history = History(
        as_of=date(2018, 11, 30),
        days=np.array([], dtype=np.int64),
        columns=Asked(np.array([], dtype=np.int64)),
        profile=dict.fromkeys(name for names in PROFILE_FIELDS.values() for name in names),
        instants=dict.fromkeys(("last_ts", "level_changed_ts")),
        log_start=date(2018, 10, 1),
    )
    assert len(compute_features(history)) == len(SNAPSHOT_FEATURES)
    return history


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


def test_fingerprint_is_that_of_the_models_in_use() -> None:
    """A changed definition makes every model that was trained before unusable: change it here."""
    assert {name: fingerprint(FEATURE_SETS[name]) for name in FEATURE_SETS} == FINGERPRINTS
    assert fingerprint(FEATURES) == "138f2c103f5940fe"


def test_fingerprint_is_equal_when_definitions_are_equal() -> None:
    assert fingerprint(tuple(replace(feature) for feature in FEATURES)) == fingerprint(FEATURES)


@pytest.mark.parametrize("attribute", [field.name for field in fields(Feature)])
def test_fingerprint_changes_with_every_attribute_but_the_words(attribute: str) -> None:
    changed = replace(FEATURES[0], **{attribute: (CHANGES | WORDS)[attribute]})
    is_same = fingerprint((changed, *FEATURES[1:])) == fingerprint(FEATURES)
    assert is_same == (attribute in WORDS)


@pytest.mark.parametrize("formula", FORMULAS.values(), ids=lambda formula: type(formula).__name__)
def test_fingerprint_changes_when_one_parameter_of_a_formula_changes(formula: Formula) -> None:
    ratio = replace(formula.ratio, prior=0.5) if isinstance(formula, IfLevel) else None
    others = {str: "other", int: 5, float: 5.0, type(getattr(formula, "ratio", None)): ratio}
    for field in fields(formula):
        other: Any = others[type(getattr(formula, field.name))]
        assert replace(formula, **{field.name: other}).definition != formula.definition, field.name


def test_no_two_formulas_have_one_definition() -> None:
    definitions = [
        frozenset(one.definition.items()) for one in {f.formula for f in SNAPSHOT_FEATURES}
    ]
    assert len(set(definitions)) == len(definitions)


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
        "days_to_billing", "billing_days_ahead", "days_since_level_change", "missed_sessions",
        "pause_log_survival",
    ]  # fmt: skip


def test_every_source_is_known(asked: History) -> None:
    assert asked.columns.keys() - {*PAGE_COUNTS, "listened_micros", *DERIVED_SOURCES} == set()


def test_no_source_counts_the_pages_of_cancelling(asked: History) -> None:
    """`n_events` and the pages that aren't counted by name would hold Cancel."""
    assert len(asked.columns) > 20
    assert asked.columns.keys() & {"n_events", "n_other_pages", "cancel_ts"} == set()


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
    has_rate = feature.definition["aggregate"] in (
        *("ratio", "if_level", "surprise", "silence"),
        *("own_pace", "slowdown", "pause_survival"),
    )
    assert has_rate == bool(feature.definition["per"])
    assert feature.is_numeric == bool(feature.unit)


@pytest.mark.parametrize("feature", SNAPSHOT_FEATURES, ids=lambda feature: feature.name)
def test_no_expression_grows_beyond_what_an_engine_plans_at_once(feature: LogFeature) -> None:
    # One in which each use of a value computes it anew had 131,000 characters: Polars needed
    # seconds to plan it, and Spark Connect refused it.
    past = FramePast(date(2018, 12, 1), date(2018, 10, 1))
    made = [feature.formula.value(past).expr, *past.steps]
    assert max(len(str(expression)) for expression in made) < 10_000


def test_fingerprint_error_ends_a_job_with_two() -> None:
    assert FingerprintError.exit_code == 2
