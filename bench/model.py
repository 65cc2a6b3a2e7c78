"""What is promised of the predictions: `make bench-model`.

On simulated logs every user's true chance to cancel is known, so models are compared with the
truth itself and not with who happened to cancel: those figures have no noise of outcomes.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from pyspark.sql import SparkSession

from bench import flow
from bench.engines import say_engines
from bench.known_fading import best_when_fading
from bench.paired_worlds import say_mixed, say_weights
from bench.promises import choose_sections, holds, judged, promise_nothing
from bench.said_models import (
    RULES,
    console,
    say_calibration,
    say_comparison,
    say_paired,
    say_reached,
    say_shares,
)
from bench.tested_models import Comparison, judge, mean_of, plain_trees, test_newest
from bench.worlds import World, load_world, told_the_truth
from churn_spark.config import load_config
from churn_spark.contracts.tables import TRAINING_ROWS
from churn_spark.evaluation.backtest import PRIMARY
from churn_spark.evaluation.bootstrap import bootstrap_by_user
from churn_spark.pipeline.context import JobContext
from churn_spark.pipeline.dates import read_log_dates
from churn_spark.pipeline.fit import fit
from churn_spark.pipeline.training_data import label_snapshots, prepare
from churn_spark.runtime.session import build_session
from churn_spark.simulate.settings import SimulationSettings

SECTIONS = ("full", "small", "fading", "mixed", "weights", "mini", "engines")
FULL_USERS = 22_277
SMALL_SIZES = (450, 900)
SMALL_SEED, FADING_SEED, MIXED_SEED, WEIGHTS_SEED = 1100, 700, 800, 900
"""The worlds' seeds are those that follow."""
HORIZONS = ((14, 1), (10, 0))


def say_full(spark: SparkSession, work: Path, users: int) -> None:
    """The full log's population, memoryless."""
    settings = SimulationSettings(users=users)
    started = time.monotonic()
    world = load_world(spark, work, settings)
    console.print(f"Loaded {users:,} users in {time.monotonic() - started:.0f} s")
    for horizon in HORIZONS:
        context, tested = test_newest(spark, world, settings, horizon)
        rows = tested.rows[tested.rows["cell"].isin(["future", "both"])]
        assert tested.bundle.behaviour is not None
        known = told_the_truth(context, world, rows, tested.bundle.behaviour)
        figures = judge(tested, plain_trees(tested) | known)
        say_comparison(
            f"Memoryless, {len(rows):,} users as of {tested.plan.cutoff}, {horizon[0]} days "
            f"after a gap of {horizon[1]}",
            figures,
        )
        console.print(f"  {tested.trees.rounds.reason}; {tested.trees.calibration.reason}")
        say_shares(figures, 0.96, 0.97, 0.92)
        say_calibration(figures[PRIMARY])
        say_paired(tested, 1)
    say_lifetime(world.context(spark, "labels.kind=lifetime"))
    context = world.context(spark)
    started = time.monotonic()
    flow.run_backtest(context, truth=world.folder)
    seconds = time.monotonic() - started
    console.print(
        f"The backtest on {users:,} users: {seconds:.0f} s, below 600: {holds(seconds < 600)}"
    )


def say_small(spark: SparkSession, work: Path, sizes: Sequence[int], n_worlds: int) -> None:
    """Small populations: the mean over several worlds, trees by LightGBM's own library."""
    for users in sizes:
        found = []
        for seed in range(1, n_worlds + 1):
            settings = SimulationSettings(users=users, seed=SMALL_SEED + seed)
            folder = work / f"{users}-{seed}"
            world = load_world(spark, folder, settings)
            context, tested = test_newest(
                spark, world, settings, HORIZONS[0], "lightgbm.engine=lightgbm"
            )
            rows = tested.rows[tested.rows["cell"].isin(["future", "both"])]
            assert tested.bundle.behaviour is not None
            known = told_the_truth(context, world, rows, tested.bundle.behaviour)
            found.append(judge(tested, known))
            shutil.rmtree(folder)
        mean = mean_of(found)
        say_comparison(f"Mean of {n_worlds} worlds of {users} users", mean)
        say_shares(mean, 0.93, 0.93)


def say_fading(spark: SparkSession, work: Path, users: int, n_worlds: int) -> None:
    """Interest that fades: what the model of fading is worth there, and that it harms nowhere."""
    for regime in ("degrading", "memoryless"):
        found = []
        for seed in range(FADING_SEED + 1, FADING_SEED + 1 + n_worlds):
            settings = SimulationSettings(users=users, seed=seed, regime=regime)
            world = load_world(spark, work / regime, settings)
            found.append(_judge_with_and_without(spark, world, settings))
            shutil.rmtree(work / regime)
        mean = mean_of(found)
        say_comparison(f"{regime}, mean of {n_worlds} worlds of {users:,} users", mean)
        if regime == "degrading":
            say_reached(mean, 0.92, 0.88)


def _judge_with_and_without(
    spark: SparkSession, world: World, settings: SimulationSettings
) -> Comparison:
    """All models of one world, and its trees without the model of fading."""
    context, tested = test_newest(spark, world, settings, HORIZONS[0])
    rows = tested.rows[tested.rows["cell"].isin(["future", "both"])]
    assert tested.bundle.behaviour is not None
    if settings.regime == "degrading":
        known = best_when_fading(context, world, settings, rows, tested.bundle.behaviour)
        figures = judge(tested, {RULES: known})
    else:
        figures = judge(tested, told_the_truth(context, world, rows, tested.bundle.behaviour))
    sets = "training.feature_sets=[report,activity,behaviour]"
    _, without = test_newest(spark, world, settings, HORIZONS[0], sets)
    return figures | {f"{PRIMARY}, no fading": judge(without, {})[PRIMARY]}


def say_mini(spark: SparkSession, work: Path) -> None:
    """The mini log: the whole protocol, and the retrospective label beside; nothing is promised."""
    sample = os.environ.get("CHURN_SAMPLE_DATA")
    if not sample:
        console.print("No CHURN_SAMPLE_DATA: mini is left out, the mini log isn't there")
        return
    world = World(work / "none", work / "lakehouse")
    context = world.context(spark)
    flow.ingest_events(context, str(Path(sample) / "customer_churn_mini.json.gz"))
    flow.build_session_days(context)
    flow.build_transitions(context)
    flow.run_backtest(context)
    say_lifetime(world.context(spark, "labels.kind=lifetime"))
    promise_nothing()


def say_lifetime(context: JobContext) -> None:
    """The retrospective label: who has ever cancelled, told from all that is known at the end."""
    lakehouse, learning = context.lakehouse, context.config.learning
    log = read_log_dates(lakehouse)
    labelled = label_snapshots(lakehouse, log, log.span.end, learning)
    data = prepare(lakehouse, log, log.span.end, labelled, TRAINING_ROWS, learning)
    trees, baseline = fit(data, learning)
    both = trees.evaluation.rows.merge(
        baseline.evaluation.rows[["user_id", "churn_probability"]],
        on="user_id",
        suffixes=("", "_lr"),
    )
    drawn = bootstrap_by_user(
        both["label"].to_numpy(dtype=float),
        {
            PRIMARY: both["churn_probability"].to_numpy(),
            "lr": both["churn_probability_lr"].to_numpy(),
        },
        both["user_id"].to_numpy(),
        thresholds={PRIMARY: 0.5, "lr": 0.5},
        n_replicas=400,
        seed=1,
    )
    console.print(
        f"Lifetime label, retrospective, {len(both):,} users: LightGBM "
        f"{drawn.interval(PRIMARY, 'roc_auc')}, LR {drawn.interval('lr', 'roc_auc')}, difference "
        f"{drawn.differences('lr')[PRIMARY]['roc_auc']}"
    )


@judged
def main(
    users: Annotated[int, typer.Option(help="Users of the full log.")] = FULL_USERS,
    small_users: Annotated[
        list[int] | None, typer.Option(help=f"Users of a small world; {SMALL_SIZES} if none.")
    ] = None,
    worlds: Annotated[
        int, typer.Option(help="Of each small size, and to try the class weight in.")
    ] = 10,
    fading_users: Annotated[int, typer.Option(help="Users of a world that fades.")] = 8000,
    fading_worlds: Annotated[int, typer.Option(help="Of each regime, and of both mixed.")] = 5,
    only: Annotated[
        list[str] | None, typer.Option(help=f"{', '.join(SECTIONS)}; all if none.")
    ] = None,
    memory: Annotated[str, typer.Option(help="Of the driver.")] = "4g",
    work: Annotated[Path | None, typer.Option(help="Where to write; a temporary folder.")] = None,
) -> None:
    """Print what is promised of the predictions, and whether it holds."""
    chosen = choose_sections(only, SECTIONS)
    folder = Path(tempfile.mkdtemp(prefix="churn_spark-", dir=work))
    config = load_config(overrides=[f"spark.driver_memory={memory}", "spark.shuffle_partitions=8"])
    spark = build_session(config.spark, "bench-model")
    try:
        if "engines" in chosen:
            say_engines(spark, folder, 500_000)
        if "small" in chosen:
            say_small(spark, folder / "small", small_users or SMALL_SIZES, worlds)
        if "fading" in chosen:
            say_fading(spark, folder / "fading", fading_users, fading_worlds)
        if "mixed" in chosen:
            some = SimulationSettings(users=fading_users, seed=MIXED_SEED + 1)
            say_mixed(spark, folder / "mixed", some, fading_worlds)
        if "weights" in chosen:
            some = SimulationSettings(users=fading_users, seed=WEIGHTS_SEED + 1)
            say_weights(spark, folder / "weights", some, worlds)
        if "mini" in chosen:
            say_mini(spark, folder / "mini")
        if "full" in chosen:
            say_full(spark, folder / "full", users)
    finally:
        spark.stop()
        shutil.rmtree(folder)


if __name__ == "__main__":
    typer.run(main)
