"""Simulated worlds in lakehouses of their own, and what is said of them knowing their pages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from bench import flow
from churn_spark.config import load_config
from churn_spark.contracts.tables import TRANSITIONS
from churn_spark.lakehouse.frames import collect
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.behaviour.cells import N_CELLS
from churn_spark.models.behaviour.evidence import (
    EVIDENCE_OF,
    build_evidence,
    build_forecasts,
)
from churn_spark.models.behaviour.mixture import Mixture, pseudo_counts, to_log_chances
from churn_spark.models.behaviour.model import BehaviourModel
from churn_spark.models.behaviour.outcomes import solve_sessions
from churn_spark.models.behaviour.spark_cells import cell_column
from churn_spark.pipeline.context import JobContext
from churn_spark.simulate.personas import PERSONA_NAMES
from churn_spark.simulate.settings import SimulationSettings
from churn_spark.simulate.truth import read_truth
from churn_spark.simulate.world import simulate_log
from churn_spark.timeline import Horizon

PAGE_CHANCES, PERSONAS = "true page chances", "true personas"
"""What the inference is told; names of what it then says."""
_CERTAIN = -1e6
_PRIOR_WEIGHT = 0.05


@dataclass(frozen=True)
class World:
    """A simulated log in a lakehouse.

    Attributes:
        folder: of the simulated world, with its truth.
        lakehouse: folder of the tables.
    """

    folder: Path
    lakehouse: Path

    @property
    def truth(self) -> Path | None:
        """The folder that has the truth of all users; none where there is none."""
        return self.folder

    def context(self, spark: SparkSession, *overrides: str) -> JobContext:
        """What jobs work with, under some configuration."""
        config = load_config(overrides=[f"lakehouse={self.lakehouse}", *overrides])
        return JobContext(config, Lakehouse(spark, config.lakehouse))


def load_world(spark: SparkSession, work: Path, settings: SimulationSettings) -> World:
    """Simulate a log and load it."""
    world = World(work / "world", work / "lakehouse")
    simulate_log(settings, world.folder)
    context = world.context(spark)
    flow.ingest_events(context, str(world.folder / "events"))
    flow.build_session_days(context)
    flow.build_transitions(context)
    return world


def true_classes(context: JobContext, world: World, fitted: BehaviourModel) -> BehaviourModel:
    """The behaviour model, told how often each persona really goes from page to page.

    These chances are counted in the whole log; how often users come, the calendar and how long
    sessions last stay as the model has fitted them.
    """
    personas = context.spark.createDataFrame(
        read_truth(world.folder, "users").select(["user_id", "persona"]).to_pandas()
    )
    counted = (
        context.lakehouse.read(TRANSITIONS)
        .join(F.broadcast(personas), "user_id")
        .groupBy("persona", cell_column().alias("cell"))
        .agg(F.sum("n_transitions").alias("n"))
        .toPandas()
    )
    counts = np.zeros((len(PERSONA_NAMES), N_CELLS))
    places = counted["persona"].map(list(PERSONA_NAMES).index).to_numpy()
    counts[places, counted["cell"].to_numpy()] = counted["n"].to_numpy()
    log_chances = to_log_chances(counts, pseudo_counts(counts.sum(axis=0), _PRIOR_WEIGHT))
    n_users = personas.groupBy("persona").count().toPandas().set_index("persona")["count"]
    shares = n_users.reindex(list(PERSONA_NAMES)).to_numpy(dtype=float)
    mean_days = float(fitted.sessions.days.mean())
    sessions = solve_sessions(log_chances, np.zeros(N_CELLS))
    return BehaviourModel(
        mixture=Mixture(shares / shares.sum(), log_chances, 0.0, 0.0),
        sessions=type(sessions)(sessions.ends, np.full_like(sessions.days, mean_days)),
        prior=fitted.prior,
        calendar=fitted.calendar,
        log_start=fitted.log_start,
        fitted_before=fitted.fitted_before,
    )


def evidence_of(context: JobContext, rows: pd.DataFrame, model: BehaviourModel) -> pd.DataFrame:
    """What the transitions of the rows' users say of every class."""
    users = context.spark.createDataFrame(rows[[*EVIDENCE_OF]])
    return build_evidence(users, context.lakehouse.read(TRANSITIONS), model).toPandas()


def told_the_truth(
    context: JobContext, world: World, rows: pd.DataFrame, fitted: BehaviourModel
) -> dict[str, NDArray[np.float64]]:
    """What the product's own inference says of the rows of a date, told more than the log.

    Returns:
        `PAGE_CHANCES`: told the true page chances of each kind of listener, it infers from the log
        who is which and how often they come. `PERSONAS`: told besides which kind each user is, it
        infers how often they come. Neither is a bound of what a model of the log can say.
    """
    model = true_classes(context, world, fitted)
    evidence = evidence_of(context, rows, model)
    truth = read_truth(world.folder, "users").select(["user_id", "persona"]).to_pandas()
    known = evidence.merge(truth, on="user_id")
    for number, persona in enumerate(PERSONA_NAMES):
        known[f"log_likelihood_{number}"] = np.where(known["persona"] == persona, 0.0, _CERTAIN)
    labels = context.config.labels
    horizon = Horizon(labels.horizon_days, labels.gap_days)
    found = {}
    for name, said in ((PAGE_CHANCES, evidence), (PERSONAS, known)):
        forecast = collect(build_forecasts(said[evidence.columns], model, horizon))
        merged = rows[["user_id"]].merge(forecast, on="user_id", how="left")
        found[name] = merged["behaviour_probability"].to_numpy()
    return found
