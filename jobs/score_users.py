"""Gold `snapshots` as of a date and the champion -> `behaviour` and `scores`."""

from __future__ import annotations

from datetime import date as Date

import typer
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churn_spark import job
from churn_spark.decision_log import champion_at
from churn_spark.models.behaviour.evidence import build_behaviour
from churn_spark.models.behaviour.model import BehaviourModel
from churn_spark.models.bundle import ModelBundle
from churn_spark.models.registry import ModelRegistry
from churn_spark.models.training_rows import join_behaviour
from churn_spark.schemas import BEHAVIOUR, SCORES, SNAPSHOTS, TRANSITIONS
from churn_spark.scoring.scores import build_scores
from churn_spark.timeline import Horizon

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    date: job.DateOption, env: job.EnvOption = "local", overrides: job.SetOption = None
) -> None:
    """Score everybody in the population as of the date; a rerun replaces the date's scores."""
    with job.open_job("score_users", env, overrides) as context:
        run(context, date)


def run(context: job.JobContext, date: Date) -> None:
    """Replace the scores of the date.

    Raises:
        NoChampionError: before the first training.
        FingerprintError: if the champion knows other feature definitions.
    """
    config, lakehouse = context.config, context.lakehouse
    with job.closing_line("score_users") as facts:
        bundle = load_champion(context, date)
        bundle.check_fingerprint()
        write_behaviour(context, date, bundle)
        users = read_users(context, date, bundle)
        scores = build_scores(users, bundle, config.scoring, config.list.value_by_level)
        lakehouse.replace(scores, SCORES, {"as_of": [date]})
        bands: dict[str, int] = dict(
            lakehouse.read(SCORES)
            .filter(F.col("as_of") == F.lit(date))
            .groupBy("risk_band")
            .count()
            .collect()
        )
        facts.append(f"{sum(bands.values()):,} users as of {date}")
        facts.append(
            ", ".join(f"{bands.get(band, 0)} {band}" for band in ("high", "medium", "low"))
        )
        facts.append(f"model version {bundle.version}")


def load_champion(context: job.JobContext, date: Date) -> ModelBundle:
    """The model that is champion on the date.

    Raises:
        NoChampionError: before the first training.
    """
    registry = ModelRegistry(context.config.registry, context.config.lakehouse)
    version = champion_at(context.lakehouse, registry, date)
    return registry.load_champion() if version is None else registry.load(version)


def write_behaviour(context: job.JobContext, date: Date, bundle: ModelBundle) -> None:
    """Replace what the champion's behaviour model says of the date's users, if it has one."""
    if bundle.behaviour is None:
        return
    snapshots = job.read_as_of(context.lakehouse, SNAPSHOTS, date)
    behaviour = _behaviour_of(context, snapshots, bundle.behaviour, bundle)
    rows = behaviour.withColumn("model_version", F.lit(bundle.version))
    context.lakehouse.replace(rows, BEHAVIOUR, {"as_of": [date]})


def describe(context: job.JobContext, snapshots: DataFrame, bundle: ModelBundle) -> DataFrame:
    """Snapshot rows of any dates with what the model's behaviour model says, if it has one."""
    if bundle.behaviour is None:
        return snapshots
    return join_behaviour(snapshots, _behaviour_of(context, snapshots, bundle.behaviour, bundle))


def read_users(context: job.JobContext, date: Date, bundle: ModelBundle) -> DataFrame:
    """The snapshot of the date with what the champion's behaviour model says, if it has one."""
    snapshots = job.read_as_of(context.lakehouse, SNAPSHOTS, date)
    if bundle.behaviour is None:
        return snapshots
    behaviour = job.read_as_of(context.lakehouse, BEHAVIOUR, date).drop("model_version")
    return join_behaviour(snapshots, behaviour)


def _behaviour_of(
    context: job.JobContext, snapshots: DataFrame, model: BehaviourModel, bundle: ModelBundle
) -> DataFrame:
    horizon = Horizon(bundle.label["horizon_days"], bundle.label["gap_days"])
    return build_behaviour(snapshots, context.lakehouse.read(TRANSITIONS), model, horizon)


if __name__ == "__main__":
    job.main(app)
