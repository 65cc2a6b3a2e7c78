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
    nights: Annotated[int, typer.Option(help="Dates to run, the last is the log's end.")] = 2,
) -> None:
    """Simulate a mini log and run the last nights of it."""
    from churn_spark.pipeline import demo

    open_registry = context.open_registry_later()
    config = context.config
    demo.run(context.lakehouse, open_registry, config.night, config.evaluation, nights)


if __name__ == "__main__":
    run_app(app)
