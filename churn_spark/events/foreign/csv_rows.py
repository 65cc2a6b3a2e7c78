"""Lines of cells -> records: each line is one row, whatever part of a file it is read with."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from churn_spark.config.mapping import CsvFiles
from churn_spark.events.foreign.numbers import whole_of_cell
from churn_spark.events.rules import BYTE_ORDER_MARK

_WHITE: Final = "whitespace"
_SEPARATORS: Final = (",", ";", "\t", "|")


@dataclass(frozen=True)
class CsvRows:
    """How the lines of a file are read.

    Attributes:
        separator: between cells; `whitespace` for any number of blanks.
        columns: names of the cells.
    """

    separator: str
    columns: Sequence[str]

    @classmethod
    def of(cls, config: CsvFiles, first_line: bytes) -> CsvRows:
        """Those of a file, by its first line where that names the columns."""
        if config.columns:
            return cls(config.separator, config.columns)
        text = first_line.decode("utf-8", "replace").removeprefix(BYTE_ORDER_MARK)
        try:
            names = cut_cells(text, config.separator)
            return cls(config.separator, [name.strip() for name in names])
        except csv.Error:
            return cls(config.separator, ())

    def read(self, line: bytes) -> dict[str, str | None]:
        """The record of a row; an empty cell is null, and `7.0` is `7`.

        Raises:
            UnicodeDecodeError: if it is no UTF-8.
            ValueError: if it has another number of cells, or a quote that doesn't end on its line.
        """
        try:
            cells = cut_cells(line.decode(), self.separator)
            values = (whole_of_cell(cell) or None for cell in cells)
            return dict(zip(self.columns, values, strict=True))
        except csv.Error as error:
            raise ValueError(str(error)) from error


def guess_separator(first_line: str) -> str:
    """What is between the cells of a file, by its first line; a comma where nothing tells it."""
    return max(_SEPARATORS, key=first_line.count)


def cut_cells(text: str, separator: str) -> list[str]:
    """The cells of a row that is one line.

    Raises:
        csv.Error: if a quote in it doesn't end on the line.
    """
    if separator == _WHITE:
        return text.split()
    if '"' not in text:
        return text.split(separator)
    return next(csv.reader([text], delimiter=separator, strict=True))
