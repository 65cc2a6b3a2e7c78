"""What a look at a log has found, on the screen; and the proposed mapping as a file."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from churn_spark.errors import InputError
from churn_spark.pipeline.check_mapping import (
    MappingCheck,
    describe_fate,
    describe_fields,
    describe_problems,
    shown_rows,
)
from churn_spark.pipeline.console import say
from churn_spark.pipeline.named_files import require_new_file
from churn_spark.wording import count_of

_KINDS = {
    "lines": "lines of JSON",
    "array": "an array of JSON",
    "csv": "cells",
    "parquet": "Parquet",
}


def show_check(check: MappingCheck) -> None:
    """Print columns, mapping, the fate of the rows, ten of them, and what won't work."""
    console = Console()
    files = f"{len(check.paths):,} of {count_of(check.n_files, 'file')}"
    say("check_mapping", f"{files}, {_KINDS[check.kind]}; the first is {check.paths[0]}")
    if check.proposed is not None:
        columns = Table("column", "found", title="Columns")
        for name, facts in check.columns.items():
            columns.add_row(*_as_it_is(name, facts.describe()))
        console.print(columns)
        console.print("[bold]Proposed mapping[/bold]; look through it, then name it by --mapping\n")
        console.print(check.proposed, markup=False, highlight=False)
    if check.mapping is None:
        say("not whole", "time and user must be named: write in which columns they are")
        return
    fields = Table("field", "column", "found", title="Fields")
    for field in describe_fields(check):
        fields.add_row(*_as_it_is(*field))
    console.print(fields)
    say("rows", describe_fate(check))
    rows = shown_rows(check)
    events = Table(*(rows[0] if rows else ()), title="The first events as they would be kept")
    for row in rows:
        events.add_row(*_as_it_is(*("" if one is None else str(one) for one in row.values())))
    if rows:
        console.print(events)
    for problem in describe_problems(check):
        say("note", problem)


def _as_it_is(*cells: str) -> list[Text]:
    """Cells that come from a log: brackets in them are no markup."""
    return [Text(cell) for cell in cells]


def write_proposal(check: MappingCheck, out: Path) -> None:
    """Write the proposed mapping into a new file.

    Raises:
        InputError: if none was proposed, or the file is there or can't be written.
    """
    if check.proposed is None:
        raise InputError("found --out beside --mapping, expected one of them: that one is written")
    require_new_file(out)
    out.write_text(check.proposed, encoding="utf-8")
    say("mapping", f"written to {out}")
