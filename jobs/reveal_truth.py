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
from jobs._options import DateOption

app = new_app()


@app.command()
def main(
    date: DateOption,
    out: Annotated[Path, typer.Option(help="Folder of a simulated world.")],
    horizon_days: Annotated[int, typer.Option(help="Days in which a cancel counts.")] = 14,
    gap_days: Annotated[int, typer.Option(help="Days before they begin.")] = 1,
) -> None:
    """Write each simulated user's true chance to cancel, and the best AUC and AP there is."""
    simulate.reveal_truth(out, date, Horizon(horizon_days, gap_days))


if __name__ == "__main__":
    run_app(app)
