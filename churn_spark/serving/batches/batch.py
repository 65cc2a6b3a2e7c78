"""The rows of a request, and how much of a request is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import pandas as pd

from churn_spark.config import ServingConfig
from churn_spark.errors import RequestError

ARROW: Final = "application/vnd.apache.arrow.stream"
PARQUET: Final = "application/vnd.apache.parquet"
_SHOWN_PER_ROW: Final = 20
_SHOWN: Final = 1000
Problem = Mapping[str, object]
_UNTOLD: Final[Problem] = {
    "field": "",
    "problem": f"more than fit in here: {_SHOWN_PER_ROW} of a row and {_SHOWN:,} in all are told",
    "found": "",
}


@dataclass(frozen=True)
class BatchLimits:
    """How much of a body is read.

    Attributes:
        n_rows: that a batch may have.
        row_bytes: that a row of JSON may have.
        unfolded_bytes: that the values of a batch may have when they are decompressed.
    """

    n_rows: int
    row_bytes: int = 65536
    unfolded_bytes: int = 32 * 2**20

    @classmethod
    def of(cls, config: ServingConfig) -> BatchLimits:
        """The configured ones."""
        return cls(config.max_rows, config.max_row_bytes, config.max_unfolded_bytes)

    def check_rows(self, n_rows: int) -> None:
        """Refuse too many rows.

        Raises:
            RequestError: with status 413.
        """
        if n_rows > self.n_rows:
            raise RequestError(
                f"found more than {self.n_rows:,} rows, expected that many at most: send several "
                "batches",
                413,
            )

    def check_bytes(self, n_bytes: int) -> None:
        """Refuse what unfolds into too much.

        Raises:
            RequestError: with status 413.
        """
        if n_bytes > self.unfolded_bytes:
            raise RequestError(
                f"the body unfolds into more than {self.unfolded_bytes:,} bytes, expected that "
                "many at most: send several batches",
                413,
            )


@dataclass(frozen=True)
class Batch:
    """The rows of a request.

    Attributes:
        rows: the features' columns, and user_id where it was given; an unfit row is all missing.
        problems: of the unfit rows, by their position.
    """

    rows: pd.DataFrame
    problems: Mapping[int, Sequence[Problem]]


@dataclass
class RowProblems:
    """Collects what is wrong with rows; so many problems are told, beyond it is said that more are.

    Attributes:
        by_row: position of an unfit row -> its problems.
    """

    by_row: dict[int, list[Problem]] = field(default_factory=dict)
    _n_told: int = 0

    def add(self, position: int, problem: Problem) -> None:
        """One more problem of a row."""
        of_row = self.by_row.setdefault(position, [])
        if len(of_row) < _SHOWN_PER_ROW and self._n_told < _SHOWN:
            of_row.append(problem)
            self._n_told += 1
        elif not of_row or of_row[-1] is not _UNTOLD:
            of_row.append(_UNTOLD)
