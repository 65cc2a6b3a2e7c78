"""Leaks in who is a row, how rows are split and what is fitted on them; the label in disguise."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from bench.honest_table import (
    BEFORE_TEST,
    HORIZON,
    TEST_DATE,
    TRAIN_DATES,
    label_rows,
    side_of,
    unripe_date,
)
from bench.leak_log import start_of
from bench.planting import Leak, Planting, entered_in
from churn_spark.leakage.table import TEST, TRAIN, FeatureTable

LEAKS_IN_ROWS: Final[list[Leak]] = []
leak = entered_in(LEAKS_IN_ROWS)

# Population and labels


@leak("gone users", "rows")
def gone_users_kept(planting: Planting) -> FeatureTable:
    """Everybody ever seen is a row, the gone ones too."""
    log, parts = planting.log, [planting.honest.rows]
    for day in (*TRAIN_DATES, TEST_DATE):
        gone = log.earliest(log.is_page("Cancellation Confirmation")) < start_of(day)
        side = TEST if day == TEST_DATE else TRAIN
        is_there = gone & np.array([side_of(user) == side for user in log.users["user_id"]])
        seen = planting.seen_by(day)
        kept = seen[seen["user_id"].isin(log.users["user_id"][is_there])]
        parts.append(kept.assign(label=1.0, split=side))
    return planting.with_rows(pd.concat(parts, ignore_index=True))


@leak("unripe labels", "label")
def unripe_zeros(planting: Planting) -> FeatureTable:
    """The newest date is labelled before its window has ended; no cancellation yet is a 0."""
    young = unripe_date(planting.log.end)
    rows = label_rows(planting.log, planting.population_of(young))
    rows = rows[rows["split"] == TEST]
    return planting.with_rows(pd.concat([planting.honest.rows, rows], ignore_index=True))


@leak("silence", "hours_since_last_event")
def silence_label(planting: Planting) -> FeatureTable:
    """Churn is defined as no event for a fortnight, and recency is a feature."""
    rows = planting.honest.rows.copy()
    for day in rows["as_of"].unique():
        window = planting.log.during(start_of(day), start_of(HORIZON.end(day)))
        silent = pd.Series(planting.log.count(window) == 0, planting.log.users["user_id"])
        chosen = rows["as_of"] == day
        rows.loc[chosen, "label"] = rows.loc[chosen, "user_id"].map(silent).astype(float)
    return planting.with_rows(rows)


# Train and test


@leak("shared users", "split")
def random_rows(planting: Planting) -> FeatureTable:
    """The rows are split at random by train_test_split: a user on both sides."""
    log = planting.log
    rows = pd.concat(
        [label_rows(log, planting.population_of(day)) for day in (*TRAIN_DATES, TEST_DATE)],
        ignore_index=True,
    )
    is_test = np.random.default_rng(1).random(len(rows)) < 0.25
    return planting.with_rows(rows.assign(split=np.where(is_test, TEST, TRAIN)))


@leak("overlapping windows", "split")
def overlapping_windows(planting: Planting) -> FeatureTable:
    """A training date a week before the test date, whose label window reaches into it."""
    late = label_rows(planting.log, planting.population_of(BEFORE_TEST))
    rows = [planting.honest.rows, late[late["split"] == TRAIN]]
    return planting.with_rows(pd.concat(rows, ignore_index=True))


@leak("copies", "rows")
def copies_under_other_ids(planting: Planting) -> FeatureTable:
    """Two exports with ids hashed anew are put together, then split by id."""
    rows = planting.honest.rows
    copied = rows[rows["split"] == TRAIN].sample(frac=0.1, random_state=1)
    copied = copied.assign(as_of=TEST_DATE, split=TEST, user_id="x" + copied["user_id"])
    copied = copied.drop_duplicates("user_id")
    return planting.with_rows(pd.concat([rows, copied], ignore_index=True))


# Fitted on the test rows


@leak("scaled on all rows", "songs_z")
def scaler_on_all(planting: Planting) -> FeatureTable:
    """A StandardScaler is fitted before the split."""
    songs = np.log1p(planting.honest.rows["total_songs_played"])
    scaled = (songs - songs.mean()) / songs.std(ddof=0)
    return planting.with_features(planting.honest.rows.assign(songs_z=scaled))


@leak("filled from all rows", "gap_hours")
def imputer_on_all(planting: Planting) -> FeatureTable:
    """Missing values become the mean of all rows, before the split."""
    rows = planting.honest.rows
    gap = rows["hours_since_last_event"].mask(np.random.default_rng(1).random(len(rows)) < 0.1)
    return planting.with_features(rows.assign(gap_hours=gap.fillna(gap.mean())))


@leak("encoded with test labels", "state_encoded")
def target_encoding_on_all(planting: Planting) -> FeatureTable:
    """States become their cancelled share, smoothed, over the whole table."""
    rows = planting.honest.rows
    known = rows["label"].groupby(rows["location"])
    means = (known.sum() + 10 * rows["label"].mean()) / (known.count() + 10)
    return planting.with_features(rows.assign(state_encoded=rows["location"].map(means)))


@leak("encoded with test labels", "probability")
def calibrated_on_test(planting: Planting) -> FeatureTable:
    """A score is calibrated with the labels that it is to be judged on."""
    rows = planting.honest.rows
    is_train = ((rows["split"] == TRAIN) & rows["label"].notna()).to_numpy()
    is_test = ((rows["split"] == TEST) & rows["label"].notna()).to_numpy()
    inputs = np.log1p(rows[["songs_3d", "songs_14d", "thumbs_down_per_song"]])
    model = LogisticRegression().fit(inputs[is_train], rows["label"][is_train])
    score = model.predict_proba(inputs)[:, 1]
    # Calibrators see scores to a few digits; ties make their steps whole.
    score = np.round(score, 3)
    steps = IsotonicRegression(out_of_bounds="clip").fit(score[is_test], rows["label"][is_test])
    return planting.with_features(rows.assign(probability=steps.predict(score)))


# The label in disguise


@leak("strength", "care_score")
def noisy_label_copy(planting: Planting) -> FeatureTable:
    """A score that the care team enters after the call in which the customer cancels."""
    label = planting.honest.rows["label"].fillna(0)
    noise = np.random.default_rng(1).normal(size=len(label))
    return planting.with_features(planting.honest.rows.assign(care_score=2.5 * label + noise))


@leak("strength", "exit_survey")
def missing_unless_leaving(planting: Planting) -> FeatureTable:
    """Answers of a survey that only leavers get: that there are any is the label."""
    rows = planting.honest.rows
    random = np.random.default_rng(1)
    asked = np.where(rows["label"] == 1, 0.9, 0.02) > random.random(len(rows))
    answers = pd.Series(random.integers(1, 6, len(rows)).astype(float)).where(asked)
    return planting.with_features(rows.assign(exit_survey=answers))


@leak("order", "row number")
def rows_in_order(planting: Planting) -> FeatureTable:
    """Cancellers and stayers are two queries, put one below the other."""
    rows = planting.honest.rows
    return planting.with_rows(rows.sort_values("label", kind="stable", ignore_index=True))


@leak("shift", "load_number")
def load_number(planting: Planting) -> FeatureTable:
    """The number of the nightly load that built the row is left among the features."""
    rows = planting.honest.rows
    number = pd.to_datetime(rows["as_of"]).dt.dayofyear
    return planting.with_features(rows.assign(load_number=number.astype(float)))
