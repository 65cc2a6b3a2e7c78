"""Tables -> `reports/evaluation.html` and `reports/monitoring.html`, pages that need no other."""

from __future__ import annotations

from datetime import date as Date

import typer

from churn_spark import job
from churn_spark.errors import MissingTableError
from churn_spark.models.registry import ModelRegistry
from churn_spark.reports.evaluation import render_evaluation
from churn_spark.reports.night.page import render_night
from churn_spark.reports.night.store import newest_night, read_night
from churn_spark.reports.store import has_backtest, read_evaluation

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(env: job.EnvOption = "local", overrides: job.SetOption = None) -> None:
    """Write the page of the newest backtest and that of the newest night, where there is one."""
    with job.open_job("build_report", env, overrides) as context:
        write_both(context)


def write_both(context: job.JobContext) -> list[str]:
    """Write each page that there are tables for; returns their paths.

    Raises:
        MissingTableError: if there are none for either.
    """
    lakehouse, written = context.lakehouse, []
    night = newest_night(lakehouse)
    if has_backtest(lakehouse):
        written.append(run(context))
    if night is not None:
        written.append(write_monitoring(context, night))
    if not written:
        raise MissingTableError(
            f"found neither a backtest nor a night in {lakehouse.root}, expected one to report "
            "on: run `backtest` or `nightly`, then this again"
        )
    for name, is_missing, step in (
        ("evaluation", not has_backtest(lakehouse), "backtest"),
        ("monitoring", night is None, "nightly"),
    ):
        if is_missing:
            job.say("build_report", f"no {name} page: {step} has not run here")
    return written


def run(context: job.JobContext) -> str:
    """Write the evaluation of the newest backtest; returns its path.

    Raises:
        MissingTableError: before the first backtest.
        InputError: if the backtest's model card doesn't fit.
    """
    with job.closing_line("build_report") as facts:
        data = read_evaluation(context.lakehouse, context.config.costs)
        page = render_evaluation(data)
        path = context.lakehouse.write_report(page, "evaluation.html")
        facts.append(f"run {data.card.run_id}, {len(data.primary_rows):,} rows")
        facts.append(f"{len(page.encode()) / 1e6:.1f} MB")
        facts.append(path)
    return path


def write_monitoring(context: job.JobContext, date: Date) -> str:
    """Write the page of a night, as if it were the newest; returns its path.

    Raises:
        MissingTableError: if the night was neither checked, counted nor decided.
    """
    with job.closing_line("build_report") as facts:
        registry = ModelRegistry(context.config.registry, context.config.lakehouse)
        data = read_night(context.lakehouse, registry, context.config.policy, date)
        page = render_night(data)
        path = context.lakehouse.write_report(page, "monitoring.html")
        facts.append(f"night of {date}, {data.history['run_date'].nunique()} nights of drift")
        facts.append(f"{len(page.encode()) / 1e6:.1f} MB")
        facts.append(path)
    return path


if __name__ == "__main__":
    job.main(app)
