"""The rows of a question as people or programs take them: a table, CSV or JSON."""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from itertools import islice
from typing import IO, Any, Final

import pyarrow as pa
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from churn_spark.pipeline.query import Answer
from churn_spark.wording import count_of

FORMATS: Final = ("table", "csv", "json")
_SHOWN: Final = 50
_WIDTH: Final = 120
"""Of what is no terminal."""
_MIN_COLUMN: Final = 8
"""Characters: where columns would get fewer, each row is shown as lines."""
Row = Mapping[str, Any]


def show_answer(
    answer: Answer, form: str, max_rows: int | None, out: IO[str] | None = None
) -> None:
    """Print the rows.

    Args:
        answer: with the rows.
        form: table, csv or json.
        max_rows: so many are shown; where it isn't said 50 of a table, all of csv and json.
        out: where to; standard output by default.
    """
    out = out or sys.stdout
    if form == "table":
        _show_table(answer, max_rows or _SHOWN, out)
    elif form == "csv":
        _write_csv(answer, islice(_rows(answer), max_rows), out)
    else:
        _write_json(islice(_rows(answer), max_rows), out)
    out.flush()


def _rows(answer: Answer) -> Iterator[Row]:
    """The rows, whose instants are UTC and of microseconds, as Python has them."""
    for batch in answer.batches:
        yield from pa.Table.from_batches([batch]).cast(_in_micros(answer.schema)).to_pylist()


def _in_micros(schema: pa.Schema) -> pa.Schema:
    fields = []
    for field in schema:
        is_instant = pa.types.is_timestamp(field.type)
        fields.append(field.with_type(pa.timestamp("us", "UTC")) if is_instant else field)
    return pa.schema(fields)


def _write_csv(answer: Answer, rows: Iterable[Row], out: IO[str]) -> None:
    names = answer.schema.names
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_flat(row[name]) for name in names] for row in rows)


def _write_json(rows: Iterable[Row], out: IO[str]) -> None:
    """An array with one object a line."""
    before = "[\n"
    for row in rows:
        out.write(before + json.dumps(_plain(row), ensure_ascii=False, allow_nan=False))
        before = ",\n"
    out.write("\n]\n" if before.startswith(",") else "[]\n")


def _show_table(answer: Answer, max_rows: int, out: IO[str]) -> None:
    console = Console(file=out, highlight=False)
    if not console.is_terminal:
        console = Console(file=out, highlight=False, width=_WIDTH)
    rows = _rows(answer)
    shown = [*islice(rows, max_rows)]
    names = answer.schema.names
    if len(names) * _MIN_COLUMN > console.width:
        _print_records(names, shown, console)
    else:
        console.print(_table_of(answer.schema, shown))
    more = next(rows, None) is not None
    told = f"{count_of(len(shown), 'row')}"
    if more:
        told = f"the first {told}; --rows shows more, --format csv or json has all"
    console.print(told, soft_wrap=True)


def _table_of(schema: pa.Schema, rows: Iterable[Row]) -> Table:
    shown = Table(box=box.SIMPLE_HEAD)
    for field in schema:
        is_number = pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
        shown.add_column(Text(field.name), justify="right" if is_number else "left")
    for row in rows:
        shown.add_row(*(Text(_for_people(row[name])) for name in schema.names))
    return shown


def _print_records(names: list[str], rows: Iterable[Row], console: Console) -> None:
    width = max(map(len, names))
    for number, row in enumerate(rows, 1):
        console.print(Text(f"row {number}", "bold"))
        for name in names:
            console.print(Text(f"  {name:<{width}}  {_for_people(row[name])}"), soft_wrap=True)


def _for_people(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.1f}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, list):
        return "\n".join(_flat(one) for one in value)
    return _flat(value)


def _flat(value: Any) -> str:
    """A value as one text; nothing for a null, JSON for lists and structures."""
    plain = _plain(value)
    if plain is None:
        return ""
    return json.dumps(plain, ensure_ascii=False) if isinstance(plain, list | dict) else str(plain)


def _plain(value: Any) -> Any:
    """A value as JSON has it: what is no number is null there."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return str(value)
    return value if value is None or isinstance(value, bool | int | str) else str(value)
