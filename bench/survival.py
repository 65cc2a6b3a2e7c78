"""Do users stay as long as the scores say: simulated worlds, against each user's true chances.

A world is loaded, a model trained on all of it, and everybody scored as of its end. What the scores
say of 7 to 90 days is held against the chances that the world's rules give each user.
"""

from __future__ import annotations

import shutil
import tempfile
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import pandas as pd
import typer
from pyspark.sql import SparkSession
from rich.table import Table

from bench import flow
from bench.expected_metrics import expected_calibration_error
from bench.promises import holds, judged
from bench.said_models import console
from bench.worlds import World, load_world
from churn_spark.arrays import Floats
from churn_spark.config import load_config
from churn_spark.contracts.survival import SURVIVAL_DAYS, survival_columns
from churn_spark.contracts.tables import SCORES
from churn_spark.models.bundle import ModelBundle
from churn_spark.runtime.session import build_session
from churn_spark.simulate.probabilities import build_probabilities
from churn_spark.simulate.settings import SimulationSettings

PROMISED_DAYS: Final = 60
LARGEST_ERROR: Final = 0.01


def say_world(spark: SparkSession, work: Path, settings: SimulationSettings) -> bool:
    """Calibration error of each horizon in one world; returns whether the promise holds."""
    world = load_world(spark, work, settings)
    end = settings.start + timedelta(days=settings.days)
    context = world.context(spark, f"training.as_of_weekday={end.weekday()}")
    version = flow.train_model(context, end)
    flow.build_snapshots(context, [end])
    flow.score_users(context, end)
    bundle = context.registry.load(version)
    scores = context.lakehouse.read_rows(SCORES, {"as_of": [end]}).set_index("user_id")
    assert bundle.checked is not None
    table = Table(
        f"{settings.regime}, seed {settings.seed}: {len(scores):,} of {settings.users:,} users as "
        f"of {end}; curves held against the log up to {bundle.checked.measured_days} days"
    )
    for name in ("days", "true", "said", "error"):
        table.add_column(name, justify="right")
    is_kept = True
    for days, column in zip(SURVIVAL_DAYS, survival_columns(), strict=True):
        true = _true_chances(world, end, days, bundle, scores.index)
        said = 1.0 - scores[column].to_numpy()
        error = expected_calibration_error(true, said)
        is_kept &= days > PROMISED_DAYS or error <= LARGEST_ERROR
        shown = (true.mean(), said.mean(), error)
        table.add_row(str(days), *(f"{value:.4f}" for value in shown))
    console.print(table)
    fortnight = np.abs(scores["survival_14d"] - (1.0 - scores["churn_probability"])).max()
    console.print(f"Largest difference of S(14) and the served probability: {fortnight:.1e}")
    return is_kept and bool(fortnight < 1e-9)


def _true_chances(
    world: World, end: date, days: int, bundle: ModelBundle, users: pd.Index
) -> Floats:
    """The chance of each user to cancel in so many days, by the world's rules."""
    found = build_probabilities(world.folder, end, days, bundle.horizon.gap_days).to_pandas()
    chances = found.set_index("user_id")["cancel_probability"]
    return np.asarray(chances.loc[users], dtype=np.float64)


@judged
def main(
    users: Annotated[int, typer.Option(help="Users of each world.")] = 8000,
    seed: Annotated[int, typer.Option(help="Of the worlds.")] = 901,
    memory: Annotated[str, typer.Option(help="Of the driver.")] = "2g",
    work: Annotated[Path | None, typer.Option(help="Where to write; a temporary folder.")] = None,
) -> None:
    """Print whether users stay as long as the scores say, in both kinds of worlds."""
    folder = Path(tempfile.mkdtemp(prefix="churn_spark-", dir=work))
    config = load_config(overrides=[f"spark.driver_memory={memory}", "spark.shuffle_partitions=8"])
    spark = build_session(config.spark, "bench-survival")
    try:
        kept = [
            say_world(
                spark, folder / regime, SimulationSettings(users=users, seed=seed, regime=regime)
            )
            for regime in ("memoryless", "degrading")
        ]
        console.print(
            f"Calibration error at most {LARGEST_ERROR} up to {PROMISED_DAYS} days: "
            f"{holds(all(kept))}"
        )
    finally:
        spark.stop()
        shutil.rmtree(folder)


if __name__ == "__main__":
    typer.run(main)
