"""Values in words: every unit, for nothing, one, many and unknown."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_spark.contracts.features.spec import FEATURES, Feature
from churn_spark.models.words import describe, describe_change, share_in_words

BY_NAME = {feature.name: feature for feature in FEATURES}
DOWNGRADES = BY_NAME["num_downgrades"]


def feature(unit: str, phrase: str) -> Feature:
    return replace(BY_NAME["avg_songs_per_session"], unit=unit, phrase=phrase)


VISITS = feature("sessions", "came {value} times in 7 days (median: {typical})")
SLOPE = feature("songs/week", "plays {value} songs more each week (median: {typical})")
SHARE = feature("share", "comes on weekends in {value} of cases (median: {typical})")
TREND = feature("times", "plays {value} times as much as before (median: {typical})")


@pytest.mark.parametrize("missing", [None, math.nan, pd.NA, np.float64("nan")])
@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (DOWNGRADES, "visits to the Downgrade page, completed or not (unknown)"),
        (BY_NAME["os"], "operating system of the newest known device (unknown)"),
    ],
    ids=["number", "category"],
)
def test_value_is_said_to_be_unknown_when_missing(
    asked: Feature, missing: object, expected: str
) -> None:
    assert describe(asked, missing, None) == expected


@pytest.mark.parametrize(
    ("name", "value", "typical", "expected"),
    [
        ("tenure_days", 91.7, 60.2, "customer for 92 days (median: 60)"),
        ("tenure_days", 1.0, 60.2, "customer for 1 day (median: 60)"),
        ("tenure_days", 0.02, 60.2, "customer for less than 0.1 days (median: 60)"),
        ("total_songs_played", 12_345, 6.0, "played 12,345 songs so far (median: 6)"),
        (
            "total_listen_time",
            9_000_000.0,
            3_600.0,
            "listened for 2,500 hours so far (median: 1 hour)",
        ),
        ("avg_songs_per_session", 80.06, 71.0, "plays 80 songs a session (median: 71)"),
        ("avg_songs_per_session", 80.06, 80.4, "plays 80.1 songs a session (median: 80.4)"),
        ("num_thumbs_up", np.int64(3), None, "gave 3 thumbs up (median: unknown)"),
        ("num_thumbs_up", 0, pd.NA, "gave 0 thumbs up (median: unknown)"),
        ("num_friends_added", 1, 1, "added 1 friend (median: 1)"),
        ("location", "NY", "CA", "lives in NY"),
        ("browser", "Firefox", None, "uses the browser Firefox"),
        ("last_subscription_level", "paid", None, "subscription is paid (most common: unknown)"),
    ],
)
def test_value_of_the_report_is_described_in_its_unit(
    name: str, value: object, typical: object, expected: str
) -> None:
    assert describe(BY_NAME[name], value, typical) == expected


@pytest.mark.parametrize(
    ("asked", "value", "typical", "expected"),
    [
        (VISITS, 0, 4, "came 0 times in 7 days (median: 4)"),
        (VISITS, 1, 4, "came 1 time in 7 days (median: 4)"),
        (VISITS, 11, 1, "came 11 times in 7 days (median: 1)"),
        (VISITS, 1001, 1.1, "came 1,001 times in 7 days (median: 1.1)"),
        (SHARE, 0.0, 1.0, "comes on weekends in 0 % of cases (median: 100 %)"),
        (SHARE, 0.083, 0.25, "comes on weekends in 8.3 % of cases (median: 25 %)"),
        (SHARE, 0.0002, 0.25, "comes on weekends in less than 0.1 % of cases (median: 25 %)"),
        (TREND, 1.0, 0.5, "plays 1.0 times as much as before (median: 0.5)"),
        (SLOPE, 2.5, -1.0, "plays 2.5 songs more each week (median: -1)"),
        (SLOPE, -3.25, 0.4, "plays 3.2 songs fewer each week (median: +0.4)"),
        (SLOPE, 1.0, 0.0, "plays 1 song more each week (median: 0)"),
        (SLOPE, -0.0, 3.0, "plays 0 songs more each week (median: +3)"),
        (SLOPE, 12.0, 0.001, "plays 12 songs more each week (median: about 0)"),
        (
            feature("per 1,000 songs", "adverts: {value} for each 1,000 songs"),
            1.0,
            18.0,
            "adverts: 1 for each 1,000 songs",
        ),
        (
            feature("visits/week", "comes {value} times a week (median: {typical})"),
            0.26,
            0.24,
            "comes 0.3 times a week (median: 0.2)",
        ),
        (
            feature("hours", "was last here {value} hours ago (median: {typical})"),
            1.0,
            50.4,
            "was last here 1 hour ago (median: 50)",
        ),
    ],
)
def test_value_is_described_in_its_unit(
    asked: Feature, value: float, typical: float, expected: str
) -> None:
    assert describe(asked, value, typical) == expected


NUMBERS = st.floats(0, 1e6, allow_subnormal=False)


@pytest.mark.parametrize("asked", [VISITS, SHARE, SLOPE, TREND, BY_NAME["total_listen_time"]])
@given(value=NUMBERS, typical=NUMBERS)
def test_reason_never_reads_the_same_for_values_a_percent_apart(
    asked: Feature, value: float, typical: float
) -> None:
    if abs(value - typical) <= 0.01 * max(value, typical) or max(value, typical) < 72:
        return
    texts = [describe(asked, one, other) for one, other in ((value, typical), (typical, value))]
    assert texts[0] != texts[1]


@given(value=NUMBERS, typical=NUMBERS)
def test_nothing_is_said_to_be_zero_when_it_is_not(value: float, typical: float) -> None:
    zero = re.match(r"came 0 times", describe(VISITS, value, typical)) is not None
    assert zero == (value == 0)


@pytest.mark.parametrize(
    ("asked", "before", "after", "expected"),
    [
        (VISITS, 1, 5, "came 5 times in 7 days instead of 1"),
        (VISITS, 5, 1, "came 1 time in 7 days instead of 5"),
        (VISITS, math.nan, 5, "came 5 times in 7 days (now unknown)"),
        (SHARE, 0.8, 0.3, "comes on weekends in 30 % of cases instead of 80 %"),
        (
            BY_NAME["last_subscription_level"],
            "free",
            "paid",
            "subscription is paid instead of free",
        ),
        (BY_NAME["location"], "NY", "CA", "lives in CA instead of NY"),
        (VISITS, 5, None, "songs played per session (unknown)"),
    ],
)
def test_change_names_both_values(
    asked: Feature, before: object, after: object, expected: str
) -> None:
    assert describe_change(asked, before, after) == expected


@pytest.mark.parametrize("asked", FEATURES, ids=lambda one: one.name)
@pytest.mark.parametrize("value", [0, 1, 2.5, 40_000])
def test_every_phrase_is_filled_in(asked: Feature, value: float) -> None:
    for text in (describe(asked, value, 1.0), describe_change(asked, 1.0, value)):
        assert not re.search(
            r"[{}_]|\bnan\b|(?<![\d.,])1 (times|songs|sessions|days|hours)\b(?! as)", text
        )


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, "0 %"), (0.08, "8 %"), (0.1437, "14 %"), (1.0, "100 %")]
)
def test_share_is_shown_as_percent(share: float, expected: str) -> None:
    assert share_in_words(share) == expected
