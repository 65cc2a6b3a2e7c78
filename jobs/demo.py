"""The whole flow on a simulated log: what `make demo` runs."""

from __future__ import annotations

from typing import Annotated

import typer

from churn_spark.pipeline.context import open_job
from jobs._command import new_app, run_app
from jobs._options import EnvOption, SetOption

app = new_app()


@app.command()
def main(
    nights: Annotated[int, typer.Option(help="Dates to run, the last is the log's end.")] = 2,
    env: EnvOption = "local",
    overrides: SetOption = None,
) -> None:
    """Simulate a mini log and run the last nights of it."""
    with open_job("demo", env, overrides) as context:
        from churn_spark.pipeline import demo

        config = context.config
        demo.run(
            context.lakehouse,
            context.open_registry_later(),
            config.night,
            config.evaluation,
            nights,
        )


if __name__ == "__main__":
    run_app(app)
