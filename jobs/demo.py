"""The whole flow on a simulated log: what `make demo` runs."""

from __future__ import annotations

from datetime import date as Date
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from churn_spark import job
from churn_spark.contracts.tables import RETENTION_LISTS, TABLES
from churn_spark.simulate.settings import SimulationSettings
from churn_spark.simulate.world import has_log, simulate_log
from churn_spark.timeline import days_after
from jobs import backtest, build_report, nightly

# Enough for the retraining policy to judge a night (policy.min_rows).
N_USERS = 300

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    nights: Annotated[int, typer.Option(help="Dates to run, the last is the log's end.")] = 2,
    env: job.EnvOption = "local",
    overrides: job.SetOption = None,
) -> None:
    """Simulate a mini log and run the last nights of it."""
    with job.open_job("demo", env, overrides) as context:
        folder = job.claim_demo_lakehouse(context.config.lakehouse)
        settings = SimulationSettings(users=N_USERS)
        with job.closing_line("simulate_events") as facts:
            # A log that is there stays, for its files have been read.
            if has_log(folder):
                facts.append(f"the log in {folder} is there already")
            else:
                facts.append(simulate_log(settings, folder).describe())
        end = days_after(settings.start, settings.days)
        for night in range(nights - 1, -1, -1):
            date = days_after(end, -night)
            job.say("", "")
            job.say("nightly", f"--date {date}")
            nightly.run(context, date, str(folder / "events"))
        job.say("", "")
        backtest.run(context, end, truth=folder)
        reports = build_report.write_both(context)
        show_list(context, end)
        show_places(context, folder, reports)


def show_list(context: job.JobContext, date: Date, n_users: int = 5) -> None:
    """Print the head of the list that a retention team would read."""
    listed = job.read_as_of(context.lakehouse, RETENTION_LISTS, date)
    table = Table("rank", "user", "probability", "days", "reasons", title=f"The list of {date}")
    for row in listed.orderBy("list_rank").limit(n_users).collect():
        table.add_row(
            str(row.list_rank),
            row.user_id,
            f"{row.churn_probability:.1%}",
            str(row.days_on_list),
            "\n".join(row.reasons),
        )
    Console().print(table)


def show_places(context: job.JobContext, folder: Path, reports: list[str]) -> None:
    """Print where everything is, and how to serve it."""
    written = [spec for spec in TABLES if context.lakehouse.exists(spec)]
    names = ", ".join(f"{spec.layer}/{spec.name}" for spec in written)
    root = context.config.lakehouse
    job.say("log", str(folder / "events"))
    job.say("tables", f"{root}: {names}")
    job.say("reports", ", ".join(reports))
    job.say("runs and models", f"mlflow ui --backend-store-uri sqlite:///{root}/mlflow/mlflow.db")
    job.say("service", f"CHURN_API_KEY=<a long random text> make serve LAKEHOUSE={root}")


if __name__ == "__main__":
    job.main(app)
