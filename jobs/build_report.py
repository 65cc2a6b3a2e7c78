"""The tables of the newest backtest -> `reports/evaluation.html`, a page that needs no other."""

from __future__ import annotations

import typer

from churn_spark import job
from churn_spark.reports.evaluation import render_evaluation
from churn_spark.reports.store import read_evaluation

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(env: job.EnvOption = "local", overrides: job.SetOption = None) -> None:
    """Write the evaluation report of the newest backtest; a rerun writes the same page."""
    with job.open_job("build_report", env, overrides) as context:
        run(context)


def run(context: job.JobContext) -> str:
    """Write the report; returns its path.

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


if __name__ == "__main__":
    job.main(app)
