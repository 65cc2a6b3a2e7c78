"""Two lakehouses that two versions of the code have built from one log: are they the same?

    python -m bench.same_lakehouse BEFORE AFTER

Every Delta table is compared by content, whatever the order of its rows, and so is the champion's
version. What BEFORE has must be the same in AFTER; what only AFTER has is listed. Needs no Spark;
tables are read whole, the largest of a demo (400,000 events) in some seconds.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import pyarrow as pa
import typer
from rich.console import Console
from rich.table import Table

from bench.built_lakehouse import LEFT_OUT, BuiltLakehouse
from bench.table_differences import compare_tables

console = Console(width=130)


def main(
    before: Annotated[Path, typer.Argument(help="Lakehouse that the older code has built.")],
    after: Annotated[Path, typer.Argument(help="Lakehouse that the newer code has built.")],
) -> None:
    """Print what differs between two lakehouses; exit code 1 if anything does."""
    old, new = BuiltLakehouse(before), BuiltLakehouse(after)
    for lakehouse in (old, new):
        if not lakehouse.tables:
            raise typer.BadParameter(f"found no Delta table in {lakehouse.folder}, expected some")
    differing = say_tables(old, new)
    for column, reason in LEFT_OUT.items():
        console.print(f"{column} is left out: {reason}")
    console.print("source_file is compared below the folder that all source files share")
    if added := sorted({*new.tables} - {*old.tables}):
        console.print(f"new tables, no difference: {', '.join(added)}")
    champions = old.champion_version(), new.champion_version()
    if champions[0] != champions[1]:
        differing.append(f"the champion (version {champions[0]}, then {champions[1]})")
    if differing:
        console.print(f"[bold red]DIFFERENT[/]: {', '.join(differing)}")
    else:
        console.print(f"[bold green]SAME[/]: {len(old.tables)} tables, champion {champions[0]}")
    sys.exit(1 if differing else 0)


def say_tables(old: BuiltLakehouse, new: BuiltLakehouse) -> list[str]:
    """Print a row for each table of the older lakehouse; gives those that differ."""
    shown = Table("table", "rows before", "after", "differing", "in columns", "left out", "new")
    differing = []
    for name in old.tables:
        before, after = old.read(name), new.read(name)
        found = compare_tables(_without_chance(before), _without_chance(after))
        left_out = [column for column in LEFT_OUT if column in before.column_names]
        counts = [f"{n:,}" for n in (found.n_before, found.n_after, found.n_differing)]
        shown.add_row(name, *counts, *map(", ".join, (found.problems, left_out, found.only_after)))
        if not found.is_same:
            differing.append(name)
    console.print(shown)
    return differing


def _without_chance(rows: pa.Table) -> pa.Table:
    return rows.drop_columns([column for column in LEFT_OUT if column in rows.column_names])


if __name__ == "__main__":
    typer.run(main)
