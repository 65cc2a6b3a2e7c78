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
    Path | None, typer.Option(help="Folder of the simulated world that the log is of, if it is.")
]

app = new_app()


@job(app, "backtest")
def main(
    context: JobContext,
    date: OptionalDateOption = None,
    truth: Truth = None,
) -> None:
    """Test on the newest dates that have labels; without a date, on those of the whole log."""
    from churn_spark.pipeline import backtest

    backtest.run(context.lakehouse, context.registry, context.config.evaluation, date, truth)


if __name__ == "__main__":
    run_app(app)
