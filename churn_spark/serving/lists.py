"""The list of the newest date: filtered, cut into pages, as rows or CSV."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from churn_spark.errors import RequestError
from churn_spark.scoring.bands import BANDS, Band
from churn_spark.serving.stores import Partition, version_order

SHOWN: Final = (
    "user_id", "churn_probability", "risk_rank", "risk_band", "value_at_risk", "reasons"
)  # fmt: skip


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


def count_bands(rows: pa.Table) -> dict[Band, int]:
    """How many users each band has, highest first."""
    counts = {
        str(one["values"]): one["counts"] for one in pc.value_counts(rows["risk_band"]).to_pylist()
    }
    return {band: counts.get(band, 0) for band in BANDS}


def write_csv(rows: pa.Table) -> str:
    """The rows as CSV with a header; reasons are joined by `; `."""
    frame: pd.DataFrame = rows.select(["as_of", "model_version", *SHOWN]).to_pandas()
    frame["reasons"] = ["; ".join(reasons) for reasons in frame["reasons"]]
    return frame.to_csv(index=False, lineterminator="\r\n")
