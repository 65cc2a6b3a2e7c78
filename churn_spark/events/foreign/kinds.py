"""What kind of file it is, by its name and the mapping."""

from __future__ import annotations

from typing import Final, Literal

from churn_spark.config.mapping import LogMapping
from churn_spark.lakehouse.byte_ranges import is_compressed

Kind = Literal["lines", "array", "csv", "parquet"]

CELLS: Final = (".csv", ".tsv", ".txt")
"""Of files of cells, packed or not."""
_PARQUET: Final = ".parquet"
ENDINGS: Final = (".csv", ".tsv", ".csv.gz", ".tsv.gz", _PARQUET)
"""Of files in a folder that are read by a mapping, beside those of JSON."""


def kind_of(path: str, mapping: LogMapping | None) -> Kind:
    """How the file is read; without a mapping, each as lines of JSON."""
    if mapping is None:
        return "lines"
    named = kind_of_name(path)
    return mapping.json_files if named == "lines" else named


def kind_of_name(path: str) -> Kind:
    """What kind of file it is by its name; one of JSON may be an array, too."""
    if path.endswith(_PARQUET):
        return "parquet"
    return "csv" if path.removesuffix(".gz").endswith(CELLS) else "lines"


def is_read_whole(path: str, mapping: LogMapping | None) -> bool:
    """Whether one task reads the whole file: nobody can begin in its middle."""
    return is_compressed(path) or kind_of(path, mapping) in ("array", "parquet")
