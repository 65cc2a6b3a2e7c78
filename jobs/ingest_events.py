"""JSON event logs -> bronze `events`, `quarantine` and `files`, each file exactly once."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from churn_spark.pipeline.context import JobContext
from jobs._command import new_app, run_app
from jobs._job import job
from jobs._options import EventsOption

app = new_app()
ReloadOption = Annotated[
    Literal["changed", "all"] | None,
    typer.Option(
        "--reload",
        help="Reload files and replace the events read from them before: those changed since "
        "(changed), or all of --events (all).",
    ),
]


@job(app, "ingest_events")
def main(
    context: JobContext,
    events: EventsOption = None,
    reload: ReloadOption = None,
) -> None:
    """Load new files of the log, and what was appended to files already read."""
    from churn_spark.pipeline import ingest

    config = context.config
    loaded = ingest.run(context.lakehouse, config.ingest, events, reload, config.privacy)
    loaded.require_all_read()


if __name__ == "__main__":
    run_app(app)
