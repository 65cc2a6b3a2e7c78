"""Tell the true probability of every simulated user to cancel, as of a date.

Writes `OUT/truth/probabilities/as_of=D/horizon_days=H/gap_days=G/` (Parquet) for a world that
`simulate_events` has written, and says what the best forecast reaches there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from churn_spark.pipeline import simulate
from churn_spark.timeline import Horizon
from jobs._command import new_app, run_app
from jobs._dates import choose_dates
from jobs._options import FromOption, OptionalDateOption, ToOption

app = new_app()


@app.command()
def main(
    out: Annotated[Path, typer.Option(help="Output folder of simulate_events.")],
    date: OptionalDateOption = None,
    first: FromOption = None,
    last: ToOption = None,
    horizon_days: Annotated[
        int, typer.Option(help="Length of the prediction window in days.")
    ] = 14,
    gap_days: Annotated[
        int, typer.Option(help="Days between the date and the prediction window.")
    ] = 1,
) -> None:
    """Write each simulated user's true cancellation probability, and the best possible metrics."""
    dates = choose_dates(date, first, last, is_required=True, in_order=False)
    for day in filter(None, dates):
        simulate.reveal_truth(out, day, Horizon(horizon_days, gap_days))


if __name__ == "__main__":
    run_app(app)
