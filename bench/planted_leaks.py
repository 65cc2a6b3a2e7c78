"""Twenty-five ways to let a churn model know the outcome, each planted in an honest table.

All have been met in published work on logs like these, or are one careless line away. Each entry
says how it comes about and which check must find it in which column.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from bench.leak_log import (
    HORIZON,
    TEST_DATE,
    TRAIN_DATES,
    LeakLog,
    build_features,
    build_rows,
    label_rows,
    side_of,
    start_of,
)
from bench.planting import Columns, Planting
from churn_spark.models.leakage.table import TEST, TRAIN, FeatureTable
from churn_spark.simulate.settings import DAY_S
from churn_spark.timeline import days_after

Plant = Callable[[Planting], FeatureTable]
Mask = npt.NDArray[np.bool_]

_REDIRECTS: Final = ("Thumbs Up", "Thumbs Down", "Add Friend", "Logout", "Save Settings")
_CHANGES: Final = ("Submit Upgrade", "Submit Downgrade")
_GONE: Final = ("Cancel", "Cancellation Confirmation")


@dataclass(frozen=True)
class Leak:
    """One way to know the outcome.

    Attributes:
        name: of the leak.
        story: how it comes about.
        check: name of the check that must find it.
        feature: what that finding must name.
        plant: an honest table -> the same with the leak.
    """

    name: str
    story: str
    check: str
    feature: str
    plant: Plant


LEAKS: list[Leak] = []


def _leak(name: str, check: str, feature: str, story: str) -> Callable[[Plant], Plant]:
    """Enter a way to plant into the catalogue."""

    def enter(plant: Plant) -> Plant:
        LEAKS.append(Leak(name, story, check, feature, plant))
        return plant

    return enter


def _until_label_ends(log: LeakLog, day: date) -> Mask:
    return log.ts < start_of(HORIZON.end(day))


# Counts that contain the cancellation


@_leak("cancel_visits", "strength", "num_cancel", "every page gets a count, Cancel as well")
def plant_cancel_visits(planting: Planting) -> FeatureTable:
    return planting.with_columns(
        lambda log, day: {
            "num_cancel": log.count(_until_label_ends(log, day) & log.is_page(*_GONE))
        }
    )


@_leak(
    "status_total",
    "identity",
    "num_status_307",
    "events by HTTP status beside the pages that redirect: what is left over is Cancel",
)
def plant_status_total(planting: Planting) -> FeatureTable:
    def build(log: LeakLog, day: date) -> Columns:
        seen = _until_label_ends(log, day)
        parts = {
            f"num_307_{page.lower().replace(' ', '_')}": log.count(seen & log.is_page(page))
            for page in (*_REDIRECTS, *_CHANGES)
        }
        total = log.count(seen & log.is_page(*_REDIRECTS, *_CHANGES, "Cancel"))
        return {"num_status_307": total, **parts}

    return planting.with_columns(build)


@_leak(
    "event_total",
    "identity",
    "num_events",
    "all events beside the events on known pages, and nobody thought of the last page",
)
def plant_event_total(planting: Planting) -> FeatureTable:
    def build(log: LeakLog, day: date) -> Columns:
        seen = _until_label_ends(log, day)
        return {
            "num_events": log.count(seen),
            "num_page_events": log.count(seen & ~log.is_page(*_GONE)),
        }

    return planting.with_columns(build)


# The future


@_leak("whole_log_total", "future", "songs_ever", "totals of the whole log joined to every date")
def plant_whole_log_total(planting: Planting) -> FeatureTable:
    return planting.with_columns(lambda log, _: {"songs_ever": log.count(log.is_page("NextSong"))})


@_leak(
    "centred_window",
    "future",
    "mean_songs",
    "a moving mean that is centred on the date, as plotting libraries do it",
)
def plant_centred_window(planting: Planting) -> FeatureTable:
    def build(log: LeakLog, day: date) -> Columns:
        around = log.during(start_of(days_after(day, -7)), start_of(days_after(day, 7)))
        return {"mean_songs": log.count(around & log.is_page("NextSong")) / 14}

    return planting.with_columns(build)


@_leak("level_after", "future", "level_now", "level from the customer table, which knows today's")
def plant_level_after(planting: Planting) -> FeatureTable:
    return planting.with_columns(
        lambda log, day: {"level_now": log.level_at_last(_until_label_ends(log, day))}
    )


@_leak(
    "filled_backward",
    "future",
    "level_filled",
    "level is logged on changes; gaps are filled forward, the first ones backward",
)
def plant_filled_backward(planting: Planting) -> FeatureTable:
    def build(log: LeakLog, day: date) -> Columns:
        changes, before = log.is_page(*_CHANGES), log.ts < start_of(day)
        past = log.latest(changes & before)
        coming = log.earliest(changes & ~before)
        level_past = log.level_at_last(changes & before)
        upgrades = log.earliest(log.is_page("Submit Upgrade") & ~before)
        first_is_upgrade = np.where(upgrades == coming, "free", "paid").astype(object)
        filled = np.where(np.isnan(coming), None, first_is_upgrade)
        return {"level_filled": np.where(np.isnan(past), filled, level_past)}

    return planting.with_columns(build)


@_leak(
    "whole_log_recency",
    "own last event",
    "days_inactive",
    "days since the last event, counted back from the end of the log",
)
def plant_whole_log_recency(planting: Planting) -> FeatureTable:
    def build(log: LeakLog, _: date) -> Columns:
        everything = np.ones(len(log.ts), dtype=bool)
        return {"days_inactive": (start_of(log.end) - log.latest(everything)) // DAY_S}

    return planting.with_columns(build)


# Times measured at one's own last event


@_leak(
    "own_span", "own last event", "days_observed", "max(ts) - min(ts) of a user: how long they live"
)
def plant_own_span(planting: Planting) -> FeatureTable:
    def build(log: LeakLog, day: date) -> Columns:
        before = log.ts < start_of(day)
        return {"days_observed": (log.latest(before) - log.earliest(before)) / DAY_S}

    return planting.with_columns(build)


@_leak(
    "tenure_at_last_event",
    "own last event",
    "account_age_days",
    "tenure from registration to the newest event of the user, in whole days",
)
def plant_tenure_at_last_event(planting: Planting) -> FeatureTable:
    def build(log: LeakLog, day: date) -> Columns:
        age = log.latest(log.ts < start_of(day)) - log.users["registered"].to_numpy(dtype=float)
        return {"account_age_days": age // DAY_S}

    return planting.with_columns(build)


@_leak(
    "window_at_last_event",
    "own window",
    "songs_7d",
    "the last 7 days of each user, counted back from that user's newest event",
)
def plant_window_at_last_event(planting: Planting) -> FeatureTable:
    def build(log: LeakLog, day: date) -> Columns:
        before = log.ts < start_of(day)
        last = log.latest(before)[log.user]
        recent = before & (log.ts > last - 7 * DAY_S)
        return {"songs_7d": log.count(recent & log.is_page("NextSong"))}

    return planting.with_columns(build)


# Population and labels


@_leak("gone_users_kept", "gone users", "rows", "everybody ever seen is a row, the gone ones too")
def plant_gone_users_kept(planting: Planting) -> FeatureTable:
    log, parts = planting.log, [planting.honest.rows]
    for day in (*TRAIN_DATES, TEST_DATE):
        gone = log.earliest(log.is_page("Cancellation Confirmation")) < start_of(day)
        side = TEST if day == TEST_DATE else TRAIN
        is_there = gone & np.array([side_of(user) == side for user in log.users["user_id"]])
        kept = pd.concat([log.users[["user_id"]], build_features(log, day)], axis=1)[is_there]
        parts.append(kept.assign(as_of=day, label=1.0, split=side))
    return planting.with_rows(pd.concat(parts, ignore_index=True))


@_leak(
    "unripe_zeros",
    "unripe labels",
    "label",
    "the newest date is labelled before its window has ended; no cancellation yet is a 0",
)
def plant_unripe_zeros(planting: Planting) -> FeatureTable:
    young = days_after(planting.log.end, -5)
    rows = label_rows(planting.log, build_rows(planting.log, young))
    rows = rows[rows["split"] == TEST]
    return planting.with_rows(pd.concat([planting.honest.rows, rows], ignore_index=True))


@_leak(
    "silence_label",
    "silence",
    "hours_since_last_event",
    "churn is defined as no event for a fortnight, and recency is a feature",
)
def plant_silence_label(planting: Planting) -> FeatureTable:
    rows = planting.honest.rows.copy()
    for day in rows["as_of"].unique():
        window = planting.log.during(start_of(day), start_of(HORIZON.end(day)))
        silent = pd.Series(planting.log.count(window) == 0, planting.log.users["user_id"])
        chosen = rows["as_of"] == day
        rows.loc[chosen, "label"] = rows.loc[chosen, "user_id"].map(silent).astype(float)
    return planting.with_rows(rows)


# Train and test


@_leak("random_rows", "shared users", "split", "train_test_split over rows: a user on both sides")
def plant_random_rows(planting: Planting) -> FeatureTable:
    log = planting.log
    rows = pd.concat(
        [label_rows(log, build_rows(log, day)) for day in (*TRAIN_DATES, TEST_DATE)],
        ignore_index=True,
    )
    is_test = np.random.default_rng(1).random(len(rows)) < 0.25
    return planting.with_rows(rows.assign(split=np.where(is_test, TEST, TRAIN)))


@_leak(
    "overlapping_windows",
    "overlapping windows",
    "split",
    "a training date a week before the test date, whose label window reaches into it",
)
def plant_overlapping_windows(planting: Planting) -> FeatureTable:
    late = label_rows(planting.log, build_rows(planting.log, days_after(TEST_DATE, -7)))
    rows = [planting.honest.rows, late[late["split"] == TRAIN]]
    return planting.with_rows(pd.concat(rows, ignore_index=True))


@_leak(
    "copies_under_other_ids",
    "copies",
    "rows",
    "two exports with ids hashed anew are put together, then split by id",
)
def plant_copies_under_other_ids(planting: Planting) -> FeatureTable:
    rows = planting.honest.rows
    copied = rows[rows["split"] == TRAIN].sample(frac=0.1, random_state=1)
    copied = copied.assign(as_of=TEST_DATE, split=TEST, user_id="x" + copied["user_id"])
    copied = copied.drop_duplicates("user_id")
    return planting.with_rows(pd.concat([rows, copied], ignore_index=True))


# Fitted on the test rows


@_leak("scaler_on_all", "scaled on all rows", "songs_z", "StandardScaler().fit before the split")
def plant_scaler_on_all(planting: Planting) -> FeatureTable:
    songs = np.log1p(planting.honest.rows["total_songs"])
    scaled = (songs - songs.mean()) / songs.std(ddof=0)
    return planting.with_features(planting.honest.rows.assign(songs_z=scaled))


@_leak(
    "imputer_on_all", "filled from all rows", "gap_hours", "missing values: the mean of all rows"
)
def plant_imputer_on_all(planting: Planting) -> FeatureTable:
    rows = planting.honest.rows
    gap = rows["hours_since_last_event"].mask(np.random.default_rng(1).random(len(rows)) < 0.1)
    return planting.with_features(rows.assign(gap_hours=gap.fillna(gap.mean())))


@_leak(
    "target_encoding_on_all",
    "encoded with test labels",
    "state_encoded",
    "states become their cancelled share, smoothed, over the whole table",
)
def plant_target_encoding_on_all(planting: Planting) -> FeatureTable:
    rows = planting.honest.rows
    known = rows["label"].groupby(rows["state"])
    means = (known.sum() + 10 * rows["label"].mean()) / (known.count() + 10)
    return planting.with_features(rows.assign(state_encoded=rows["state"].map(means)))


@_leak(
    "calibrated_on_test",
    "encoded with test labels",
    "probability",
    "a score is calibrated with the labels that it is to be judged on",
)
def plant_calibrated_on_test(planting: Planting) -> FeatureTable:
    rows = planting.honest.rows
    is_train = ((rows["split"] == TRAIN) & rows["label"].notna()).to_numpy()
    is_test = ((rows["split"] == TEST) & rows["label"].notna()).to_numpy()
    inputs = np.log1p(rows[["songs_14d", "adverts_14d", "thumbs_down_per_song"]])
    model = LogisticRegression().fit(inputs[is_train], rows["label"][is_train])
    score = model.predict_proba(inputs)[:, 1]
    # Calibrators see scores to a few digits; ties make their steps whole.
    score = np.round(score, 3)
    steps = IsotonicRegression(out_of_bounds="clip").fit(score[is_test], rows["label"][is_test])
    return planting.with_features(rows.assign(probability=steps.predict(score)))


# The label in disguise


@_leak(
    "noisy_label_copy",
    "strength",
    "care_score",
    "a score that the care team enters after the call in which the customer cancels",
)
def plant_noisy_label_copy(planting: Planting) -> FeatureTable:
    label = planting.honest.rows["label"].fillna(0)
    noise = np.random.default_rng(1).normal(size=len(label))
    return planting.with_features(planting.honest.rows.assign(care_score=2.5 * label + noise))


@_leak(
    "missing_unless_leaving",
    "strength",
    "exit_survey",
    "answers of a survey that only leavers get: that there are any is the label",
)
def plant_missing_unless_leaving(planting: Planting) -> FeatureTable:
    rows = planting.honest.rows
    random = np.random.default_rng(1)
    asked = np.where(rows["label"] == 1, 0.9, 0.02) > random.random(len(rows))
    answers = pd.Series(random.integers(1, 6, len(rows)).astype(float)).where(asked)
    return planting.with_features(rows.assign(exit_survey=answers))


@_leak(
    "rows_in_order",
    "order",
    "row number",
    "cancellers and stayers are two queries, put one below the other",
)
def plant_rows_in_order(planting: Planting) -> FeatureTable:
    rows = planting.honest.rows
    return planting.with_rows(rows.sort_values("label", kind="stable", ignore_index=True))


@_leak(
    "load_number",
    "shift",
    "load_number",
    "the number of the nightly load that built the row is left among the features",
)
def plant_load_number(planting: Planting) -> FeatureTable:
    rows = planting.honest.rows
    number = pd.to_datetime(rows["as_of"]).dt.dayofyear
    return planting.with_features(rows.assign(load_number=number.astype(float)))


def is_caught(leak: Leak, found: list[tuple[str, str]]) -> bool:
    """Whether the check that must find the leak has named what it lies in.

    Args:
        leak: of the catalogue.
        found: check and feature of each finding.
    """
    return (leak.check, leak.feature) in found
