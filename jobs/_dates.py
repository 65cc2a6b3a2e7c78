"""The dates that a job is to be done for: one, or all from one to another."""

from __future__ import annotations

from datetime import date

import typer

from churn_spark.timeline import days_between


def choose_dates(
    one: date | None, first: date | None, last: date | None, *, is_required: bool, in_order: bool
) -> list[date]:
    """The dates, in the order in which they are done; none where none is named.

    Args:
        one: of `--date`.
        first: of `--from`.
        last: of `--to`; before `first`, the newest date is done first.
        is_required: the job has no date of its own to choose.
        in_order: each date of the job stands on those before.

    Raises:
        typer.BadParameter: if they contradict each other, or none is named and one must be.
    """
    if (first is None) != (last is None):
        raise typer.BadParameter(
            "--from and --to are only allowed together; for one date use --date"
        )
    if first is None or last is None:
        if one is None and is_required:
            raise typer.BadParameter("found no date, expected --date, or --from and --to")
        return [] if one is None else [one]
    if one is not None:
        raise typer.BadParameter("found --date beside --from and --to, expected one or the other")
    if first <= last:
        return [*days_between(first, last)]
    if in_order:
        raise typer.BadParameter(
            f"found --from {first} after --to {last}, expected the older date first: each date of "
            "this job stands on those before"
        )
    return [*reversed(days_between(last, first))]
