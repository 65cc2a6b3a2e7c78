"""The table that leak checks read, and the findings that they return."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal

import numpy as np
import pandas as pd

from churn_spark.arrays import Bools, Floats
from churn_spark.errors import LeakTableError
from churn_spark.timeline import SECONDS_PER_DAY, Horizon

Claim = Literal["users", "future", "both"]

TRAIN: Final = "train"
TEST: Final = "test"
KEY: Final = ["as_of", "user_id"]
_TOLERANCE: Final = 1e-9
"""Sums of floats are made in another order each time."""
_REQUIRED: Final = (*KEY, "label", "split")
_SPANS: Final = ("registered_ts", "first_ts", "last_ts", "next_ts", "final_ts", "cancel_ts")


@dataclass(frozen=True)
class Finding:
    """One thing that a forecast made on the as-of date could not have known.

    Attributes:
        check: name of the check.
        feature: column, or what of the table it is about.
        value: what was measured.
        limit: the largest value that would have passed.
        sentence: what is wrong, for people.
    """

    check: str
    feature: str
    value: float
    limit: float
    sentence: str


@dataclass(frozen=True)
class Rebuilds:
    """The same features built twice: from the log, and from one whose future was changed.

    Attributes:
        before: `as_of`, `user_id` and features, from the log as it is.
        after: the same, where every event at or after each row's as-of date was changed.
    """

    before: pd.DataFrame
    after: pd.DataFrame


@dataclass(frozen=True)
class OtherRows:
    """A table that features are made of, held against the log.

    Attributes:
        table: its name.
        job: that makes it.
        n_strange: rows of it that the log doesn't give.
        n_missing: rows that the log gives, and it lacks.
    """

    table: str
    job: str
    n_strange: int
    n_missing: int


@dataclass(frozen=True)
class FeatureTable:
    """Training and test rows, with what the checks need to know beside them.

    Attributes:
        rows: `as_of` (date), `user_id`, `label` (1, 0, or null where unknown), `split` (train or
            test) and the features; strings are categories, everything else is a number.
        features: names of the features.
        horizon: window and gap of the label.
        log_end: all that happened before this date is known.
        churn: what the label is said to be, as `labels.churn`.
        claim: what should be new in the test rows: the users, the dates (`future`), or both.
        trending: features that grow with time for everybody.
        forecasts: features that are forecasts of the label themselves, so strong with reason.
        rebuilds: to check what depends on the future; None skips that check.
        spans: for each as_of and user_id the instants `registered_ts`, `first_ts` and `last_ts`
            (events before the date), `next_ts` (first event from the date on), `final_ts` (last
            event of the whole log) and `cancel_ts`, in UTC without a zone, null where there is
            none; None skips the checks on users' own dates.
        sources: the tables that the features are made of, each held against the log.

    Raises:
        LeakTableError: if columns are missing or there are no rows.
    """

    rows: pd.DataFrame
    features: tuple[str, ...]
    horizon: Horizon
    log_end: date
    churn: str = "cancel"
    claim: Claim = "both"
    trending: frozenset[str] = frozenset()
    forecasts: frozenset[str] = frozenset()
    rebuilds: Rebuilds | None = None
    spans: pd.DataFrame | None = None
    sources: Sequence[OtherRows] = ()

    def __post_init__(self) -> None:
        """Refuse a table that lacks what the checks read."""
        frames = {"rows": (self.rows, (*_REQUIRED, *self.features))}
        if self.rebuilds is not None:
            for name in ("before", "after"):
                frames[name] = (getattr(self.rebuilds, name), (*KEY, *self.features))
        if self.spans is not None:
            frames["spans"] = (self.spans, (*KEY, *_SPANS))
        for name, (frame, columns) in frames.items():
            if missing := [column for column in columns if column not in frame.columns]:
                raise LeakTableError(
                    f"found no {', '.join(missing)} in {name}, expected every key, feature and "
                    "instant that the leak checks read: add the columns"
                )
        if self.rows.empty or self.rows["label"].isna().all():
            raise LeakTableError(
                "found no labelled row, expected some: choose as-of dates whose label window "
                "ends before the log does"
            )

    @property
    def numeric(self) -> list[str]:
        """Features that are numbers, in order."""
        return [name for name in self.features if _is_number(self.rows[name])]

    @property
    def labelled(self) -> pd.DataFrame:
        """The rows whose label is known."""
        return self.rows[self.rows["label"].notna()]

    def dated(self) -> Iterator[tuple[date, pd.DataFrame]]:
        """The as-of dates in order, each with its rows."""
        for as_of in sorted(self.rows["as_of"].unique()):
            yield as_of, self.rows[self.rows["as_of"] == as_of]


def matrix_of(rows: pd.DataFrame, names: list[str]) -> Floats:
    """Numbers of some columns, shape (rows, names); categories by their code, missing is NaN."""
    columns = [
        (
            rows[name].to_numpy(dtype=float, na_value=np.nan)
            if _is_number(rows[name])
            else _codes(rows[name])
        )
        for name in names
    ]
    return np.column_stack(columns) if columns else np.zeros((len(rows), 0))


def are_equal(first: pd.Series, second: pd.Series) -> Bools:
    """Where two columns of the same rows say the same; sums of floats but for their last digits."""
    if _is_number(first) and _is_number(second):
        values, others = (one.to_numpy(dtype=float, na_value=np.nan) for one in (first, second))
        return np.isclose(values, others, rtol=_TOLERANCE, atol=_TOLERANCE, equal_nan=True)
    is_same = (first == second) | (first.isna() & second.isna())
    return np.asarray(is_same.to_numpy(dtype=bool, na_value=False))


def labels_of(rows: pd.DataFrame) -> Bools:
    """Whether each labelled row cancels."""
    is_positive: Bools = rows["label"].to_numpy(dtype=float) == 1
    return is_positive


def days_between(late: pd.Series[Any], early: pd.Series[Any] | pd.Timestamp) -> Floats:
    """Days from the earlier instants to the later ones; NaN where one is missing."""
    seconds = (late - early).dt.total_seconds()
    return seconds.to_numpy(dtype=float) / SECONDS_PER_DAY


def _is_number(column: pd.Series[Any]) -> bool:
    return bool(pd.api.types.is_numeric_dtype(column))


def _codes(column: pd.Series[Any]) -> Floats:
    codes = column.astype("category").cat.codes.to_numpy(dtype=float)
    return np.where(codes < 0, np.nan, codes)
