"""The log up to a date -> a model tested on dates and users it has not seen, beside simple ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from churn_spark.pipeline.context import JobContext
from jobs._command import new_app, run_app
from jobs._job import job
from jobs._options import OptionalDateOption

Truth = Annotated[
    Path | None, typer.Option(help="Output folder of simulate_events, if the log is simulated.")
]

app = new_app()


@job(app, "backtest")
def main(
    context: JobContext,
    date: OptionalDateOption = None,
    truth: Truth = None,
) -> None:
    """Test the model on the newest dates with known outcomes; default: those of the whole log."""
    from churn_spark.pipeline import backtest

    backtest.run(context.lakehouse, context.registry, context.config.evaluation, date, truth)


if __name__ == "__main__":
    run_app(app)
