"""The users of a date on the driver, and in Spark's workers where they are more: equal tables."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from builders import write_rows
from serving_builders import add_behaviour, make_bundle, make_rows
from spark_jobs import counted_jobs

from churn_spark.config import Config
from churn_spark.contracts.features.history import History
from churn_spark.contracts.tables import (
    BEHAVIOUR,
    BEHAVIOUR_PARTS,
    DRIFT,
    DRIFT_CELLS,
    FADING,
    LABELS,
    RETENTION_LISTS,
    SCORES,
    SESSION_DAYS,
    SNAPSHOTS,
    TRANSITIONS,
    VALIDATION_SCORES,
)
from churn_spark.evaluation.segments import segments_of
from churn_spark.lakehouse.frames import kept
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.lakehouse.user_rows import read_as_of, replace_users
from churn_spark.models.bundle import ModelBundle
from churn_spark.models.reference_folds import FOLD, N_FOLDS
from churn_spark.models.registry import ModelRegistry
from churn_spark.monitoring.data_quality.checks import ColumnFacts
from churn_spark.monitoring.frames.drift import Judgement, build_drift
from churn_spark.monitoring.frames.joint import with_joint_drift
from churn_spark.monitoring.frames.reference import Reference
from churn_spark.monitoring.frames.sides import Sides
from churn_spark.monitoring.frames.snapshot_facts import read_snapshot_facts
from churn_spark.pipeline import retention_list
from churn_spark.pipeline.bin_counts import count_night, count_past_nights, read_cells
from churn_spark.pipeline.context import JobContext
from churn_spark.pipeline.performance import measure_performance, read_labelled
from churn_spark.pipeline.score import score_night

N_USERS = 150
TONIGHT = date(2018, 11, 30)
NIGHTS = [TONIGHT - timedelta(days=days) for days in (3, 1, 0)]
LEARNT, WINDOW = TONIGHT - timedelta(days=40), TONIGHT - timedelta(days=20)
KEYS = {
    SCORES: ["as_of", "user_id"],
    BEHAVIOUR: ["as_of", "user_id", "model_version"],
    BEHAVIOUR_PARTS: ["as_of", "user_id", "model_version"],
    FADING: ["as_of", "user_id", "model_version"],
    RETENTION_LISTS: ["as_of", "user_id"],
    DRIFT_CELLS: ["run_date", "model_version", "slice", "feature"],
    DRIFT: ["run_date", "comparison", "slice", "feature"],
}


def make_version(version: str, seed: int) -> ModelBundle:
    """A model with a behaviour model, and with the segments of its training rows."""
    bundle = add_behaviour(make_bundle(seed, rounds=10))
    segments = segments_of(make_rows(400, seed), "segment_")
    return replace(
        bundle,
        version=version,
        metrics={"threshold": 0.3},
        baseline=bundle.baseline.join(segments).assign(**{FOLD: np.arange(400) % N_FOLDS}),
    )


OLD, NEW = make_version("1", 1), make_version("2", 2)


class Models:
    """A registry of two versions."""

    def load(self, version: str) -> ModelBundle:
        return {"1": OLD, "2": NEW}[version]

    def run_of(self, version: str) -> str:
        return f"run {version}"

    def trained_as_of(self, version: str) -> date:
        assert version in ("1", "2")
        return WINDOW


MODELS = cast(ModelRegistry, Models())


def write_tables(context: JobContext) -> None:
    """The snapshots of some dates, what their users did before, and labels of the oldest two."""
    rng = np.random.default_rng(3)
    dates = [LEARNT, WINDOW, *NIGHTS]
    user_ids = [f"u{number}" for number in rng.permutation(N_USERS)]
    users = pd.concat(
        make_rows(N_USERS, seed).assign(as_of=day, user_id=user_ids)
        for seed, day in enumerate(dates, start=10)
    )
    write_rows(context, SNAPSHOTS, users)
    labelled = users.loc[users["as_of"].isin(dates[:2]), ["as_of", "user_id"]]
    labels = rng.choice([0, 1, None], len(labelled), p=[0.6, 0.3, 0.1])
    labelled = labelled.assign(label=labels, horizon_days=14, gap_days=1)
    write_rows(context, LABELS, pd.concat([labelled, labelled.assign(horizon_days=30)]))
    scored = labelled[(labelled["as_of"] == LEARNT) & labelled["label"].notna()]
    scored = scored.assign(run_id="run 1", churn_probability=rng.random(len(scored)))
    write_rows(context, VALIDATION_SCORES, scored)
    moves = pd.DataFrame(
        {
            "event_date": [TONIGHT - timedelta(days=int(day)) for day in rng.integers(0, 60, 900)],
            "user_id": rng.choice(user_ids, 900),
            "level": rng.choice(["free", "paid"], 900),
            "page": rng.choice(["START", "NextSong", "Home", "Cancel"], 900),
            "next_page": rng.choice(["NextSong", "Thumbs Up", "END"], 900),
            "n_transitions": rng.integers(1, 9, 900),
            "total_millis": rng.integers(0, 10**7, 900),
        }
    )
    write_rows(context, TRANSITIONS, moves)
    begins = pd.to_datetime(moves["event_date"], utc=True) + pd.to_timedelta(
        rng.integers(0, 80_000, len(moves)), "s"
    )
    came = moves[["event_date", "user_id"]].assign(
        session_id=np.arange(len(moves)), first_ts=begins, last_ts=begins + pd.Timedelta("1h")
    )
    write_rows(context, SESSION_DAYS, came)


@dataclass(frozen=True)
class Judged:
    """What a night finds beside its tables, and how many Spark jobs its steps took."""

    facts: list[ColumnFacts]
    performance: list[dict[str, Any]]
    compared: pd.DataFrame
    n_jobs: int


def judge(lakehouse: Lakehouse, config: Config) -> Judged:
    """Score and list each night, count the bins for both models, compare and measure."""
    listing = config.retention_list.model_copy(update={"capacity": 20, "quiet_days": 2})
    reference = Reference.of(OLD, 100, History(90, 90))
    with counted_jobs(lakehouse.spark) as jobs:
        for night in NIGHTS:
            score_night(lakehouse, night, OLD, config.scoring, listing)
            retention_list.run(lakehouse, MODELS, night, listing, config.scoring, config.uplift)
            users = count_night(lakehouse, night, OLD, reference)
        sides = Sides.of(users, OLD, 1000, History(90, 90))
        cells = read_cells(lakehouse, TONIGHT, reference)
        parts = sides.attributions(100)
        judgement = Judgement(config.policy)
        with kept(build_drift(cells, reference, TONIGHT, 20, judgement, parts)) as tests:
            drift = with_joint_drift(tests, sides, 20, config.policy)
            replace_users(lakehouse, drift, DRIFT, {"run_date": [TONIGHT]})
        before = read_as_of(lakehouse, SNAPSHOTS, NIGHTS[0])
        facts = read_snapshot_facts(read_as_of(lakehouse, SNAPSHOTS, TONIGHT), OLD, before)
    count_past_nights(lakehouse, TONIGHT, NEW, Reference.of(NEW, 100, History(90, 90)))
    limits = config.monitoring.model_copy(update={"n_replicas": 20, "min_slice_rows": 20})
    learning = config.learning
    performance = measure_performance(lakehouse, MODELS, TONIGHT, OLD, WINDOW, learning, limits)
    both = {"new": NEW, "old": OLD}
    dates = [LEARNT, WINDOW]
    compared = read_labelled(lakehouse, both, dates, learning, limits, held_out=[LEARNT])
    return Judged(facts, performance, compared, jobs[0])


def plain(rows: pd.DataFrame) -> pd.DataFrame:
    """The fields of each reason in columns of their own, so that numbers are compared as such."""
    if "reason_fields" not in rows:
        return rows
    fields = pd.json_normalize([field for several in rows["reason_fields"] for field in several])
    n_fields = rows["reason_fields"].map(len)
    return pd.concat([rows.drop(columns="reason_fields"), n_fields, fields], axis=1)


@pytest.mark.slow
def test_tables_are_the_same_on_both_sides_of_the_bound(
    context: JobContext, tmp_path: Path
) -> None:
    write_tables(context)
    other = tmp_path / "other"
    shutil.copytree(context.lakehouse.root, other)
    here = replace(context.lakehouse, max_local_users=5 * N_USERS)
    beyond = Lakehouse(context.spark, str(other), max_local_users=N_USERS - 1)
    found = judge(here, context.config)
    # So few rows are joined into one task else, whatever the number of shuffle partitions.
    coalescing = "spark.sql.adaptive.coalescePartitions.enabled"
    context.spark.conf.set(coalescing, "false")
    try:
        expected = judge(beyond, context.config)
    finally:
        context.spark.conf.unset(coalescing)
    assert isinstance(read_as_of(here, SNAPSHOTS, TONIGHT), pd.DataFrame)
    assert not isinstance(read_as_of(beyond, SNAPSHOTS, TONIGHT), pd.DataFrame)
    for spec, key in KEYS.items():
        rows, others = (
            one.read_rows(spec).sort_values(key, ignore_index=True) for one in (here, beyond)
        )
        assert len(rows)
        # Parts are differences of likelihoods, which are sums in another order there.
        gap = 1e-8 if spec in (BEHAVIOUR_PARTS, SCORES, RETENTION_LISTS) else 1e-12
        pd.testing.assert_frame_equal(plain(rows), plain(others), rtol=gap, atol=gap)
    assert found.facts == expected.facts
    pd.testing.assert_frame_equal(
        pd.DataFrame(found.performance), pd.DataFrame(expected.performance), rtol=1e-12
    )
    assert {row["slice"] for row in found.performance} > {"all", "level=paid"}
    # Whole numbers are floats for pandas where rows without a label were left out.
    pd.testing.assert_frame_equal(found.compared, expected.compared, rtol=1e-12, check_dtype=False)
    assert found.n_jobs < expected.n_jobs / 4
    # Beyond the bound a night isn't written by one task.
    for spec in (SCORES, BEHAVIOUR, BEHAVIOUR_PARTS, FADING):
        nights = [day for day, _ in beyond.data_files(spec, "as_of")]
        assert all(nights.count(night) == 2 for night in NIGHTS)
