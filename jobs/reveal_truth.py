"""Tell the true probability of every simulated user to cancel, as of a date.

Writes `OUT/truth/probabilities/as_of=D/horizon_days=H/gap_days=G/` (Parquet) for a world that
`simulate_events` has written, and says what the best forecast reaches there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from churn_spark import job
from churn_spark.simulate.probabilities import describe, write_probabilities

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    date: job.DateOption,
    out: Annotated[Path, typer.Option(help="Folder of a simulated world.")],
    horizon_days: Annotated[int, typer.Option(help="Days in which a cancel counts.")] = 14,
    gap_days: Annotated[int, typer.Option(help="Days before they begin.")] = 1,
) -> None:
    """Write each simulated user's true chance to cancel, and the best AUC and AP there is."""
    with job.closing_line(f"reveal_truth {date}") as facts:
        rows = write_probabilities(out, date, horizon_days, gap_days)
        facts.append(describe(rows))


if __name__ == "__main__":
    job.main(app)
