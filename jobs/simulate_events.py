"""Simulate the event log of a music service, with the truth about who cancels.

Writes `OUT/events/YYYY-MM-DD/*.json`, `OUT/truth/` (Parquet) and, so that later days can follow,
`OUT/world/`. Worlds of up to 8,192 users are simulated in this process, without a JVM; larger
ones by Spark, where OUT is a folder that all machines see.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from churn_spark import job
from churn_spark.errors import InputError
from churn_spark.simulate.population import count_blocks
from churn_spark.simulate.settings import DRIFTS, REGIMES, STYLES, Period, SimulationSettings
from churn_spark.simulate.world import continue_log, read_settings, simulate_log
from churn_spark.steps.simulating import open_runner

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
DEFAULTS = SimulationSettings()
WITH_FROM = ("out", "continue_from", "days", "env", "overrides")
DAY = {"parser": job.parse_date, "metavar": "YYYY-MM-DD"}


def refuse_other_options(ctx: typer.Context) -> None:
    """Refuse to change a world that goes on.

    Raises:
        InputError: if an option that determines the world was given.
    """
    given = [
        f"--{name.replace('_', '-')}"
        for name in ctx.params
        if name not in WITH_FROM and "COMMANDLINE" in str(ctx.get_parameter_source(name))
    ]
    if given:
        raise InputError(
            f"found --from with {', '.join(given)}, expected --days and --out alone: a world "
            "goes on as it began, so leave the others out"
        )


@app.command()
def main(
    ctx: typer.Context,
    out: Annotated[Path, typer.Option(help="Folder for events/ and truth/.")],
    users: Annotated[int, typer.Option(help="Number of users at the start.")] = DEFAULTS.users,
    start: Annotated[date, typer.Option(help="First day, UTC.", **DAY)] = DEFAULTS.start,
    days: Annotated[int, typer.Option(help="Number of days.")] = DEFAULTS.days,
    continue_from: Annotated[
        date | None, typer.Option("--from", help="Continue the world in OUT on this day.", **DAY)
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = DEFAULTS.seed,
    regime: Annotated[
        str, typer.Option(help=f"How cancelling comes about: {', '.join(REGIMES)}.")
    ] = DEFAULTS.regime,
    growth: Annotated[
        float, typer.Option(help="Users who join in a year, as a share.")
    ] = DEFAULTS.growth,
    persona_mix: Annotated[
        tuple[float, float, float, float],
        typer.Option(help="Weights of Accordion, Tuba, Zither, Xylophone: four numbers."),
    ] = DEFAULTS.persona_mix,
    drift: Annotated[
        str, typer.Option(help=f"What changes on a date: {', '.join(DRIFTS)}.")
    ] = DEFAULTS.drift,
    drift_date: Annotated[date, typer.Option(help="When.", **DAY)] = DEFAULTS.drift_date,
    drift_factor: Annotated[
        float, typer.Option(help="What its chances are multiplied by.")
    ] = DEFAULTS.drift_factor,
    style: Annotated[
        str, typer.Option(help=f"Which export the lines look like: {', '.join(STYLES)}.")
    ] = DEFAULTS.style,
    files_a_day: Annotated[int, typer.Option(help="Files a day.")] = DEFAULTS.files_a_day,
    gzip: Annotated[bool, typer.Option("--gzip", help="Compress the files.")] = False,
    dirty_share: Annotated[
        float, typer.Option(help="Share of lines broken, doubled or late, a third each.")
    ] = DEFAULTS.dirty_share,
    env: job.EnvOption = "local",
    overrides: job.SetOption = None,
) -> None:
    """Simulate an event log: JSON lines by day, and the ground truth as Parquet."""
    with job.closing_line("simulate_events") as facts:
        if continue_from is None:
            settings = SimulationSettings(
                users=users,
                start=start,
                days=days,
                seed=seed,
                regime=regime,
                growth=growth,
                persona_mix=persona_mix,
                drift=drift,
                drift_date=drift_date,
                drift_factor=drift_factor,
                style=style,
                files_a_day=files_a_day,
                is_compressed=gzip,
                dirty_share=dirty_share,
            )
            simulate = partial(simulate_log, settings, out)
        else:
            refuse_other_options(ctx)
            settings = replace(read_settings(out), days=days)
            simulate = partial(continue_log, out, Period(continue_from, days))
        with open_runner(count_blocks(settings), env, overrides) as run:
            facts.append(simulate(run).describe())


if __name__ == "__main__":
    job.main(app)
