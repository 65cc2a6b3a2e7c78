"""What would help: parts made typical, and the other subscription, asked of the model again."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from churn_spark.contracts.features.parts import COUNTED_PARTS, PARTS
from churn_spark.contracts.features.spec import FEATURES, Feature
from churn_spark.models.part_changes import about_no_part, part_changes, single_changes

BY_NAME = {feature.name: feature for feature in FEATURES}
MODEL = tuple(
    BY_NAME[name]
    for name in (
        "last_subscription_level",
        "adverts_28d",
        "songs_7d",
        "behaviour_probability",
        "fading_probability",
    )
)
TYPICAL = {
    "last_subscription_level": "paid",
    "adverts_28d": 6.0,
    "songs_7d": 20.0,
    "behaviour_probability": 0.03,
    "fading_probability": 0.03,
}


def predict(rows: pd.DataFrame) -> np.ndarray:
    """The scores beyond .2, and a little for adverts that trees look at."""
    scores = rows[["behaviour_probability", "fading_probability"]].to_numpy(dtype=float)
    adverts = rows["adverts_28d"].to_numpy(dtype=float)
    return expit(logit(scores).sum(axis=1) - logit(0.2) + adverts / 100)


def user(**changed: object) -> pd.DataFrame:
    """A user at a risk of .2, whose counts are all typical, but for those given."""
    counts = {f"{kind}_{part.name}": 10.0 for part in COUNTED_PARTS for kind in ("n", "typical")}
    row = {
        "last_subscription_level": "paid",
        "adverts_28d": 6.0,
        "songs_7d": 20.0,
        "behaviour_probability": 0.2,
        "fading_probability": 0.2,
        "watched_days": 42,
        **counts,
        **{f"part_{name}": 0.1 for name in PARTS},
        **{f"without_{part.name}": logit(0.2) for part in COUNTED_PARTS},
        "with_other_level": logit(0.2),
    }
    return pd.DataFrame([{**row, **changed}])


def helps(rows: pd.DataFrame, features: tuple[Feature, ...] = MODEL) -> list[str]:
    found = part_changes(rows, predict, features, TYPICAL, 0.2, 0.1)
    return [change.text for change in found[0]]


def test_fewer_adverts_help_wherever_the_model_looks_at_adverts() -> None:
    rows = user(n_adverts=40.0, without_adverts=logit(0.1), adverts_28d=30.0)
    before, after = float(expit(logit(0.2) + 0.3)), float(expit(logit(0.1) + 0.06))
    assert helps(rows) == [
        f"predicted risk would be {100 * after:.0f} % instead of {100 * before:.0f} % "
        "with: saw 10 adverts in 42 days instead of 40"
    ]


def test_what_pauses_say_of_a_user_stays_as_it_is() -> None:
    fading = user(n_adverts=40.0, without_adverts=logit(0.1), fading_probability=0.5)
    fades = logit(0.5) - logit(0.2) + 0.06
    before, after = (100 * float(expit(fades + logit(score))) for score in (0.2, 0.1))
    assert helps(fading) == [
        f"predicted risk would be {after:.0f} % instead of {before:.0f} % "
        "with: saw 10 adverts in 42 days instead of 40"
    ]


def test_other_subscription_helps_whoever_has_the_typical_one() -> None:
    assert helps(user(with_other_level=logit(0.1))) == [
        "predicted risk would be 11 % instead of 21 % with: subscription is free instead of paid"
    ]
    assert helps(user(last_subscription_level=None, with_other_level=logit(0.1))) == []


@pytest.mark.parametrize(
    ("name", "count", "is_help"),
    [
        ("thumbs_down", 30.0, True),
        ("thumbs_down", 2.0, False),
        ("thumbs_down", 11.0, False),
        ("liking", 2.0, True),
        ("liking", 30.0, False),
        ("visits", 30.0, False),
        ("endings", 2.0, False),
    ],
)
def test_only_what_can_be_aimed_at_helps(name: str, count: float, is_help: bool) -> None:
    rows = user(**{f"n_{name}": count, f"without_{name}": logit(0.05)})
    assert bool(helps(rows)) == is_help


def test_small_drop_is_no_help() -> None:
    assert helps(user(n_adverts=40.0, without_adverts=logit(0.195))) == []


def test_rows_without_parts_are_left_to_single_features() -> None:
    known = user(n_adverts=40.0, without_adverts=logit(0.1), adverts_28d=30.0)
    unknown = known.assign(part_visits=np.nan)
    assert helps(unknown) == []
    assert helps(unknown[["adverts_28d", "behaviour_probability"]]) == []
    tried = {BY_NAME["adverts_28d"]: [6.0]}
    found = single_changes(pd.concat([known, unknown]), predict, tried, 0.1)
    assert [[change.after for change in changes] for changes in found] == [[], [6.0]]


def test_features_about_a_part_are_not_changed_alone() -> None:
    tried = {BY_NAME[name]: [1.0] for name in ("adverts_28d", "songs_7d", "page_kinds_28d")}
    assert [feature.name for feature in about_no_part(tried)] == ["page_kinds_28d"]
