"""The users of a date, scored or listed, in their order: a few columns of each in memory.

A million of them take some 60 MB. What is told at length, the reasons and what would help, stays
in the table's files and is read for the users that are shown.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from churn_spark.arrays import Ints
from churn_spark.contracts.tables import TableSpec
from churn_spark.contracts.tables.ml import CONTROL, LEFT_ALONE
from churn_spark.scoring.bands import BANDS, Band
from churn_spark.serving.row_files import RowFile

_FILE_BITS: Final = 40
"""A place is a file's number and, in so many bits, the row in it."""

_CODED: Final = ("model_version", "risk_band")
_KNOWN: Final = (
    "user_id", "model_version", "churn_probability", "risk_band", "value_at_risk",
    "risk_rank", "list_rank", "days_on_list", "expected_saves",
)  # fmt: skip
_RANKS: Final = ("risk_rank", "list_rank")
_LISTED: Final = pa.schema(
    [
        *((name, pa.string()) for name in ("user_id", *_CODED)),
        *((name, pa.float64()) for name in ("churn_probability", "value_at_risk")),
        *((name, pa.int32()) for name in ("list_rank", "days_on_list")),
        ("expected_saves", pa.float64()),
    ]
)
"""What is in memory of those on a list."""
_ASSIGNMENT: Final = "assignment"


@dataclass(frozen=True, eq=False)
class Users:
    """Users of one date, the first rank first.

    Attributes:
        known: the columns in memory.
        places: of each user's row in the files, shape (n,).
        files: of the date.
        n_left_alone: users who would be among them by risk, and are better not called.
    """

    known: pa.Table
    places: Ints
    files: Sequence[RowFile]
    n_left_alone: int = 0

    def __len__(self) -> int:
        """How many there are."""
        return len(self.places)

    def read(self, positions: Sequence[int] | Ints, columns: Sequence[str]) -> pa.Table:
        """Columns of the users at some positions, in that order.

        Raises:
            RequestError: if the files have just been replaced, with status 503.
        """
        chosen = np.asarray(positions, dtype=np.int64)
        found = self.known.take(pa.array(chosen))
        missing = [name for name in columns if name not in found.column_names]
        if missing:
            told = self._read_files(self.places[chosen], missing)
            for name in missing:
                found = found.append_column(name, told[name])
        return found.select(list(columns))

    def find(self, user_id: str) -> int | None:
        """The position of a user; None if there is no such user."""
        ids, order = self.known["user_id"], self._by_id
        place = bisect_left(order, user_id, key=lambda at: str(ids[int(at)].as_py()))
        if place == len(order) or ids[int(order[place])].as_py() != user_id:
            return None
        return int(order[place])

    def choose(self, band: Band | None, min_probability: float) -> Sequence[int] | Ints:
        """The positions of the users of a band from a probability on."""
        if band is None and min_probability <= 0:
            return range(len(self))
        is_chosen = pc.greater_equal(self.known["churn_probability"], min_probability)
        if band:
            is_chosen = pc.and_(is_chosen, pc.equal(self.known["risk_band"], band))
        return np.flatnonzero(is_chosen.to_numpy())

    def of_model(self, version: str) -> Users:
        """Those that a model has scored."""
        is_its = pc.equal(self.known["model_version"], version).to_numpy()
        if is_its.all():
            return self
        return replace(self, known=self.known.filter(is_its), places=self.places[is_its])

    @cached_property
    def versions(self) -> list[str]:
        """Of the models that have scored them."""
        return [str(one) for one in pc.unique(self.known["model_version"]).to_pylist()]

    @cached_property
    def n_by_band(self) -> Mapping[Band, int]:
        """How many users each band has, highest first."""
        found = pc.value_counts(self.known["risk_band"].cast(pa.string())).to_pylist()
        counts = {str(one["values"]): one["counts"] for one in found}
        return {band: counts.get(band, 0) for band in BANDS}

    @cached_property
    def _by_id(self) -> Any:
        """The positions in the order of the ids."""
        return pc.sort_indices(self.known["user_id"]).cast(pa.uint32()).to_numpy()

    def _read_files(self, places: Ints, columns: Sequence[str]) -> pa.Table:
        """Columns of the rows at some places, in that order."""
        order = np.argsort(places, kind="stable")
        numbers, rows = places[order] >> _FILE_BITS, places[order] & ((1 << _FILE_BITS) - 1)
        parts = [
            self.files[number].take(rows[numbers == number], columns)
            for number in np.unique(numbers).tolist()
        ]
        if not parts:
            return pa.table({name: pa.nulls(0) for name in columns})
        back = np.empty(len(order), dtype=np.int64)
        back[order] = np.arange(len(order))
        return pa.concat_tables(parts).take(pa.array(back))


def nobody() -> Users:
    """Those on a list that was built and has no rows."""
    return Users(_LISTED.empty_table(), np.empty(0, dtype=np.int64), ())


def read_users(files: Sequence[RowFile], spec: TableSpec) -> Users:
    """The users of a date's files, the first rank first; of several models all.

    A list is without its control group: nobody who works from it shall know of them. Those left
    alone are only counted.
    """
    known = [name for name in _KNOWN if name in spec.column_names]
    (rank,) = (name for name in _RANKS if name in known)
    parts, places, n_left_alone = [], [], 0
    for number, file in enumerate(files):
        rows = file.read(known, _CODED)
        shown = np.arange(len(rows), dtype=np.int64)
        if _ASSIGNMENT in spec.column_names:
            assignment = file.read([_ASSIGNMENT])[_ASSIGNMENT].cast(pa.string())
            is_hidden = pc.is_in(assignment, pa.array([CONTROL, LEFT_ALONE]))
            shown = shown[~is_hidden.to_numpy()]
            n_left_alone += pc.sum(pc.equal(assignment, LEFT_ALONE)).as_py() or 0
        parts.append(rows.take(pa.array(shown)))
        places.append(shown + (number << _FILE_BITS))
    rows = pa.concat_tables(parts).unify_dictionaries()
    order = pc.sort_indices(rows, [(rank, "ascending"), ("user_id", "ascending")])
    placed = np.concatenate(places)[order.to_numpy()]
    return Users(rows.take(order), placed, files, n_left_alone)
