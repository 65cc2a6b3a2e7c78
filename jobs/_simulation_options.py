"""What determines a simulated world: one option for each field of `SimulationSettings`."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from churn_spark.simulate.settings import DRIFTS, REGIMES, STYLES
from jobs._options import parse_date

DAY = {"parser": parse_date, "metavar": "YYYY-MM-DD"}

Out = Annotated[Path, typer.Option(help="Folder for events/ and truth/.")]
From = Annotated[
    date | None, typer.Option("--from", help="Continue the world in OUT on this day.", **DAY)
]
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
