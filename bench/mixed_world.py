"""A log of two worlds: one half of its users leave without warning, the others fade first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from pyspark.sql import SparkSession

from bench import flow
from bench.tested_models import Comparison, judge, test_newest
from bench.worlds import World
from churn_spark.arrays import Floats
from churn_spark.evaluation.backtest import PRIMARY
from churn_spark.simulate.probabilities import build_probabilities
from churn_spark.simulate.settings import REGIMES, SimulationSettings
from churn_spark.simulate.world import simulate_log

ALONE: Final = {
    f"{PRIMARY}, behaviour alone": ("training.feature_sets=[report,activity,behaviour]",),
    f"{PRIMARY}, fading alone": (
        "training.feature_sets=[report,activity,fading]",
        "training.start_from_behaviour=false",
    ),
}
"""Name of a model -> the configuration by which its trees start from one model only."""
_FIRST_DIGIT: Final = 2
"""Of the ids of all users of a simulated world."""
_SEED_STEP: Final = 10_000


@dataclass(frozen=True)
class MixedWorld(World):
    """A log of two simulated worlds; `folder` is the first one's, whose users keep their ids.

    Attributes:
        other: folder of the second world; its users' ids have a larger first digit.
    """

    other: Path

    @property
    def truth(self) -> None:
        """No folder has the truth of all users."""
        return

    @property
    def folders(self) -> tuple[Path, Path]:
        """Of both worlds."""
        return self.folder, self.other

    def true_probabilities(self, rows: pd.DataFrame, horizon: tuple[int, int]) -> Floats:
        """The true chance to cancel of rows of one date.

        Args:
            rows: `user_id` and `as_of`.
            horizon: days of the window and of the gap.
        """
        as_of, found = rows["as_of"].iloc[0], []
        for number, folder in enumerate(self.folders):
            truth = build_probabilities(folder, as_of, *horizon).to_pandas()
            ids = [f"{_FIRST_DIGIT + number}{user_id[1:]}" for user_id in truth["user_id"]]
            found.append(truth[["cancel_probability"]].assign(user_id=ids))
        merged = rows[["user_id"]].merge(pd.concat(found), on="user_id", how="left")
        return np.asarray(merged["cancel_probability"].to_numpy(dtype=np.float64))


def load_mixed(spark: SparkSession, work: Path, settings: SimulationSettings) -> MixedWorld:
    """Simulate half of the users in each regime and load both logs as one.

    The worlds have seeds of their own: else the same users would be in both.
    """
    first, second = (work / regime for regime in REGIMES)
    found = MixedWorld(first, work / "lakehouse", second)
    context = found.context(spark)
    for number, (folder, regime) in enumerate(zip(found.folders, REGIMES, strict=True)):
        seed = settings.seed + number * _SEED_STEP
        simulate_log(replace(settings, users=settings.users // 2, regime=regime, seed=seed), folder)
        ids = f'"userId":"{_FIRST_DIGIT}', f'"userId":"{_FIRST_DIGIT + number}'
        for path in sorted((folder / "events").rglob("*.json")):
            path.write_text(path.read_text().replace(*ids))
        flow.ingest_events(context, str(folder / "events"))
    flow.build_session_days(context)
    flow.build_transitions(context)
    return found


def judge_mixed(
    spark: SparkSession, mixed: MixedWorld, settings: SimulationSettings, horizon: tuple[int, int]
) -> Comparison:
    """All models of the log, and the trees that start from one of the two models only."""
    _, tested = test_newest(spark, mixed, settings, horizon)
    rows = tested.rows[tested.rows["cell"].isin(["future", "both"])]
    oracle = {"oracle": mixed.true_probabilities(rows, horizon)}
    figures = judge(tested, oracle)
    for name, overrides in ALONE.items():
        _, alone = test_newest(spark, mixed, settings, horizon, *overrides)
        figures[name] = judge(alone, oracle)[PRIMARY]
    return figures
