"""The first rows of a file, to look at before anything is loaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from churn_spark.config.mapping import CsvFiles, LogMapping
from churn_spark.events.foreign.array_lines import lines_of_arrays
from churn_spark.events.foreign.csv_rows import CsvRows, guess_separator
from churn_spark.events.foreign.kinds import Kind, kind_of, kind_of_name
from churn_spark.events.foreign.moments import reads_as_time
from churn_spark.events.foreign.numbers import number_of_text
from churn_spark.events.foreign.parquet_rows import lines_of_rows
from churn_spark.events.line import parse_line
from churn_spark.lakehouse.byte_ranges import BYTE_ORDER_MARK, read_chunks


@dataclass(frozen=True)
class Sample:
    """The first rows of a file.

    Attributes:
        kind: of the file.
        data: the rows as lines, as the kernel takes them.
        cells: how lines of cells are read.
        csv_files: the same as a mapping says it.
    """

    kind: Kind
    data: bytes
    cells: CsvRows | None = None
    csv_files: CsvFiles | None = None

    def records(self) -> Iterator[Mapping[str, Any]]:
        """The rows that can be read."""
        for line in self.data.split(b"\n"):
            try:
                found = self.cells.read(line) if self.cells else parse_line(line)
            except ValueError:
                continue
            if isinstance(found, dict):
                yield found


def read_sample(path: Path, mapping: LogMapping | None, n_rows: int) -> Sample:
    """The first rows of a file, as a mapping says or as its first bytes suggest.

    Raises:
        DamagedFileError: if it can't be read.
        OSError: if it can't be opened.
    """
    kind = kind_of(str(path), mapping) if mapping else _guess_kind(path)
    if kind == "parquet":
        return Sample(kind, _first_lines(lines_of_rows(path, mapping), n_rows))
    with path.open("rb") as source:
        chunks = read_chunks(source, str(path))
        if kind == "array":
            return Sample(kind, _first_lines(lines_of_arrays(chunks), n_rows))
        data = _first_lines(chunks, n_rows + 1).removeprefix(BYTE_ORDER_MARK)
    if kind == "lines":
        return Sample(kind, data)
    begin, _, rest = data.partition(b"\n")
    csv_files = mapping.csv_files if mapping else _guess_cells(begin)
    cells = CsvRows.of(csv_files, begin)
    rows = _first_lines(iter([data]), n_rows) if csv_files.columns else rest
    return Sample(kind, rows, cells, csv_files)


def _first_lines(blocks: Iterator[bytes], n_lines: int) -> bytes:
    found: list[bytes] = []
    rest = b""
    for block in blocks:
        lines = (rest + block).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        rest = lines.pop()
        found += filter(bytes.strip, lines)
        if len(found) >= n_lines:
            return b"\n".join(islice(found, n_lines))
    return b"\n".join([*found, rest] if rest.strip() else found)


def _guess_kind(path: Path) -> Kind:
    named = kind_of_name(str(path))
    if named != "lines":
        return named
    with path.open("rb") as source:
        begin = next(read_chunks(source, str(path)), b"").removeprefix(BYTE_ORDER_MARK)
    return "array" if begin.lstrip().startswith(b"[") else "lines"


def _guess_cells(first_line: bytes) -> CsvFiles:
    text = first_line.decode("utf-8", "replace")
    separator = guess_separator(text)
    if separator not in text and len(text.split()) > 1:
        separator = "whitespace"
    names = CsvRows.of(CsvFiles(separator=separator), first_line).columns
    if any(_is_value(name) for name in names):
        names = [f"column_{number}" for number in range(1, len(names) + 1)]
        return CsvFiles(separator=separator, columns=tuple(names))
    return CsvFiles(separator=separator)


def _is_value(cell: str) -> bool:
    """Whether a cell is a value rather than a name."""
    return isinstance(number_of_text(cell), int | float) or reads_as_time(cell)
