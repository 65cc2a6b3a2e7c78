"""Who of the lists was contacted, and how -> `contacts`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from churn_spark.pipeline.context import JobContext
from jobs._command import new_app, run_app
from jobs._job import job

app = new_app()


@job(app, "record_contacts")
def main(
    context: JobContext,
    file: Annotated[
        Path | None,
        typer.Option(
            help="CSV of user_id, list_date, time, channel, outcome and, if known, offer and cost; "
            "without a file only contacts sent to the service are recorded."
        ),
    ] = None,
) -> None:
    """Record which listed users were contacted; repeating it with the same file is safe."""
    from churn_spark.pipeline import record_contacts

    record_contacts.run(context.lakehouse, file)


if __name__ == "__main__":
    run_app(app)
