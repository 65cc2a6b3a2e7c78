"""Bronze `quarantine` -> the rejected lines as they are in their files, in a file of yours."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from churn_spark.pipeline.context import JobContext
from jobs._command import new_app, run_app
from jobs._job import job

app = new_app()


@job(app, "extract_rejected", writes=False)
def main(
    context: JobContext,
    out: Annotated[Path, typer.Option(help="File to write; it must not exist yet.")],
    reason: Annotated[
        str | None, typer.Option(help="Only lines that were rejected for this reason.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Write at most this many lines.")] = 1000,
) -> None:
    """Write the rejected input lines to a file, unmasked, to inspect or correct them."""
    from churn_spark.pipeline import extract_rejected

    max_bytes = context.config.ingest.max_line_bytes
    extract_rejected.run(context.lakehouse, out, reason, limit, max_bytes)


if __name__ == "__main__":
    run_app(app)
