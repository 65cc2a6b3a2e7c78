"""What is shown of the newest date: the retention list or all scores; filtered, and as CSV."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from churn_spark.config import RetentionListConfig, ScoringConfig
from churn_spark.errors import RequestError
from churn_spark.scoring.bands import BANDS, Band
from churn_spark.scoring.list_csv import format_list_csv, safe_cell
from churn_spark.serving.stores import Partition, version_order

Source = Literal["list", "scores"]
SHOWN: Final[Mapping[Source, tuple[str, ...]]] = {
    "list": (
        "user_id", "churn_probability", "list_rank", "risk_band", "value_at_risk", "reasons",
        "would_help", "on_list_since", "days_on_list", "previous_rank",
    ),
    "scores": (
        "user_id", "churn_probability", "risk_rank", "risk_band", "value_at_risk", "reasons",
    ),
}  # fmt: skip
"""The columns shown of a user, by the table they come from."""


@dataclass(frozen=True)
class Today:
    """The newest date.

    Attributes:
        source: `list` is `ml/retention_lists`, `scores` all of `ml/scores`.
        day: the date.
        rows: of one model, the first rank first.
        note: why it isn't the list that was asked for; empty if it is what was asked for.
    """

    source: Source
    day: date
    rows: pa.Table
    note: str = ""


@dataclass(frozen=True)
class Filter:
    """Which of the scored users are asked for.

    Attributes:
        band: only this one; None for all.
        min_probability: none below it.
    """

    band: Band | None = None
    min_probability: float = 0.0


def of_one_model(scores: Partition, version: str | None) -> pa.Table:
    """The date's rows of the model that answers, or else of its newest model, best rank first.

    A date may have been scored by several models; a user is on the list once.
    """
    versions = pc.unique(scores.rows["model_version"]).to_pylist()
    chosen = version if version in versions else max(versions, key=version_order)
    rows = scores.rows.filter(pc.equal(scores.rows["model_version"], chosen))
    return rows.sort_by([("risk_rank", "ascending"), ("user_id", "ascending")])


def in_order(listed: Partition) -> pa.Table:
    """The rows of a retention list, the first to call first."""
    return listed.rows.sort_by([("list_rank", "ascending")])


def choose(rows: pa.Table, wanted: Filter) -> pa.Table:
    """The rows that pass the filter, in their order."""
    chosen = pc.greater_equal(rows["churn_probability"], wanted.min_probability)
    if wanted.band:
        chosen = pc.and_(chosen, pc.equal(rows["risk_band"], wanted.band))
    return rows.filter(chosen)


def find_user(rows: pa.Table, user_id: str) -> Mapping[str, Any]:
    """The row of one user.

    Raises:
        RequestError: if the user isn't in the newest scores, with status 404.
    """
    position = pc.index(rows["user_id"], user_id).as_py()
    if position < 0:
        raise RequestError(
            "no such user in the newest scores, expected one who was active and has not cancelled",
            404,
        )
    return dict(rows.slice(position, 1).to_pylist()[0])


def without_fields(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with the sentences of its reasons only, as programs are answered."""
    return {name: value for name, value in row.items() if name != "reason_fields"}


def count_bands(rows: pa.Table) -> dict[Band, int]:
    """How many users each band has, highest first."""
    counts = {
        str(one["values"]): one["counts"] for one in pc.value_counts(rows["risk_band"]).to_pylist()
    }
    return {band: counts.get(band, 0) for band in BANDS}


def find_listed(today: Today, user_id: str) -> Mapping[str, Any] | None:
    """The row of one user on the retention list; None if there is no such row or list."""
    if today.source != "list":
        return None
    position = pc.index(today.rows["user_id"], user_id).as_py()
    if position < 0:
        return None
    return dict(today.rows.slice(position, 1).select(list(SHOWN["list"])).to_pylist()[0])


def count_new(listed: pa.Table) -> int:
    """How many users of a list were not on the one before."""
    return int(pc.sum(pc.equal(listed["days_on_list"], 1)).as_py() or 0)


def write_csv(
    rows: pa.Table, source: Source, scoring: ScoringConfig, listed: RetentionListConfig
) -> str:
    """The rows as CSV with a header, safe for spreadsheets.

    A list is the file that its job exports; of scores, reasons are joined by `; `.
    """
    if source == "list":
        return format_list_csv(rows.to_pandas(), scoring.n_reasons, listed.n_changes)
    frame: pd.DataFrame = rows.select(["as_of", "model_version", *SHOWN[source]]).to_pandas()
    frame["user_id"] = frame["user_id"].map(safe_cell)
    frame["reasons"] = [safe_cell("; ".join(reasons)) for reasons in frame["reasons"]]
    return frame.to_csv(index=False, lineterminator="\r\n")
