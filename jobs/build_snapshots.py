"""Silver `session_days` -> gold `snapshots` as of a date, and `labels` as they mature."""

from __future__ import annotations

from datetime import date as Date
from typing import Annotated

import typer

from churn_spark.pipeline.context import JobContext
from jobs._command import new_app, run_app
from jobs._job import job
from jobs._options import OptionalDateOption, parse_date

app = new_app()


RefreshFrom = Annotated[
    Date | None,
    typer.Option(
        "--refresh-from",
        parser=parse_date,
        metavar="YYYY-MM-DD",
        help="Rebuild snapshots from this date on that late events have changed, even if scored.",
    ),
]


@job(app, "build_snapshots")
def main(
    context: JobContext, date: OptionalDateOption = None, refresh_from: RefreshFrom = None
) -> None:
    """Compute all users' features as of the date, and the outcomes (labels) that are known now."""
    from churn_spark.pipeline import snapshots

    if date is None and refresh_from is None:
        raise typer.BadParameter(
            "found no date, expected --date, --from and --to, or else --refresh-from"
        )
    if date is not None:
        snapshots.run(context.lakehouse, [date], context.config.learning)
    if refresh_from is not None:
        snapshots.refresh(context.lakehouse, refresh_from, context.config.learning)


if __name__ == "__main__":
    run_app(app)
