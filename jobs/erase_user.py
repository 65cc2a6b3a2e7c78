"""Users out of all that the lakehouse has of them: tables and their history, files, pages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from churn_spark.pipeline.context import JobContext
from jobs._command import new_app, run_app
from jobs._job import job

app = new_app()


@job(app, "erase_user")
def main(
    context: JobContext,
    user: Annotated[
        list[str] | None,
        typer.Option("--user", help="User id, as in the logs; repeatable."),
    ] = None,
    file: Annotated[
        str | None, typer.Option(help="File with one user id per line; - is standard input.")
    ] = None,
    sources: Annotated[
        Path | None,
        typer.Option(
            help="Write the paths of the input files that are left for you to clean to this file."
        ),
    ] = None,
) -> None:
    """Permanently erase users from the lakehouse; after an interruption, run it again.

    Log files below the lakehouse are rewritten without these users; those elsewhere are left as
    they are, and --sources lists them.
    """
    from churn_spark.pipeline import erase_user

    config = context.config
    erase_user.run(
        context.lakehouse,
        lambda: context.registry,
        config.ingest,
        config.privacy,
        erase_user.gather_ids(user or (), file),
        sources,
    )


if __name__ == "__main__":
    run_app(app)
