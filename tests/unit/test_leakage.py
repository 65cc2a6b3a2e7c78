"""Twenty-five planted leaks, each found by the check made for it; the honest table passes all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from bench.leak_log import SETTINGS
from bench.planted_leaks import LEAKS, is_caught
from bench.planting import Leak, Planting, prepare_planting
from churn_spark.config import LeakageConfig, load_config
from churn_spark.errors import LeakTableError
from churn_spark.leakage.changed_future import check_rebuilt
from churn_spark.leakage.checks import find_leaks
from churn_spark.leakage.fitted_on_test import check_fitted
from churn_spark.leakage.identities import check_identities
from churn_spark.leakage.model_checks import check_ceiling, check_shuffled
from churn_spark.leakage.order import check_order
from churn_spark.leakage.own_clock import check_anchors
from churn_spark.leakage.population import (
    check_cancellations,
    check_population,
    check_silence,
)
from churn_spark.leakage.shift import check_shift
from churn_spark.leakage.single_features import check_strength
from churn_spark.leakage.stored import check_stored
from churn_spark.leakage.table import TEST, TRAIN, FeatureTable, Finding
from churn_spark.leakage.train_test import check_sides
from churn_spark.timeline import Horizon, days_after

LIMITS = load_config().leakage
Check = Callable[[FeatureTable], Iterable[Finding]]


def within_limits(
    check: Callable[[FeatureTable, LeakageConfig], Iterable[Finding]],
) -> Check:
    return lambda table: check(table, LIMITS)


MADE_FOR: dict[str, Check] = {
    "strength": within_limits(check_strength),
    "identity": within_limits(check_identities),
    "order": within_limits(check_order),
    "shift": within_limits(check_shift),
    "future": check_rebuilt,
    "own last event": check_anchors,
    "own window": check_anchors,
    "gone users": check_cancellations,
    "unripe labels": check_population,
    "silence": check_silence,
    "shared users": check_sides,
    "overlapping windows": check_sides,
    "copies": check_sides,
    "scaled on all rows": check_fitted,
    "filled from all rows": check_fitted,
    "encoded with test labels": check_fitted,
}


@pytest.fixture(scope="module")
def planting() -> Planting:
    """A simulated log of 1,000 users and its honest table."""
    return prepare_planting(replace(SETTINGS, users=1000, seed=2))


@pytest.fixture(scope="module")
def honest(planting: Planting) -> FeatureTable:
    return planting.honest


def test_nothing_is_found_in_an_honest_table(honest: FeatureTable) -> None:
    assert find_leaks(honest, LIMITS) == []


def test_the_catalogue_has_twenty_five_leaks_and_no_name_twice() -> None:
    assert len({leak.name for leak in LEAKS}) == len(LEAKS) == 25


@pytest.mark.parametrize("leak", LEAKS, ids=lambda leak: leak.name)
def test_a_planted_leak_is_found_in_its_column(planting: Planting, leak: Leak) -> None:
    check = MADE_FOR[leak.check]
    assert not is_caught(leak, list(check(planting.honest)))
    assert is_caught(leak, list(check(leak.plant(planting))))


def test_all_checks_are_asked(planting: Planting) -> None:
    by_name = {leak.name: leak for leak in LEAKS}
    for name in ("cancel_visits", "random_rows"):
        assert is_caught(by_name[name], find_leaks(by_name[name].plant(planting), LIMITS))


def checks_of(findings: Iterable[Finding]) -> set[str]:
    return {finding.check for finding in findings}


def test_nothing_is_told_apart_in_a_table_of_one_user() -> None:
    rows = pd.DataFrame(
        {
            "as_of": [date(2018, 10, 1), date(2018, 10, 8)],
            "user_id": "a",
            "label": [0, 1],
            "split": TRAIN,
            "songs_7d": [3.0, 1.0],
        }
    )
    one_user = FeatureTable(
        rows, ("songs_7d",), Horizon(14, 1), date(2018, 12, 1), "cancel", "users"
    )
    assert find_leaks(one_user, LIMITS) == []


def test_a_row_that_is_there_twice_is_found(honest: FeatureTable) -> None:
    doubled = pd.concat([honest.rows, honest.rows.iloc[:3]], ignore_index=True)
    findings = list(check_population(replace(honest, rows=doubled)))
    assert [(f.check, f.value) for f in findings] == [("duplicates", 3)]


def test_a_label_other_than_the_log_tells_is_found(honest: FeatureTable) -> None:
    rows = honest.rows.copy()
    flipped = rows.index[rows["label"] == 0][:2]
    rows.loc[flipped, "label"] = 1.0
    assert checks_of(check_cancellations(replace(honest, rows=rows))) == {"wrong labels"}


def test_a_label_for_a_cancellation_in_the_gap_is_found(honest: FeatureTable) -> None:
    rows = honest.rows.copy()
    assert rows["label"].isna().any()
    rows["label"] = rows["label"].fillna(0.0)
    assert checks_of(check_cancellations(replace(honest, rows=rows))) == {"gap labels"}


@pytest.mark.parametrize("churn", ["inactivity", "lapse"])
def test_other_labels_than_cancels_need_no_cancellation(honest: FeatureTable, churn: str) -> None:
    assert honest.spans is not None
    rng = np.random.default_rng(3)
    rows = honest.rows.assign(label=(rng.random(len(honest.rows)) < 0.2).astype(float))
    in_gap = pd.to_datetime(honest.spans["as_of"]) + pd.Timedelta(hours=10)
    spans = honest.spans.assign(cancel_ts=in_gap.where(rng.random(len(in_gap)) < 0.1))
    table = replace(honest, rows=rows, spans=spans, horizon=Horizon(14, 1))
    assert {one.check for one in check_cancellations(table)} == {"gap labels", "wrong labels"}
    assert [*check_cancellations(replace(table, churn=churn))] == []


@pytest.mark.parametrize("gap_days", [0, 1, 3])
def test_recency_is_found_whatever_the_gap_before_the_silence(
    honest: FeatureTable, gap_days: int
) -> None:
    assert honest.spans is not None
    horizon = Horizon(14, gap_days)
    spans = honest.spans
    start = pd.to_datetime(spans["as_of"])
    # Everybody was here on the date itself, and a fifth never again after it.
    is_silent = np.arange(len(spans)) % 5 == 0
    seen = start + pd.to_timedelta(np.where(is_silent, 0.5, gap_days + 2.0), "D")
    spans = spans.assign(next_ts=start + pd.Timedelta(hours=12) if gap_days else seen)
    silent = spans.assign(label=is_silent.astype(float))[["as_of", "user_id", "label"]]
    rows = honest.rows.drop(columns="label").merge(silent, on=["as_of", "user_id"])
    recency = (pd.to_datetime(rows["as_of"]) - rows.merge(spans)["last_ts"]).dt.total_seconds()
    table = replace(
        honest,
        rows=rows.assign(quiet_s=recency),
        spans=spans,
        features=(*honest.features, "quiet_s"),
        horizon=horizon,
        churn="inactivity",
        rebuilds=None,
        sources=(),
    )
    assert "quiet_s" in {one.feature for one in check_silence(table)}


def test_a_value_that_is_not_what_the_log_gives_is_found_and_rounding_is_not(
    honest: FeatureTable,
) -> None:
    rows = honest.rows.assign(paid_share=honest.rows["paid_share"] * (1 + 1e-13))
    assert list(check_stored(replace(honest, rows=rows))) == []
    rows.loc[5, "paid_share"] += 1e-6
    rows.loc[6, "os"] = None
    rows.loc[7, "num_help"] = np.nan
    found = {one.feature: one.value for one in check_stored(replace(honest, rows=rows))}
    assert found == dict.fromkeys(("paid_share", "os", "num_help"), 1 / len(rows))


def test_users_who_are_not_of_the_population_and_those_who_are_left_out_are_found(
    honest: FeatureTable,
) -> None:
    strange = honest.rows.assign(user_id=honest.rows["user_id"].where(honest.rows.index > 0, "x"))
    [found] = check_stored(replace(honest, rows=strange))
    assert (found.feature, found.value) == ("rows", 1)
    # Of a table that claims new users each date has all of its users.
    whole = replace(honest, claim="users")
    assert whole.rebuilds is not None
    [found] = check_stored(whole)
    n_left_out = len(whole.rebuilds.before) - len(whole.rows)
    assert (found.feature, found.value) == ("rows", n_left_out)


def test_users_who_enter_the_population_by_the_future_are_found(honest: FeatureTable) -> None:
    assert honest.rebuilds is not None
    fewer = replace(honest.rebuilds, after=honest.rebuilds.after.iloc[5:])
    findings = list(check_rebuilt(replace(honest, rebuilds=fewer)))
    assert [(f.feature, f.value) for f in findings] == [("rows", 5)]


def test_recency_that_is_0_for_everybody_is_found(honest: FeatureTable) -> None:
    still = replace(honest, rows=honest.rows.assign(hours_since_last_event=0.0))
    assert checks_of(check_anchors(still)) == {"own last event"}


def test_tenure_up_to_the_date_passes_even_where_everybody_was_there_today(
    honest: FeatureTable,
) -> None:
    rows = honest.rows[honest.rows["hours_since_last_event"] < 24]
    assert len(rows) > 200
    assert list(check_anchors(replace(honest, rows=rows))) == []


def test_a_window_of_other_than_counts_may_tell_the_silent_apart(planting: Planting) -> None:
    leak = next(leak for leak in LEAKS if leak.name == "window_at_last_event")
    table = leak.plant(planting)
    surprise = replace(
        table, rows=table.rows.assign(songs_own_7d=table.rows["songs_own_7d"] - 0.37)
    )
    assert list(check_anchors(surprise)) == []


def test_a_scaler_an_imputer_and_an_encoding_of_train_alone_pass(honest: FeatureTable) -> None:
    rows = honest.rows
    train = rows[rows["split"] == TRAIN]
    songs, hours = train["total_songs_played"], train["hours_since_last_event"]
    known = train["label"].groupby(train["location"])
    means = (known.sum() + 10 * train["label"].mean()) / (known.count() + 10)
    hidden = rows["hours_since_last_event"].mask(rows.index % 9 == 0)
    fitted = rows.assign(
        songs_z=(rows["total_songs_played"] - songs.mean()) / songs.std(),
        gap_hours=hidden.fillna(hours[hours.index % 9 != 0].mean()),
        state_encoded=rows["location"].map(means),
    )
    features = (*honest.features, "songs_z", "gap_hours", "state_encoded")
    table = replace(honest, rows=fitted, features=features, rebuilds=None)
    assert list(check_fitted(table)) == []


def test_a_test_that_claims_new_users_only_may_overlap_in_time(planting: Planting) -> None:
    table = next(leak for leak in LEAKS if leak.name == "overlapping_windows").plant(planting)
    assert list(check_sides(replace(table, claim="users"))) == []


def test_a_test_that_claims_the_future_only_may_share_users(honest: FeatureTable) -> None:
    rows = honest.rows.copy()
    a_train_user = rows.loc[rows["split"] == TRAIN, "user_id"].iloc[0]
    rows.loc[rows.index[rows["split"] == TEST][0], "user_id"] = a_train_user
    assert checks_of(check_sides(replace(honest, rows=rows))) == {"shared users"}
    assert list(check_sides(replace(honest, rows=rows, claim="future"))) == []


def test_test_users_who_were_treated_otherwise_are_told_apart(honest: FeatureTable) -> None:
    rows = honest.rows[honest.rows["as_of"] == honest.rows["as_of"].min()].copy()
    rows["split"] = [TEST if row % 3 else TRAIN for row in range(len(rows))]
    fair = replace(honest, rows=rows, claim="users")
    assert list(check_shift(fair, LIMITS)) == []
    moved = rows.assign(songs_a_day=rows["songs_a_day"] + (rows["split"] == TEST) * 20)
    assert checks_of(check_shift(replace(fair, rows=moved), LIMITS)) == {"shift"}


def test_people_whom_the_training_knows_betray_themselves_by_shuffled_labels(
    planting: Planting,
) -> None:
    table = next(leak for leak in LEAKS if leak.name == "random_rows").plant(planting)
    assert list(check_shuffled(planting.honest, LIMITS)) == []
    assert checks_of(check_shuffled(table, LIMITS)) == {"shuffled labels"}


def test_columns_that_are_too_good_only_together_are_found(honest: FeatureTable) -> None:
    rows = honest.rows
    random, label = np.random.default_rng(1), rows["label"].fillna(0)
    hints = {f"hint_{n}": 1.1 * label + random.normal(size=len(rows)) for n in range(6)}
    features = (*honest.features, *hints)
    table = replace(honest, rows=rows.assign(**hints), features=features, rebuilds=None)
    assert list(check_strength(table, LIMITS)) == []
    assert checks_of(check_ceiling(table, LIMITS)) == {"ceiling"}


def test_a_forecast_among_the_features_may_be_stronger_than_others(honest: FeatureTable) -> None:
    label = honest.rows["label"].fillna(0)
    order = honest.rows.index.to_numpy() * 0.618 % 1
    rows = honest.rows.assign(forecast=0.48 * label + order)
    features = (*honest.features, "forecast")
    table = replace(honest, rows=rows, features=features, rebuilds=None)
    strict = LIMITS.model_copy(update={"z": 0.0})
    assert checks_of(check_strength(table, strict)) == {"strength"}
    allowed = replace(table, forecasts=frozenset(["forecast"]))
    assert [f for f in check_strength(allowed, LIMITS) if f.feature == "forecast"] == []


def test_a_table_without_labels_or_columns_is_refused(honest: FeatureTable) -> None:
    with pytest.raises(LeakTableError, match="songs_99d"):
        replace(honest, features=("songs_99d",))
    with pytest.raises(LeakTableError, match="no labelled row"):
        replace(honest, rows=honest.rows.assign(label=float("nan")))


def test_a_date_after_the_log_has_no_label_to_check(honest: FeatureTable) -> None:
    young = replace(honest, log_end=days_after(date(2018, 11, 7), 14))
    assert checks_of(check_population(young)) == {"unripe labels"}
