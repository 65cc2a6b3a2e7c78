"""The options that several jobs share."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from churn_spark import timeline


def with_mapping(overrides: list[str] | None, mapping: Path | None) -> list[str]:
    """The overrides, that of the mapping's file among them."""
    named = [] if mapping is None else [f"ingest.mapping={json.dumps(str(mapping))}"]
    return [*(overrides or ()), *named]


_FIRST, _LAST = date(1970, 1, 1), date(2199, 12, 31)
"""Windows before and after a date are dates as well, which the calendar and its types must have."""


def parse_date(text: str | date) -> date:
    """The date of `YYYY-MM-DD`; Typer turns the error into a usage message, and passes defaults.

    Raises:
        typer.BadParameter: if the text is no such date.
    """
    if isinstance(text, date):
        return text
    try:
        day = timeline.parse_date(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    if not _FIRST <= day <= _LAST:
        raise typer.BadParameter(f"found '{day}', expected a date from {_FIRST} to {_LAST}")
    return day


_DATE = typer.Option(
    "--date",
    parser=parse_date,
    metavar="YYYY-MM-DD",
    help="As-of date, UTC: only events before 00:00 of this date are used.",
)

DateOption = Annotated[date, _DATE]
OptionalDateOption = Annotated[date | None, _DATE]
FromOption = Annotated[
    date | None,
    typer.Option(
        "--from",
        parser=parse_date,
        metavar="YYYY-MM-DD",
        help="First date of a range, with --to and instead of --date; done in order.",
    ),
]
ToOption = Annotated[
    date | None,
    typer.Option("--to", parser=parse_date, metavar="YYYY-MM-DD", help="Last date of the range."),
]
EnvOption = Annotated[
    str, typer.Option("--env", help="Profile over conf/base.yaml: local, cluster.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Override one configuration value."),
]
WaitOption = Annotated[
    float,
    typer.Option(
        "--wait",
        min=0,
        metavar="MINUTES",
        help="Minutes to wait for another job that is writing; 0: stop at once.",
    ),
]
PlanOption = Annotated[
    bool,
    typer.Option(
        "--plan", help="Dry run: show what would be done, why, and the expected run time."
    ),
]
EventsOption = Annotated[
    str | None,
    typer.Option("--events", help="Event log: folder, file or glob; default: ingest.events."),
]
MappingOption = Annotated[
    Path | None,
    typer.Option(
        "--mapping",
        help="Column mapping (YAML file); default: ingest.mapping.",
    ),
]
FailOnAlertOption = Annotated[
    bool,
    typer.Option(
        "--fail-on-alert",
        help="Exit with 10 when an alert of alerts.min_severity or above is open.",
    ),
]
FailOnDriftOption = Annotated[
    bool,
    typer.Option("--fail-on-alert", help="Exit with 10 when drift makes this a bad night."),
]
