"""The snapshot and scores of a date against the champion's training rows -> `drift`."""

from __future__ import annotations

from datetime import date as Date
from typing import Annotated

import typer

from churn_spark import job
from churn_spark.models.registry import ModelRegistry
from churn_spark.monitoring.cells import count_cells_by_feature
from churn_spark.monitoring.drift import build_baselines, build_drift, compare_all
from churn_spark.schemas import DRIFT, SCORES
from jobs import score_users

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
_NAMED = 4
FailOnAlert = Annotated[
    bool, typer.Option("--fail-on-alert", help="Exit with 10 when something has drifted.")
]


@app.command()
def main(
    date: job.DateOption,
    env: job.EnvOption = "local",
    overrides: job.SetOption = None,
    fail_on_alert: FailOnAlert = False,
) -> None:
    """Test every numeric feature and the score for drift; a rerun replaces the date's rows."""
    with job.open_job("monitor_model", env, overrides) as context:
        alerts = run(context, date)
    if alerts and fail_on_alert:
        raise typer.Exit(job.ALERT_EXIT_CODE)


def run(context: job.JobContext, date: Date) -> list[str]:
    """Replace the drift rows of the date; returns the features that raise an alert.

    Raises:
        NoChampionError: before the first training.
    """
    config, lakehouse = context.config, context.lakehouse
    with job.closing_line("monitor_model") as facts:
        bundle = ModelRegistry(config.registry, config.lakehouse).load_champion()
        users = score_users.read_users(context, date, bundle)
        scores = job.read_as_of(lakehouse, SCORES, date).drop("as_of")
        baselines = build_baselines(bundle.baseline, bundle.encoding)
        cells = count_cells_by_feature(users.join(scores, "user_id", "inner"), baselines)
        comparisons = compare_all(baselines, cells.toPandas())
        drift = build_drift(context.spark, comparisons, date, bundle.version, config.monitoring)
        lakehouse.replace(drift, DRIFT, {"run_date": [date]})
        breached = drift.filter("is_breached").select("feature", "is_trending").collect()
        alerts = sorted(row.feature for row in breached if not row.is_trending)
        trending = len(breached) - len(alerts)
        facts.append(f"{len(comparisons)} features against model version {bundle.version}")
        more = f" and {len(alerts) - _NAMED} more" if len(alerts) > _NAMED else ""
        facts.append(f"drifted: {', '.join(alerts[:_NAMED]) or 'none'}{more}")
        facts.append(f"{trending} cumulative ones moved as expected")
    return alerts


if __name__ == "__main__":
    job.main(app)
