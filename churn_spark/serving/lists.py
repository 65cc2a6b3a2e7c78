"""What is shown of the newest date: the retention list or all scores; filtered, and as CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal

import pandas as pd
import pyarrow.compute as pc

from churn_spark.arrays import Ints
from churn_spark.config import MAX_LISTED, RetentionListConfig, ScoringConfig
from churn_spark.contracts.tables import SCORES
from churn_spark.contracts.tables.ml import SEEN_VERSION
from churn_spark.errors import RequestError
from churn_spark.scoring.bands import Band
from churn_spark.scoring.list_csv import format_list_csv, safe_cell
from churn_spark.serving.stores import version_order
from churn_spark.serving.users import Users

_CSV_ROWS: Final = 10_000
Positions = Sequence[int] | Ints
Source = Literal["list", "scores"]
SHOWN: Final[Mapping[Source, tuple[str, ...]]] = {
    "list": (
        "user_id", "churn_probability", "list_rank", "risk_band", "value_at_risk", "reasons",
        "would_help", "on_list_since", "days_on_list", "previous_rank", "expected_saves",
    ),
    "scores": (
        "user_id", "churn_probability", "risk_rank", "risk_band", "value_at_risk", "reasons",
    ),
}  # fmt: skip
"""The columns shown of a user, by the table they come from."""


MOST_CSV_ROWS: Final = MAX_LISTED
"""A list has no more; of scores the next ones are asked for by `offset`."""


@dataclass(frozen=True)
class Today:
    """The newest date.

    Attributes:
        source: `list` is `ml/retention_lists`, `scores` all of `ml/scores`.
        day: the date.
        users: of one model, the first rank first.
        note: why it isn't the list that was asked for, or has nobody; empty if all is as asked.
    """

    source: Source
    day: date
    users: Users
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


def of_one_model(users: Users, version: str | None) -> Users:
    """The users of the model that answers, or else of the newest model among theirs.

    A date may have been scored by several models; a user is on the list once.
    """
    if not users.versions:
        return users
    newest = max(users.versions, key=version_order)
    return users.of_model(version if version in users.versions else newest)


def rows_of(today: Today, positions: Positions) -> list[dict[str, Any]]:
    """What programs are answered of some users."""
    rows: list[dict[str, Any]] = today.users.read(positions, SHOWN[today.source]).to_pylist()
    return rows


def shown_on_page(today: Today, positions: Positions) -> list[dict[str, Any]]:
    """What people are shown of some users."""
    columns = (*SHOWN[today.source], "reason_fields")
    rows: list[dict[str, Any]] = today.users.read(positions, columns).to_pylist()
    return rows


def find_user(users: Users, user_id: str) -> dict[str, Any]:
    """The newest scores of one user.

    Raises:
        RequestError: if the user isn't in the newest scores, with status 404.
    """
    position = users.find(user_id)
    if position is None:
        raise RequestError(
            "this user has no score: scored is who was active lately and has not cancelled",
            404,
        )
    unseen = (*SCORES.partition_by, SEEN_VERSION)
    columns = [name for name in SCORES.column_names if name not in unseen]
    return dict(users.read([position], columns).to_pylist()[0])


def without_fields(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with the sentences of its reasons only, as programs are answered."""
    return {name: value for name, value in row.items() if name != "reason_fields"}


def find_listed(today: Today, user_id: str) -> Mapping[str, Any] | None:
    """The row of one user on the retention list; None if there is no such row or list."""
    position = today.users.find(user_id) if today.source == "list" else None
    return None if position is None else rows_of(today, [position])[0]


def count_new(listed: Users) -> int:
    """How many users of a list were not on the one before."""
    return int(pc.sum(pc.equal(listed.known["days_on_list"], 1)).as_py() or 0)


def sum_saves(listed: Users) -> float | None:
    """Cancels that calling a list is expected to prevent; None of a list by risk."""
    total = pc.sum(listed.known["expected_saves"]).as_py()
    return None if total is None else float(total)


def cancels_by_effect(listed: Users) -> float | None:
    """Cancels expected among the users of a list by effect; None of a list by risk."""
    by_risk = sum_saves(listed) is None
    return None if by_risk else float(pc.sum(listed.known["churn_probability"]).as_py())


def write_csv(
    today: Today, positions: Positions, scoring: ScoringConfig, listed: RetentionListConfig
) -> str:
    """Some users as CSV with a header, safe for spreadsheets.

    A list is the file that its job exports; of scores, reasons are joined by `; `.
    """
    if today.source == "list":
        rows = today.users.read(positions, SHOWN["list"])
        return format_list_csv(rows.to_pandas(), scoring.n_reasons, listed.n_changes)
    rows = today.users.read(positions, ("model_version", *SHOWN["scores"]))
    parts: list[str] = []
    for batch in rows.to_batches(_CSV_ROWS):
        frame: pd.DataFrame = batch.to_pandas()
        frame.insert(0, "as_of", today.day)
        frame["user_id"] = frame["user_id"].map(safe_cell)
        frame["reasons"] = [safe_cell("; ".join(reasons)) for reasons in frame["reasons"]]
        parts.append(frame.to_csv(index=False, header=not parts, lineterminator="\r\n"))
    return "".join(parts) or ",".join(("as_of", *rows.column_names)) + "\r\n"
