"""The scores of a date -> `retention_lists`: who to call that morning, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from churn_spark.pipeline.context import open_job
from jobs._command import new_app, run_app
from jobs._options import DateOption, EnvOption, SetOption

app = new_app()


@app.command()
def main(
    date: DateOption,
    csv: Annotated[Path | None, typer.Option(help="Also write the list to this file.")] = None,
    env: EnvOption = "local",
    overrides: SetOption = None,
) -> None:
    """List those with the most value at risk as of the date; a rerun replaces its list."""
    with open_job("build_retention_list", env, overrides, date) as context:
        from churn_spark.pipeline import retention_list

        config = context.config
        retention_list.run(
            context.lakehouse, context.registry, date, config.retention_list, config.scoring, csv
        )


if __name__ == "__main__":
    run_app(app)
