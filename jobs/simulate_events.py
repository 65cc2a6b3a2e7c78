"""Simulate the event log of a music service, with the truth about who cancels.

Writes `OUT/events/YYYY-MM-DD/*.json` and `OUT/truth/users.parquet`. Starts no JVM.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from churn_spark import job
from churn_spark.simulate.settings import SimulationSettings
from churn_spark.simulate.world import simulate_log

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
DEFAULTS = SimulationSettings()


@app.command()
def main(
    out: Annotated[Path, typer.Option(help="Folder for events/ and truth/.")],
    users: Annotated[int, typer.Option(help="Number of users.")] = DEFAULTS.users,
    start: Annotated[
        date, typer.Option(parser=job.parse_date, metavar="YYYY-MM-DD", help="First day, UTC.")
    ] = DEFAULTS.start,
    days: Annotated[int, typer.Option(help="Number of days.")] = DEFAULTS.days,
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = DEFAULTS.seed,
    regime: Annotated[
        str, typer.Option(help="How cancelling comes about: memoryless.")
    ] = DEFAULTS.regime,
) -> None:
    """Simulate an event log: JSON lines by day, and the ground truth as Parquet."""
    with job.closing_line("simulate_events") as facts:
        settings = SimulationSettings(users, start, days, seed, regime)
        facts.append(simulate_log(settings, out).describe())


if __name__ == "__main__":
    job.main(app)
