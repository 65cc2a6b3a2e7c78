"""What-if: the best single change of each row, against a loop over everything."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from churn_spark.contracts.features.spec import FEATURES, Feature
from churn_spark.models.what_if import Change, behaviour_candidates, best_changes

BY_NAME = {feature.name: feature for feature in FEATURES}
SONGS = replace(
    BY_NAME["avg_songs_per_session"],
    name="songs_7d",
    phrase="played {value} songs in 7 days (median: {typical})",
)


def predict(rows: pd.DataFrame) -> np.ndarray:
    """Falls with songs, rises with adverts; free users are at more risk."""
    songs = rows["songs"].to_numpy(dtype=float, na_value=math.nan)
    adverts = rows["adverts"].to_numpy(dtype=float)
    known = np.where(np.isnan(songs), 0.0, songs)
    return expit(-1 - known / 4 + adverts / 2 + (rows["level"] == "free").to_numpy())


def called(name: str) -> Feature:
    """A declaration with this name."""
    return replace(BY_NAME["avg_songs_per_session"], name=name)


ROWS = pd.DataFrame({"songs": [3, 12, 40], "adverts": [4.0, 0.0, 1.0], "level": ["free"] * 3})
CANDIDATES = {
    called("songs"): [12.0, 20.0, 5.0],
    called("adverts"): [0.0, 1.0],
    called("level"): ["free", "paid"],
}


def test_changes_are_the_largest_drops_each_feature_once() -> None:
    first, second, third = best_changes(ROWS, predict, CANDIDATES)
    assert [(one.feature.name, one.before, one.after) for one in first] == [
        ("songs", 3, 20.0),
        ("adverts", 4.0, 0.0),
        ("level", "free", "paid"),
    ]
    assert [one.feature.name for one in second] == ["songs", "level"]
    assert [one.feature.name for one in third] == ["level", "adverts"]


def test_small_drops_are_not_named() -> None:
    found = best_changes(ROWS, predict, CANDIDATES, min_drop=0.6)
    assert [[one.feature.name for one in changes] for changes in found] == [
        ["songs"],
        ["songs", "level"],
        ["level"],
    ]


def test_rows_stay_as_they_were_and_their_index_does_not_matter() -> None:
    rows = ROWS.set_axis([7, 7, 3])
    before = rows.copy()
    assert best_changes(rows, predict, CANDIDATES) == best_changes(ROWS, predict, CANDIDATES)
    pd.testing.assert_frame_equal(rows, before)


def test_there_are_no_changes_without_rows_or_candidates() -> None:
    assert best_changes(ROWS.iloc[:0], predict, CANDIDATES) == []
    assert best_changes(ROWS, predict, {}) == [[], [], []]


def test_predictions_are_asked_for_once_a_feature_and_once_before() -> None:
    calls = []

    def counted(rows: pd.DataFrame) -> np.ndarray:
        calls.append(len(rows))
        return predict(rows)

    best_changes(ROWS, counted, CANDIDATES)
    assert calls == [3, *(3 * len(values) for values in CANDIDATES.values())]


people = st.lists(
    st.tuples(st.none() | st.integers(0, 60), st.integers(0, 9), st.sampled_from(["free", "paid"])),
    min_size=1,
    max_size=5,
)


@given(
    people=people,
    songs=st.lists(st.floats(0, 60), max_size=3),
    adverts=st.lists(st.floats(0, 9), max_size=3),
    min_drop=st.sampled_from([0.0, 0.1, 0.5]),
)
def test_changes_never_raise_the_risk_and_equal_the_loop(
    people: list[tuple[int | None, int, str]],
    songs: list[float],
    adverts: list[float],
    min_drop: float,
) -> None:
    rows = pd.DataFrame(people, columns=["songs", "adverts", "level"])
    candidates = {"songs": songs, "adverts": adverts, "level": ["free", "paid"]}
    declared = {called(name): values for name, values in candidates.items()}
    found = best_changes(rows, predict, declared, min_drop)
    for position, changes in enumerate(found):
        alone = rows.iloc[[position]]
        now = float(predict(alone)[0])
        drops = []
        for order, (name, values) in enumerate(candidates.items()):
            tried = [float(predict(alone.assign(**{name: value}))[0]) for value in values]
            if tried and min(tried) < now and min(tried) <= (1 - min_drop) * now:
                drops.append((min(tried), order, values[tried.index(min(tried))], name))
        expected = [(name, value, after) for after, _, value, name in sorted(drops)]
        assert [(one.feature.name, one.after, one.probability_after) for one in changes] == expected
        assert all(one.probability_after < one.probability_before == now for one in changes)


def test_change_says_what_the_model_would_have_said() -> None:
    change = Change(SONGS, 3.0, 12.0, 0.1437, 0.081)
    assert change.text == (
        "predicted risk would be 8.1 % instead of 14 % with: played 12 songs in 7 days instead of 3"
    )


def test_candidates_are_quartiles_and_the_typical_value_of_what_users_do() -> None:
    rows = pd.DataFrame({"songs_7d": [0.0, 1.0, 5.0, 8.0, math.nan]})
    found = behaviour_candidates([SONGS], rows, {}, {"songs_7d": 3.0})
    assert found == {SONGS: [3.0, 1.0, 5.0]}


@pytest.mark.parametrize("typical", [None, math.nan])
def test_feature_has_no_candidates_when_nobody_has_a_value(typical: float | None) -> None:
    rows = pd.DataFrame({"songs_7d": [math.nan, None]})
    assert behaviour_candidates([SONGS], rows, {}, {"songs_7d": typical}) == {SONGS: []}


def test_what_nobody_can_change_is_not_tried() -> None:
    numeric = {feature.name: [1.0, 2.0] for feature in FEATURES if feature.is_numeric}
    levels = {feature.name: ("a", "b") for feature in FEATURES if not feature.is_numeric}
    typical = {feature.name: 1.0 for feature in FEATURES}
    tried = behaviour_candidates(FEATURES, pd.DataFrame(numeric), levels, typical)
    found = {feature.name: values for feature, values in tried.items()}
    fixed = {"gender", "location", "os", "browser", "tenure_days", "num_sessions"}
    assert not fixed & set(found)
    assert not any(BY_NAME[name].is_trending for name in found)
    dates = {"billing_day", "days_to_billing", "billing_days_ahead", "days_since_level_change"}
    assert not dates & set(found)
    assert found["last_subscription_level"] == ["a", "b"]
    assert {"avg_songs_per_session", "songs_7d", "hours_since_last_event"} <= set(found)
    assert not {"behaviour_probability", "cancel_per_visit"} & set(found)
