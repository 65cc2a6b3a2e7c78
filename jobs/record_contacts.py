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
            "without it only what the service was sent is merged."
        ),
    ] = None,
) -> None:
    """Record contacts with users of lists; the same file twice, or a killed run, counts once."""
    from churn_spark.pipeline import record_contacts

    record_contacts.run(context.lakehouse, file)


if __name__ == "__main__":
    run_app(app)
