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
from dataclasses import fields, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any

import lightgbm
import numpy as np
import pandas as pd
import typer
from numpy.typing import NDArray
from pyspark.sql import SparkSession
from rich.console import Console
from rich.table import Table

from bench import flow
from bench.expected_metrics import ExpectedMetrics, evaluate_expected
from bench.promises import choose_sections, holds
from bench.worlds import World, best_from_the_log, load_world
from churn_spark.config import load_config
from churn_spark.contracts.features.spec import model_features
from churn_spark.contracts.tables import TRAINING_ROWS
from churn_spark.evaluation.backtest import PRIMARY
from churn_spark.evaluation.bootstrap import bootstrap_by_user
from churn_spark.evaluation.metrics import evaluate
from churn_spark.models.encoding import Encoding
from churn_spark.models.estimators import TreePlan, fit_trees
from churn_spark.pipeline.backtest import choose_dates
from churn_spark.pipeline.backtest_models import BacktestResult, fit_and_predict
from churn_spark.pipeline.context import JobContext
from churn_spark.pipeline.dates import read_log_dates
from churn_spark.pipeline.fit import fit
from churn_spark.pipeline.training_data import label_snapshots, prepare
from churn_spark.runtime.session import build_session
from churn_spark.simulate.settings import SimulationSettings

SECTIONS = ("full", "small", "fading", "mini", "engines")
FULL_USERS = 22_277
SMALL_SIZES = (450, 900)
HORIZONS = ((14, 1), (10, 0))
PERSONAS, PARAMETERS = "true personas", "true parameters"
Comparison = dict[str, ExpectedMetrics]
_COLUMNS = (
    *("model", "AUC", "share", "AP", "share", "of personas'"),
    *("at 10 %", "at 33 %", "error", "slope"),
)
_CAPTION = (
    "share: of the AUC above chance and of the AP that the true probabilities reach; of personas': "
    "the same against who knows every user's persona; at 10 %, at 33 %: cancels found among the "
    "users ranked highest; error, slope: of the calibration"
)
console = Console(width=118)


def last_date(settings: SimulationSettings, horizon_days: int, gap_days: int) -> date:
    """The newest as-of date whose label the log makes known."""
    return settings.start + timedelta(days=settings.days - horizon_days - gap_days)


def test_newest(
    spark: SparkSession,
    world: World,
    settings: SimulationSettings,
    horizon: tuple[int, int],
    *overrides: str,
) -> tuple[JobContext, BacktestResult]:
    """Train on all dates that the newest one may learn from, and predict it."""
    as_of = last_date(settings, *horizon)
    context = world.context(
        spark,
        f"labels.horizon_days={horizon[0]}",
        f"labels.gap_days={horizon[1]}",
        f"training.as_of_weekday={as_of.weekday()}",
        "backtest.n_test_dates=1",
        *overrides,
    )
    learning, log = context.config.learning, read_log_dates(context.lakehouse)
    end = settings.start + timedelta(days=settings.days)
    plan = choose_dates(log, end, learning, context.config.backtest)
    flow.build_snapshots(context, {*plan.train, *plan.test})
    return context, fit_and_predict(context.lakehouse, log, plan, learning, world.folder)


def judge(tested: BacktestResult, more: dict[str, NDArray[np.float64]]) -> Comparison:
    """Expected figures of every model on the test date."""
    is_test = tested.rows["cell"].isin(["future", "both"]).to_numpy()
    scores = {name: values[is_test] for name, values in tested.probabilities.items()} | more
    return {name: evaluate_expected(scores["oracle"], values) for name, values in scores.items()}


def mean_of(comparisons: Sequence[Comparison]) -> Comparison:
    """The mean of every figure over several worlds."""
    means: Comparison = {}
    for name, first in comparisons[0].items():
        figures: dict[str, Any] = {
            field.name: float(np.mean([getattr(one[name], field.name) for one in comparisons]))
            for field in fields(ExpectedMetrics)
        }
        means[name] = replace(first, **figures)
    return means


def shares_of(one: ExpectedMetrics, best: ExpectedMetrics) -> tuple[float, float]:
    """What a model has of the AUC above chance, and of the AP, of another."""
    auc = (one.roc_auc - 0.5) / (best.roc_auc - 0.5)
    return auc, one.average_precision / best.average_precision


def plain_trees(tested: BacktestResult) -> dict[str, NDArray[np.float64]]:
    """LightGBM without the behaviour model: as it comes, and carefully tuned by hand."""
    rows = tested.rows
    names = [f.name for f in model_features(["report", "activity"], use_gender=False)]
    encoding = tested.bundle.encoding.only(names)
    learnt, test = (rows[rows["cell"].isin(cells)] for cells in (["training"], ["future", "both"]))
    matrix, unseen = encoding.encode(learnt), encoding.encode(test)
    default = lightgbm.LGBMClassifier(verbosity=-1, random_state=1)
    careful = lightgbm.LGBMClassifier(
        num_leaves=7, learning_rate=0.03, min_child_samples=200, reg_lambda=10.0,
        n_estimators=200, colsample_bytree=0.5, subsample=0.8, subsample_freq=1,
        verbosity=-1, random_state=1,
    )  # fmt: skip
    found = {}
    for name, model in (("LightGBM, default", default), ("LightGBM, careful", careful)):
        model.fit(matrix, learnt["label"].to_numpy())
        found[name] = np.asarray(model.predict_proba(unseen))[:, 1]
    return found


def say_comparison(title: str, figures: Comparison) -> None:
    """Print the models with their shares of what the truth reaches."""
    table = Table(*_COLUMNS, title=title, caption=_CAPTION)
    reference = figures.get(PERSONAS)
    for name, one in figures.items():
        shares = shares_of(one, reference) if reference else ()
        table.add_row(
            name, f"{one.roc_auc:.4f}", f"{one.roc_auc_share:.3f}",
            f"{one.average_precision:.4f}", f"{one.average_precision_share:.3f}",
            ", ".join(f"{share:.3f}" for share in shares),
            f"{one.capture_10:.3f}", f"{one.capture_33:.3f}", f"{one.calibration_error:.4f}",
            f"{one.calibration_slope:.3f}",
        )  # fmt: skip
    console.print(table)


def say_shares(figures: Comparison, least_auc: float, least_precision: float) -> None:
    """Compare the primary model with what is promised, against both references."""
    one, ceiling = figures[PRIMARY], figures[PARAMETERS]
    found = {
        "who knows every user's persona": shares_of(one, figures[PERSONAS]),
        "the true probabilities": (one.roc_auc_share, one.average_precision_share),
    }
    for reference, (auc, precision) in found.items():
        console.print(
            f"  against {reference}: {auc:.3f} of the AUC above chance (at least {least_auc}: "
            f"{holds(auc >= least_auc)}), {precision:.3f} of the AP (at least "
            f"{least_precision}: {holds(precision >= least_precision)})"
        )
    console.print(
        "  who knows the true parameters, but must read users off the log, reaches "
        f"{ceiling.roc_auc_share:.3f} and {ceiling.average_precision_share:.3f} of the true "
        "probabilities: the most that any model of this log can"
    )


def say_calibration(one: ExpectedMetrics) -> None:
    """Compare the primary model's calibration with what is promised."""
    slope, error = one.calibration_slope, one.calibration_error
    console.print(
        f"  calibration error {error:.4f} (at most .006: {holds(error <= 0.006)}), slope "
        f"{slope:.3f} (.95 to 1.05: {holds(0.95 <= slope <= 1.05)})"
    )


def say_paired(tested: BacktestResult, seed: int) -> None:
    """LightGBM minus logistic regression and minus the rule, on outcomes, by user bootstrap."""
    rows = tested.rows
    is_test = rows["cell"].isin(["future", "both"]).to_numpy()
    chosen = {
        name: tested.probabilities[name][is_test]
        for name in (PRIMARY, "logistic_regression", "rule", "behaviour")
        if name in tested.probabilities
    }
    drawn = bootstrap_by_user(
        rows["label"].to_numpy(dtype=float)[is_test],
        chosen,
        rows["user_id"].to_numpy()[is_test],
        thresholds=dict.fromkeys(chosen, 0.5),
        n_replicas=400,
        seed=seed,
    )
    for reference in list(chosen)[1:]:
        difference = drawn.differences(reference)[PRIMARY]["roc_auc"]
        promise = f": {holds(difference.low > 0)}" if reference == "logistic_regression" else ""
        console.print(f"  AUC on outcomes, LightGBM minus {reference}: {difference}{promise}")


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
        known = best_from_the_log(context, world, rows, tested.bundle.behaviour)
        figures = judge(tested, plain_trees(tested) | known)
        say_comparison(
            f"Memoryless, {len(rows):,} users as of {tested.plan.cutoff}, {horizon[0]} days "
            f"after a gap of {horizon[1]}",
            figures,
        )
        console.print(f"  {tested.trees.rounds.reason}; {tested.trees.calibration.reason}")
        say_shares(figures, 0.96, 0.97)
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


def say_small(spark: SparkSession, work: Path, n_worlds: int) -> None:
    """Small populations: the mean over several worlds."""
    for users in SMALL_SIZES:
        found = []
        for seed in range(1, n_worlds + 1):
            settings = SimulationSettings(users=users, seed=1000 + seed)
            folder = work / f"{users}-{seed}"
            world = load_world(spark, folder, settings)
            context, tested = test_newest(
                spark, world, settings, HORIZONS[0], "lightgbm.engine=lightgbm"
            )
            rows = tested.rows[tested.rows["cell"].isin(["future", "both"])]
            assert tested.bundle.behaviour is not None
            known = best_from_the_log(context, world, rows, tested.bundle.behaviour)
            found.append(judge(tested, known))
            shutil.rmtree(folder)
        mean = mean_of(found)
        say_comparison(f"Mean of {n_worlds} worlds of {users} users", mean)
        say_shares(mean, 0.93, 0.93)


def say_fading(spark: SparkSession, work: Path, users: int) -> None:
    """Interest that fades: what trends are worth there, and that they are worth nothing else."""
    for regime in ("degrading", "memoryless"):
        settings = SimulationSettings(users=users, seed=77, regime=regime)
        world = load_world(spark, work / regime, settings)
        figures: Comparison = {}
        for name, sets in (
            (PRIMARY, "[report,activity,behaviour]"),
            (f"{PRIMARY}, no activity", "[report,behaviour]"),
        ):
            _, tested = test_newest(
                spark, world, settings, HORIZONS[0], f"training.feature_sets={sets}",
                "training.baseline_sets=[report]",
            )  # fmt: skip
            judged = judge(tested, {})
            figures |= {name: judged.pop(PRIMARY)} | judged
        say_comparison(f"{regime}, {users:,} users", figures)
        shutil.rmtree(work / regime)


def say_mini(spark: SparkSession, work: Path, sample: Path) -> None:
    """The mini log: the whole protocol, and the retrospective label beside."""
    world = World(work / "none", work / "lakehouse")
    context = world.context(spark)
    flow.ingest_events(context, str(sample / "customer_churn_mini.json.gz"))
    flow.build_session_days(context)
    flow.build_transitions(context)
    flow.run_backtest(context)
    say_lifetime(world.context(spark, "labels.kind=lifetime"))


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


def say_engines(spark: SparkSession, work: Path, n_rows: int) -> None:
    """SynapseML beside LightGBM's own library on one matrix."""
    rng = np.random.default_rng(0)
    names = [f"x{number}" for number in range(60)]
    values = rng.normal(size=(n_rows, 60))
    margin = values[:, :5].sum(axis=1) * 0.5 - 2.5
    frame = pd.DataFrame(values, columns=names).assign(
        label=(rng.random(n_rows) < 1 / (1 + np.exp(-margin))).astype(int),
        user_id=[str(number) for number in range(n_rows)],
        as_of=date(2018, 11, 5),
    )
    path = str(work / "matrix")
    spark.createDataFrame(frame).repartition(2).write.parquet(path)
    rows = spark.read.parquet(path)
    encoding = Encoding(tuple(names), {}, {}, "")
    config = load_config().lightgbm
    plan = TreePlan(100, 1.0, 1, None)
    seconds: dict[str, list[float]] = {}
    aucs: dict[str, float] = {}
    for engine in ("lightgbm", "synapseml", "lightgbm", "synapseml"):
        started = time.monotonic()
        text = fit_trees(rows, encoding, config, plan, engine)
        seconds.setdefault(engine, []).append(time.monotonic() - started)
        booster = lightgbm.Booster(model_str=text)
        scores = np.asarray(booster.predict(values[:100_000]))
        aucs[engine] = evaluate(frame["label"].to_numpy()[:100_000], scores, 0.5).roc_auc
    ratio = min(seconds["synapseml"]) / min(seconds["lightgbm"])
    difference = abs(aucs["synapseml"] - aucs["lightgbm"])
    console.print(
        f"Engines on {n_rows:,} x 60, 100 trees: SynapseML {min(seconds['synapseml']):.1f} s, "
        f"LightGBM's own library {min(seconds['lightgbm']):.1f} s, both with the reading of the "
        f"rows; ratio {ratio:.2f} (at most 1.5: {holds(ratio <= 1.5)}); AUC apart by "
        f"{difference:.5f} (at most .002: {holds(difference <= 0.002)})"
    )


def main(
    users: Annotated[int, typer.Option(help="Users of the full log.")] = FULL_USERS,
    worlds: Annotated[int, typer.Option(help="Worlds of each small size.")] = 10,
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
    sample = os.environ.get("CHURN_SAMPLE_DATA")
    try:
        if "engines" in chosen:
            say_engines(spark, folder, 500_000)
        if "small" in chosen:
            say_small(spark, folder / "small", worlds)
        if "fading" in chosen:
            say_fading(spark, folder / "fading", 8000)
        if "mini" in chosen and sample:
            say_mini(spark, folder / "mini", Path(sample))
        if "full" in chosen:
            say_full(spark, folder / "full", users)
    finally:
        spark.stop()
        shutil.rmtree(folder)


if __name__ == "__main__":
    typer.run(main)
