"""A reason's fields, and the words that are made of them."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from churn_spark.contracts.features.spec import FEATURES
from churn_spark.contracts.tables import BACKTEST_PREDICTIONS, RETENTION_LISTS, SCORES, TableSpec
from churn_spark.lakehouse.schema import struct_of
from churn_spark.models.reasons import Reason, read_reason, read_reasons
from churn_spark.models.words import Value

BY_NAME = {feature.name: feature for feature in FEATURES}


def reason(name: str, value: Value, typical: Value, contribution: float = 0.5) -> Reason:
    return Reason(BY_NAME[name], contribution, value, typical)


NUMBER = reason("num_downgrades", 4, 0.0)
LEVEL = reason("last_subscription_level", "free", "paid", -0.25)
UNKNOWN = reason("num_downgrades", float("nan"), None)


def test_reason_is_a_sentence() -> None:
    assert NUMBER.sentence == "visited Downgrade 4 times (median: 0): raises the risk"
    assert LEVEL.sentence == "subscription is free (most common: paid): lowers the risk"


def test_fields_are_the_reason() -> None:
    assert NUMBER.fields() == {
        "feature": "num_downgrades",
        "direction": "raises",
        "contribution": 0.5,
        "value": 4.0,
        "typical": 0.0,
        "level": None,
        "typical_level": None,
    }
    assert LEVEL.fields()["level"] == "free"
    assert LEVEL.fields()["typical_level"] == "paid"


@pytest.mark.parametrize("kept", [NUMBER, LEVEL, UNKNOWN], ids=["number", "level", "unknown"])
def test_reason_is_read_from_its_fields(kept: Reason) -> None:
    read = read_reason(kept.fields())
    assert read is not None
    assert read.fields() == kept.fields()
    assert read.sentence == kept.sentence


def test_no_reason_is_read_when_there_are_no_fields_or_the_feature_is_gone() -> None:
    assert read_reasons(None) == []
    gone = replace(NUMBER, feature=replace(NUMBER.feature, name="gone"))
    assert read_reasons([gone.fields(), LEVEL.fields()]) == [None, LEVEL]


@pytest.mark.parametrize("spec", [SCORES, RETENTION_LISTS, BACKTEST_PREDICTIONS])
def test_tables_keep_every_field(spec: TableSpec) -> None:
    kept = struct_of(spec)["reason_fields"].dataType.simpleString()
    assert re.findall(r"(\w+):", kept) == list(NUMBER.fields())


@pytest.mark.parametrize(
    ("one", "kind"),
    [
        (NUMBER, "visited Downgrade … times: raises the risk"),
        (reason("num_downgrades", 1, 2), "visited Downgrade … times: raises the risk"),
        (LEVEL, "subscription is free: lowers the risk"),
        (
            reason("total_listen_time", 4_325_400.0, 36_000.0),
            "listened for … hours so far: raises the risk",
        ),
        (
            reason("songs_7d", 1_201.0, 10.0, -1.0),
            "played … songs in … days: lowers the risk",
        ),
        (UNKNOWN, "visits to the Downgrade page, completed or not (unknown): raises the risk"),
    ],
)
def test_kind_is_the_sentence_without_its_values(one: Reason, kind: str) -> None:
    assert one.kind == kind
