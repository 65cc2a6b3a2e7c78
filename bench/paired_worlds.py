"""Two models compared over simulated worlds: the mean of their differences, and how sure it is."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from pyspark.sql import SparkSession

from bench.mixed_world import ALONE, judge_mixed, load_mixed
from bench.promises import holds
from bench.said_models import console, say_comparison
from bench.tested_models import Comparison, judge, mean_of, test_newest
from bench.worlds import load_world
from churn_spark.evaluation.backtest import PRIMARY
from churn_spark.simulate.settings import REGIMES, SimulationSettings

UNWEIGHTED: Final = "unweighted"
_HORIZON: Final = (14, 1)


def say_weights(
    spark: SparkSession, work: Path, settings: SimulationSettings, n_worlds: int
) -> None:
    """What the class weight costs, in both regimes."""
    for regime in REGIMES:
        found = []
        for one in worlds_of(replace(settings, regime=regime), n_worlds):
            world = load_world(spark, work / regime, one)
            _, tested = test_newest(spark, world, one, _HORIZON)
            found.append(judge(tested, {}))
            shutil.rmtree(work / regime)
        title = f"{regime}, {n_worlds} worlds of {settings.users:,} users"
        say_difference(f"{title}: weighted minus {UNWEIGHTED}", found, UNWEIGHTED, (0.001, 0.002))


def say_mixed(spark: SparkSession, work: Path, settings: SimulationSettings, n_worlds: int) -> None:
    """A log of which half of the users fade before they leave."""
    found = []
    for one in worlds_of(settings, n_worlds):
        mixed = load_mixed(spark, work / "mixed", one)
        found.append(judge_mixed(spark, mixed, one, _HORIZON))
        shutil.rmtree(work / "mixed")
    mean = mean_of(found)
    say_comparison(f"Half of the users fade, mean of {n_worlds} logs of {settings.users:,}", mean)
    better = max(ALONE, key=lambda name: mean[name].roc_auc)
    say_difference(f"both models minus the better one, {better}", found, better, (0.0, 0.0))


def worlds_of(settings: SimulationSettings, n_worlds: int) -> list[SimulationSettings]:
    """The worlds of the next seeds."""
    return [replace(settings, seed=settings.seed + number) for number in range(n_worlds)]


def say_difference(
    title: str, found: Sequence[Comparison], reference: str, most: tuple[float, float]
) -> None:
    """Print the mean difference of AUC and AP to another model, and whether it costs too much.

    Args:
        title: of the line.
        found: figures of each world.
        reference: the other model.
        most: that the primary model may be worse by, in AUC and in AP.
    """
    said = []
    for name, figure, least in zip(
        ("AUC", "AP"), ("roc_auc", "average_precision"), most, strict=True
    ):
        pairs = [(one[PRIMARY], one[reference]) for one in found]
        differences = [getattr(one, figure) - getattr(other, figure) for one, other in pairs]
        mean = float(np.mean(differences))
        error = float(np.std(differences, ddof=1)) / len(found) ** 0.5 if len(found) > 1 else 0.0
        said.append(
            f"{name} {mean:+.4f} (standard error {error:.4f}; at least {-least:.3f}: "
            f"{holds(mean >= -least)})"
        )
    console.print(f"  {title}: {', '.join(said)}")
