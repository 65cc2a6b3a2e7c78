"""The whole flow on a simulated log: what `make demo` runs."""

from __future__ import annotations

from typing import Annotated

import typer

from churn_spark.pipeline.context import JobContext
from jobs._command import new_app, run_app
from jobs._job import job

app = new_app()


@job(app, "demo")
def main(
    context: JobContext,
    nights: Annotated[
        int, typer.Option(min=1, help="Number of dates to run; the last one is the end of the log.")
    ] = 2,
    is_opened: Annotated[
        bool, typer.Option("--open", help="Show the pages in a browser at the end.")
    ] = False,
) -> None:
    """Simulate a 16-week event log, run the pipeline for its last dates, and show the results."""
    from churn_spark.pipeline import demo

    open_registry = context.open_registry_later()
    config = context.config
    demo.run(
        context.lakehouse,
        open_registry,
        config.night,
        config.evaluation,
        nights,
        is_opened=is_opened,
    )


if __name__ == "__main__":
    run_app(app)
