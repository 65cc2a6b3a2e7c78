"""The scores of a date -> `retention_lists`: who to call that morning, and why."""

from __future__ import annotations

from datetime import date as Date
from pathlib import Path
from typing import Annotated

import typer
from pyspark.sql import functions as F

from churn_spark import job
from churn_spark.contracts.tables import RETENTION_LISTS, SCORES
from churn_spark.models.registry import ModelRegistry
from churn_spark.scoring.list_csv import save_list_csv
from churn_spark.scoring.retention_list import add_changes, build_retention_list, measure_stability
from churn_spark.scoring.suppression import read_suppressed
from churn_spark.steps.described import read_users

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    date: job.DateOption,
    csv: Annotated[Path | None, typer.Option(help="Also write the list to this file.")] = None,
    env: job.EnvOption = "local",
    overrides: job.SetOption = None,
) -> None:
    """List those with the most value at risk as of the date; a rerun replaces its list."""
    with job.open_job("build_retention_list", env, overrides) as context:
        run(context, date, csv)


def run(context: job.JobContext, date: Date, csv: Path | None = None) -> None:
    """Replace the list of the date, and export it where a path is given.

    Raises:
        MissingTableError: if the date has no scores.
        InputError: if the suppression list doesn't fit, or the CSV can't be written.
    """
    config, lakehouse = context.config, context.lakehouse
    with job.closing_line("build_retention_list") as facts:
        suppressed = read_suppressed(context.spark, config.retention_list.suppressed)
        scores = job.read_as_of(lakehouse, SCORES, date)
        # What would help is asked of the model that scored, which may be champion no more.
        version = scores.select("model_version").head(1)[0][0]
        bundle = ModelRegistry(config.registry, config.lakehouse).load(version)
        lakehouse.create(RETENTION_LISTS)
        earlier = lakehouse.read(RETENTION_LISTS)
        chosen = build_retention_list(scores, suppressed, earlier, date, config.retention_list)
        listed = add_changes(
            chosen, read_users(context, date, bundle), bundle, config.retention_list
        )
        lakehouse.replace(listed, RETENTION_LISTS, {"as_of": [date]})
        written = lakehouse.read(RETENTION_LISTS).filter(F.col("as_of") == F.lit(date))
        stability = measure_stability(written, earlier, date)
        facts.append(f"{stability.n_listed:,} users to call as of {date}")
        facts.append(stability.describe())
        facts.append(f"model version {version}")
        if csv is not None:
            save_list_csv(
                written.toPandas(), csv, config.scoring.n_reasons, config.retention_list.n_changes
            )
            facts.append(str(csv))


if __name__ == "__main__":
    job.main(app)
