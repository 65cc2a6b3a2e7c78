"""A date's snapshot and scores -> `drift_cells`, `drift`, and `performance` as labels mature."""

from __future__ import annotations

from datetime import date as Date
from typing import Annotated

import typer

from churn_spark import job
from churn_spark.contracts.tables import DRIFT, PERFORMANCE
from churn_spark.models.bundle import ModelBundle
from churn_spark.monitoring.frames.drift import build_drift
from churn_spark.monitoring.frames.reference import Reference
from churn_spark.steps.counting import count_night, count_past_nights, read_cells
from churn_spark.steps.described import load_champion
from churn_spark.steps.evidence import read_drift
from churn_spark.steps.labelled import measure_performance, newest_window
from churn_spark.wording import name_some
from jobs import build_snapshots

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
_NAMED = 4
FailOnAlert = Annotated[
    bool, typer.Option("--fail-on-alert", help="Exit with 10 when an alert is open.")
]


@app.command()
def main(
    date: job.DateOption,
    env: job.EnvOption = "local",
    overrides: job.SetOption = None,
    fail_on_alert: FailOnAlert = False,
) -> None:
    """Compare the date with the training rows and with earlier nights, and judge new labels."""
    with job.open_job("monitor_model", env, overrides) as context:
        moved = run(context, date)
    if moved and fail_on_alert:
        raise typer.Exit(job.ALERT_EXIT_CODE)


def run(context: job.JobContext, date: Date) -> list[str]:
    """Replace the date's rows; returns the features that have moved, trending ones left out.

    Raises:
        NoChampionError: before the first training.
    """
    config, lakehouse = context.config, context.lakehouse
    with job.closing_line("monitor_model") as facts:
        bundle = load_champion(context, date)
        reference = Reference.of(bundle, config.monitoring.importance_rows)
        count_night(context, date, bundle, reference)
        n_recounted = count_past_nights(context, date, bundle, reference)
        cells = read_cells(context, date, bundle.version)
        least = config.monitoring.min_slice_rows
        drift = build_drift(cells, reference, date, least, config.policy)
        lakehouse.replace(drift, DRIFT, {"run_date": [date]})
        window = measure(context, date, bundle)
        breached = [row for row in read_drift(context, date) if row.is_breached]
        moved = sorted(row.feature for row in breached if not row.is_trending)
        facts.append(f"{len(reference.samples)} features against model version {bundle.version}")
        facts.append(f"moved: {name_some(moved, _NAMED) or 'none'}")
        facts.append(f"{len(breached) - len(moved)} more move with time, as they must")
        if n_recounted:
            facts.append(f"{n_recounted} nights before counted for this version")
        if window:
            facts.append(f"judged on the labels as of {window}")
    return moved


def measure(context: job.JobContext, date: Date, bundle: ModelBundle) -> Date | None:
    """Replace what is known of the champion's performance; returns the as-of date judged anew."""
    if bundle.label["kind"] == "lifetime":
        return None
    window = newest_window(context, date, bundle)
    if window is not None:
        build_snapshots.run_missing(context, [window])
    rows = measure_performance(context, date, bundle, window)
    context.lakehouse.replace(rows, PERFORMANCE, {"run_date": [date]})
    return window


if __name__ == "__main__":
    job.main(app)
