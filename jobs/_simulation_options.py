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
Contacts = Annotated[
    Path | None,
    typer.Option(
        help="With --from: CSV of contacts, as record_contacts takes it, that act on these days."
    ),
]
Users = Annotated[int, typer.Option(help="Number of users at the start.")]
Start = Annotated[date, typer.Option(help="First day, UTC.", **DAY)]
Days = Annotated[int, typer.Option(help="Number of days.")]
Seed = Annotated[int, typer.Option(help="Same seed, same bytes.")]
Regime = Annotated[str, typer.Option(help=f"How cancelling comes about: {', '.join(REGIMES)}.")]
Growth = Annotated[float, typer.Option(help="Users who join in a year, as a share.")]
Quad = tuple[float, float, float, float]
PersonaMix = Annotated[
    Quad,
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
Offers = Annotated[
    list[str],
    typer.Option(
        "--offer",
        metavar="NAME=SAVES,WAKES,DAYS",
        help="An offer: the share that it takes off the chance to cancel of those who can be "
        "saved, the chance that it makes a sleeping dog cancel, and for how long. Repeatable.",
    ),
]
SavedShare = Annotated[
    Quad, typer.Option(help="Share of Accordion, Tuba, Zither, Xylophone whom an offer can save.")
]
LostShare = Annotated[Quad, typer.Option(help="Share of each who are lost anyway.")]
DogShare = Annotated[Quad, typer.Option(help="Share of each whom a contact makes cancel.")]
