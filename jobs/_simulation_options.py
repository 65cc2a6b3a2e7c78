"""What determines a simulated world: one option for each field of `SimulationSettings`."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from churn_spark.simulate.settings import DRIFTS, REGIMES, STYLES
from jobs._options import parse_date

DAY = {"parser": parse_date, "metavar": "YYYY-MM-DD"}

Out = Annotated[Path, typer.Option(help="Output folder; gets events/ and truth/.")]
From = Annotated[
    date | None, typer.Option("--from", help="Continue the simulation in OUT on this day.", **DAY)
]
Contacts = Annotated[
    Path | None,
    typer.Option(
        help="With --from: CSV of contacts, as for record_contacts, that take effect on these days."
    ),
]
Users = Annotated[int, typer.Option(help="Number of users at the start.")]
Start = Annotated[date, typer.Option(help="First day, UTC.", **DAY)]
Days = Annotated[int, typer.Option(help="Number of days.")]
Seed = Annotated[int, typer.Option(help="Same seed, same bytes.")]
Regime = Annotated[
    str,
    typer.Option(help=f"How users come to cancel: {', '.join(REGIMES)} (after losing interest)."),
]
Growth = Annotated[
    float, typer.Option(help="New users per year, as a share of those at the start.")
]
Quad = tuple[float, float, float, float]
PersonaMix = Annotated[
    Quad,
    typer.Option(
        help="Weights of the four simulated kinds of users (Accordion, Tuba, Zither, Xylophone)."
    ),
]
Drift = Annotated[str, typer.Option(help=f"What drifts from --drift-date on: {', '.join(DRIFTS)}.")]
DriftDate = Annotated[date, typer.Option(help="First day of the drift.", **DAY)]
DriftFactor = Annotated[float, typer.Option(help="Factor on the probabilities that drift.")]
Style = Annotated[
    str,
    typer.Option(
        help=f"JSON layout: {' (absent keys left out) or '.join(STYLES)} (all keys, nulls)."
    ),
]
FilesADay = Annotated[int, typer.Option(help="Number of files per day.")]
Gzip = Annotated[bool, typer.Option("--gzip", help="Compress the files.")]
DirtyShare = Annotated[
    float, typer.Option(help="Share of faulty lines: broken, duplicated or late, a third each.")
]
Offers = Annotated[
    list[str],
    typer.Option(
        "--offer",
        metavar="NAME=SAVES,WAKES,DAYS",
        help="An offer: by which share it lowers the cancellation probability of persuadable "
        "users; with which probability it makes a sleeping dog (who cancels because contacted) "
        "cancel; for how many days. Repeatable.",
    ),
]
SavedShare = Annotated[
    Quad, typer.Option(help="Share of each of the four kinds whom an offer can persuade to stay.")
]
LostShare = Annotated[Quad, typer.Option(help="Share of each kind who cancel whatever is done.")]
DogShare = Annotated[Quad, typer.Option(help="Share of each kind whom a contact makes cancel.")]
