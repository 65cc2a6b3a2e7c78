"""Gold `snapshots` as of a date and the champion -> `behaviour` and `scores`."""

from __future__ import annotations

from datetime import date as Date

import typer
from pyspark.sql import functions as F

from churn_spark import job
from churn_spark.contracts.tables import BEHAVIOUR, SCORES, SNAPSHOTS
from churn_spark.models.bundle import ModelBundle
from churn_spark.scoring.scores import build_scores
from churn_spark.steps.described import behaviour_of, load_champion, read_users

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
        scores = build_scores(users, bundle, config.scoring, config.retention_list.value_by_level)
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


def write_behaviour(context: job.JobContext, date: Date, bundle: ModelBundle) -> None:
    """Replace what the champion's behaviour model says of the date's users, if it has one."""
    snapshots = job.read_as_of(context.lakehouse, SNAPSHOTS, date)
    behaviour = behaviour_of(context, snapshots, bundle)
    if behaviour is not None:
        rows = behaviour.withColumn("model_version", F.lit(bundle.version))
        context.lakehouse.replace(rows, BEHAVIOUR, {"as_of": [date]})


if __name__ == "__main__":
    job.main(app)
