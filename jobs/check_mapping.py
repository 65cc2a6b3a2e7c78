"""What the columns of a log are: found, read by a mapping, or proposed. Needs no Spark."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from churn_spark.config import load_config
from jobs._command import new_app, run_app
from jobs._options import EnvOption, EventsOption, MappingOption, SetOption, with_mapping

app = new_app()


@app.command()
def main(
    events: EventsOption = None,
    mapping: MappingOption = None,
    rows: Annotated[
        int, typer.Option(min=1, help="About how many rows to look at, of all files together.")
    ] = 1000,
    out: Annotated[
        Path | None, typer.Option(help="Write the proposed column mapping to this new file.")
    ] = None,
    env: EnvOption = "local",
    overrides: SetOption = None,
) -> None:
    """Inspect a log before loading it, field by field; propose a column mapping if none."""
    config = load_config(env, with_mapping(overrides, mapping))
    from churn_spark.pipeline.check_mapping import run
    from churn_spark.pipeline.mapping_page import show_check, write_proposal

    check = run(config.ingest, events or config.ingest.events, rows, config.labels.churn)
    show_check(check)
    if out is not None:
        write_proposal(check, out)


if __name__ == "__main__":
    run_app(app)
