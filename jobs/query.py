"""Questions to the lakehouse in SQL, or saved ones; the rows as table, CSV or JSON."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from churn_spark.config import load_config
from jobs._command import new_app, run_app
from jobs._options import EnvOption, SetOption

_ALL = ""
_SAVED = "--saved"

app = new_app()


class WithSaved(TyperCommand):
    """A command of which `--saved` also stands alone: without a name it lists all."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Give the lonely option an empty name."""
        for at in [n for n, one in enumerate(args) if one == _SAVED]:
            if args[at + 1 : at + 2] == [] or args[at + 1].startswith("-"):
                args = [*args[: at + 1], _ALL, *args[at + 1 :]]
        return super().parse_args(ctx, args)


@app.command(cls=WithSaved)
def main(
    sql: Annotated[
        str | None, typer.Argument(help="An SQL query (SELECT …); - reads it from standard input.")
    ] = None,
    saved: Annotated[
        str | None,
        typer.Option(
            _SAVED, metavar="[NAME]", help="Run a saved query; without a name, list them."
        ),
    ] = None,
    tables: Annotated[
        bool, typer.Option("--tables", help="List the tables that are there, with their columns.")
    ] = False,
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="table, csv or json; default: table on a terminal, else csv. CSV has values as "
            "they are stored: a spreadsheet may run a cell that begins with =; for one, write a "
            "list with build_retention_list --csv, or take it from GET /list?format=csv.",
        ),
    ] = None,
    rows: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Number of rows to show at most; default: 50 of a table, all of csv and json.",
        ),
    ] = None,
    env: EnvOption = "local",
    overrides: SetOption = None,
) -> None:
    """Query the tables with SQL; fast, since it starts no Spark. Read-only.

    A table is called as docs/data-flow.md names it: ml.scores, "ml/scores", or just scores. The
    dialect is DataFusion's, much like PostgreSQL's; instants are UTC.
    """
    from churn_spark.pipeline import query
    from churn_spark.pipeline.query_output import FORMATS, show_answer

    form = form or ("table" if sys.stdout.isatty() else "csv")
    if form not in FORMATS:
        raise typer.BadParameter(f"found --format {form!r}, expected one of {', '.join(FORMATS)}")
    if sum((sql is not None, saved is not None, tables)) != 1:
        raise typer.BadParameter("expected one of: an SQL statement, --saved, --tables")
    lakehouse = load_config(env, overrides or ()).lakehouse
    if tables:
        answer = query.list_tables(lakehouse)
    elif saved == _ALL:
        answer = query.list_saved_queries()
    elif saved is not None:
        answer = query.run_saved(lakehouse, saved)
    else:
        answer = query.run(lakehouse, sys.stdin.read() if sql == "-" else str(sql))
    show_answer(answer, form, rows)


if __name__ == "__main__":
    run_app(app)
