"""Two Arrow tables as bags of rows: how many rows differ, and in which columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

TOLERANCE: Final = 1e-12


@dataclass(frozen=True)
class Difference:
    """What two tables of one name don't share.

    Attributes:
        n_before: rows before.
        n_after: rows after.
        n_differing: rows that would have to be changed, added or removed.
        columns: those whose values differ; empty where the numbers of rows do, or where only the
            pairing of values within the rows does.
        retyped: columns of another type than before.
        only_before: columns that are missing afterwards.
        only_after: new columns; they are no difference.
    """

    n_before: int
    n_after: int
    n_differing: int
    columns: tuple[str, ...] = ()
    retyped: tuple[str, ...] = ()
    only_before: tuple[str, ...] = ()
    only_after: tuple[str, ...] = ()

    @property
    def is_same(self) -> bool:
        """Whether all that was there before is there again."""
        return not (self.n_differing or self.retyped or self.only_before)

    @property
    def problems(self) -> list[str]:
        """The columns that differ, each with how."""
        retyped = [f"{name} (type)" for name in self.retyped]
        return [*self.columns, *retyped, *(f"{name} (missing)" for name in self.only_before)]


def compare_tables(before: pa.Table, after: pa.Table) -> Difference:
    """Compare the rows of two tables whatever their order, by the columns that both have.

    Probabilities and parts of log-odds are equal within 1e-12, other floating numbers within 1e-12
    of themselves, those within lists and structs to six digits, all else exactly. Null and NaN are
    two things.
    """
    shared = [name for name in before.column_names if name in after.column_names]
    types = {name: (before.field(name).type, after.field(name).type) for name in shared}
    retyped = tuple(name for name, (old, new) in types.items() if old != new)
    floats = [name for name in shared if all(map(pa.types.is_floating, types[name]))]
    exact = [name for name in shared if name not in floats]
    pairs = _pair_rows(_sortable(before, exact, floats), _sortable(after, exact, floats))
    is_both = (pairs["_merge"] == "both").to_numpy()
    rows = [pairs.loc[is_both, f"_row_{side}"].to_numpy(np.int64) for side in ("before", "after")]
    unequal = {
        name: ~_is_close(name, before[name].take(rows[0]), after[name].take(rows[1]))
        for name in floats
    }
    n_single = pairs["_merge"].value_counts()
    n_unequal = int(np.any([*unequal.values(), np.zeros(is_both.sum(), bool)], axis=0).sum())
    columns = [name for name in shared if name in unequal and unequal[name].any()]
    if before.num_rows == after.num_rows:
        columns += [name for name in exact if not _has_same_values(before[name], after[name])]
    return Difference(
        n_before=before.num_rows,
        n_after=after.num_rows,
        n_differing=max(n_single["left_only"], n_single["right_only"]) + n_unequal,
        columns=tuple(columns),
        retyped=retyped,
        only_before=tuple(name for name in before.column_names if name not in shared),
        only_after=tuple(name for name in after.column_names if name not in shared),
    )


def _sortable(table: pa.Table, exact: list[str], floats: list[str]) -> pd.DataFrame:
    """A hash of the columns that must be equal, and the numbers that may be nearly so."""
    hashes = [_hash_values(table[name]) for name in exact]
    frame = pd.DataFrame({f"hash {name}": h for name, h in zip(exact, hashes, strict=True)})
    key = pd.util.hash_pandas_object(frame, index=False) if exact else 0
    numbers = {name: table[name].to_numpy() for name in floats}
    return pd.DataFrame({**numbers, "_key": key, "_row": np.arange(table.num_rows)})


def _pair_rows(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Each row before with one after that has the same hash, the smallest numbers first."""
    places = []
    for frame in (before, after):
        numbers = [name for name in frame.columns if name not in ("_key", "_row")]
        ordered = frame.sort_values(["_key", *numbers])
        ordered["_place"] = ordered.groupby("_key").cumcount()
        places.append(ordered[["_key", "_place", "_row"]])
    return places[0].merge(
        places[1],
        on=["_key", "_place"],
        how="outer",
        suffixes=("_before", "_after"),
        indicator=True,
    )


def _is_close(name: str, before: pa.ChunkedArray, after: pa.ChunkedArray) -> NDArray[np.bool_]:
    # Parts of a log-odds are small differences of large numbers, and may be near zero.
    is_bounded = "probability" in name or name.startswith("part_")
    close = np.isclose(
        before.to_numpy(),
        after.to_numpy(),
        rtol=0.0 if is_bounded else TOLERANCE,
        atol=TOLERANCE if is_bounded else 0.0,
        equal_nan=True,
    )
    same_nulls = before.is_null().to_numpy() == after.is_null().to_numpy()
    return np.asarray(close & same_nulls, dtype=np.bool_)


def _has_same_values(before: pa.ChunkedArray, after: pa.ChunkedArray) -> bool:
    return np.array_equal(np.sort(_hash_values(before)), np.sort(_hash_values(after)))


def _hash_values(values: pa.ChunkedArray) -> NDArray[np.uint64]:
    if pa.types.is_nested(values.type):
        words = pd.Series([repr(_rounded(one)) for one in values.to_pylist()], dtype=object)
    else:
        words = pc.cast(values, pa.string()).to_pandas()
    return np.asarray(pd.util.hash_pandas_object(words, index=False), dtype=np.uint64)


def _rounded(value: Any) -> Any:
    """A list or struct with six digits of each floating number in it."""
    match value:
        case float():
            return f"{value:.6g}"
        case list():
            return [_rounded(one) for one in value]
        case dict():
            return {name: _rounded(one) for name, one in value.items()}
    return value
