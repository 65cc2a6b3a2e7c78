"""Whether a script's features are ours, on the features that both have."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow.fs as pafs
from deltalake import DeltaTable

from bench.peers.shared import CATEGORIES, KEY, NUMBERS
from churn_spark.contracts.tables import SNAPSHOTS

_ROUNDING: Final = 1e-12
"""Relative: sums are of whole numbers, so only a last division differs."""


def find_differences(lakehouse: Path, features: Path) -> list[str]:
    """What differs between our snapshots and a script's features, in words; empty: nothing."""
    folder = str(lakehouse.resolve() / SNAPSHOTS.path)
    # As in `bench/built_lakehouse.py`: Delta's own file system outlives the interpreter.
    local = pafs.SubTreeFileSystem(folder, pafs.LocalFileSystem())
    ours = DeltaTable(folder).to_pyarrow_table(filesystem=local).to_pandas()
    theirs = pd.read_parquet(features)
    return list(differences_of(ordered(ours), ordered(theirs)))


def ordered(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows by date and user, the dates of one type."""
    dated = rows.assign(as_of=pd.to_datetime(rows["as_of"]).astype("datetime64[ns]"))
    return dated.sort_values(KEY).reset_index(drop=True)


def differences_of(ours: pd.DataFrame, theirs: pd.DataFrame) -> Iterator[str]:
    """What differs between two tables of features, in words."""
    if not ours[KEY].equals(theirs[KEY]):
        yield f"{len(ours)} rows here, {len(theirs)} there, or of other users"
        return
    for name in NUMBERS:
        here, there = (rows[name].to_numpy(dtype=float, na_value=np.nan) for rows in (ours, theirs))
        same = np.isclose(here, there, rtol=_ROUNDING, atol=0, equal_nan=True)
        if not same.all():
            row = int(np.argmin(same))
            yield f"{name}: {np.sum(~same)} rows, {here[row]!r} and {there[row]!r}"
    for name in CATEGORIES:
        here, there = (rows[name].fillna("").to_numpy() for rows in (ours, theirs))
        if (here != there).any():
            row = int(np.argmax(here != there))
            yield f"{name}: {np.sum(here != there)} rows, {here[row]!r} and {there[row]!r}"
