"""Simulate the event log of a music service, with the truth about who cancels.

Reads: nothing. Writes: `OUT/events/YYYY-MM-DD/*.json` and `OUT/truth/users.parquet`.
"""

from __future__ import annotations

import time
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from churn_spark.errors import InputError
from churn_spark.simulate.settings import SimulationSettings
from churn_spark.simulate.world import simulate_log

app = typer.Typer(add_completion=False)
DEFAULTS = SimulationSettings()


def parse_start(text: str) -> date:
    """Read the first day.

    Raises:
        InputError: if it isn't a date written YYYY-MM-DD.
    """
    try:
        return date.fromisoformat(text)
    except ValueError as exc:
        raise InputError(
            f"found --start {text}, expected a date like 2018-10-01: correct it"
        ) from exc


@app.command()
def simulate_events(
    out: Annotated[Path, typer.Option(help="Folder for events/ and truth/.")],
    users: Annotated[int, typer.Option(help="Number of users.")] = DEFAULTS.users,
    start: Annotated[
        str, typer.Option(metavar="YYYY-MM-DD", help="First day, UTC.")
    ] = DEFAULTS.start.isoformat(),
    days: Annotated[int, typer.Option(help="Number of days.")] = DEFAULTS.days,
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = DEFAULTS.seed,
    regime: Annotated[
        str, typer.Option(help="How cancelling comes about: memoryless.")
    ] = DEFAULTS.regime,
) -> None:
    """Simulate an event log: JSON lines by day, and the ground truth as Parquet."""
    began = time.monotonic()
    facts = simulate_log(SimulationSettings(users, parse_start(start), days, seed, regime), out)
    typer.echo(
        f"simulate_events: {facts.users:,} users ({facts.users_seen:,} seen), "
        f"{facts.events:,} events, {facts.cancels:,} cancels, {facts.days} days in "
        f"{facts.folder}, {time.monotonic() - began:.1f} s"
    )


if __name__ == "__main__":
    from churn_spark import job

    job.main(app)
