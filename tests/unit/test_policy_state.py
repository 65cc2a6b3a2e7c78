"""State, decision and evidence as canonical JSON."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nights import HISTORIES, QUIET, START, History, fact

from churn_spark.monitoring.policy.evidence import Evidence
from churn_spark.monitoring.policy.policy_state import Decision, PolicyState, from_json, to_json


@settings(max_examples=60, deadline=None)
@given(HISTORIES)
def test_reading_back_gives_the_same_value_and_the_same_bytes(history: History) -> None:
    for _, before, evidence, decision, after in history:
        for kind, value in [
            (PolicyState, before), (PolicyState, after), (Evidence, evidence), (Decision, decision),
        ]:  # fmt: skip
            text = to_json(value)
            again = from_json(kind, text)
            assert again == value
            assert to_json(again) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_come_back_exactly(value: float) -> None:
    text = to_json(replace(QUIET, features=(fact("songs", importance=value),)))
    found = from_json(Evidence, text).features[0]
    assert math.copysign(1, found.importance) == math.copysign(1, value)
    assert found.importance.hex() == value.hex()


def test_keys_are_sorted_and_dates_are_plain() -> None:
    text = to_json(START)
    assert list(json.loads(text)) == sorted(json.loads(text))
    assert '"last_retrain":"2024-01-01"' in text


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_json_does_not_know_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="Out of range float"):
        to_json(replace(QUIET, features=(fact("songs", importance=value),)))


def test_text_of_another_kind_is_refused_with_its_fields() -> None:
    with pytest.raises(ValueError, match="champion"):
        from_json(PolicyState, '{"last_night": "yesterday"}')
