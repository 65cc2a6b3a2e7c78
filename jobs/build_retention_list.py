"""The scores of a date -> `retention_lists`: who to call that morning, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from churn_spark.pipeline.context import JobContext
from jobs._command import new_app, run_app
from jobs._job import job
from jobs._options import DateOption

app = new_app()


@job(app, "build_retention_list", in_order=True)
def main(
    context: JobContext,
    date: DateOption,
    csv: Annotated[
        Path | None,
        typer.Option(
            help="Also write the list to this CSV file; of several dates that of the last."
        ),
    ] = None,
) -> None:
    """Build the call list: users with most value at risk as of the date. A rerun replaces it."""
    from churn_spark.pipeline import retention_list

    config = context.config
    retention_list.run(
        context.lakehouse,
        context.registry,
        date,
        config.retention_list,
        config.scoring,
        config.uplift,
        csv,
    )


if __name__ == "__main__":
    run_app(app)
