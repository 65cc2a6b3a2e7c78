"""What determines a simulated world: one option for each field of `SimulationSettings`."""

from __future__ import annotations

from dataclasses import fields
from datetime import date
from typing import Annotated

import typer

from churn_spark.errors import InputError
from churn_spark.simulate.settings import DRIFTS, REGIMES, STYLES, SimulationSettings
from jobs._options import parse_date

DAY = {"parser": parse_date, "metavar": "YYYY-MM-DD"}
_WITH_FROM = ("out", "continue_from", "days", "env", "overrides")

Users = Annotated[int, typer.Option(help="Number of users at the start.")]
Start = Annotated[date, typer.Option(help="First day, UTC.", **DAY)]
Days = Annotated[int, typer.Option(help="Number of days.")]
Seed = Annotated[int, typer.Option(help="Same seed, same bytes.")]
Regime = Annotated[str, typer.Option(help=f"How cancelling comes about: {', '.join(REGIMES)}.")]
Growth = Annotated[float, typer.Option(help="Users who join in a year, as a share.")]
PersonaMix = Annotated[
    tuple[float, float, float, float],
    typer.Option(help="Weights of Accordion, Tuba, Zither, Xylophone: four numbers."),
]
Drift = Annotated[str, typer.Option(help=f"What changes on a date: {', '.join(DRIFTS)}.")]
DriftDate = Annotated[date, typer.Option(help="When.", **DAY)]
DriftFactor = Annotated[float, typer.Option(help="What its chances are multiplied by.")]
Style = Annotated[str, typer.Option(help=f"Which export the lines look like: {', '.join(STYLES)}.")]
FilesADay = Annotated[int, typer.Option(help="Files a day.")]
Gzip = Annotated[bool, typer.Option("--gzip", help="Compress the files.")]
DirtyShare = Annotated[
    float, typer.Option(help="Share of lines broken, doubled or late, a third each.")
]


def settings_of(ctx: typer.Context) -> SimulationSettings:
    """The settings that the options give."""
    names = [field.name for field in fields(SimulationSettings)]
    return SimulationSettings(**{name: ctx.params[name] for name in names})


def refuse_other_options(ctx: typer.Context) -> None:
    """Refuse to change a world that goes on.

    Raises:
        InputError: if an option that determines the world was given.
    """
    spelled = {parameter.name: parameter.opts[0] for parameter in ctx.command.params}
    given = [
        spelled[name]
        for name in ctx.params
        if name not in _WITH_FROM and "COMMANDLINE" in str(ctx.get_parameter_source(name))
    ]
    if given:
        raise InputError(
            f"found --from with {', '.join(given)}, expected --days and --out alone: a world "
            "goes on as it began, so leave the others out"
        )
