"""The report job: from a backtest's tables to the page, and what it says before there is one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from builders import write_rows
from pyspark.sql import functions as F
from report_builders import build_evaluation

from churn_spark.contracts.tables import (
    BACKTEST_FIGURES,
    BACKTEST_IMPORTANCE,
    BACKTEST_PREDICTIONS,
    BACKTEST_RUNS,
    SESSION_DAYS,
    SNAPSHOTS,
)
from churn_spark.errors import MissingTableError
from churn_spark.evaluation.examples import choose_examples
from churn_spark.pipeline.context import JobContext
from churn_spark.pipeline.report import write_evaluation
from churn_spark.reports.data import EvaluationData


def write_backtest(context: JobContext, data: EvaluationData) -> None:
    run_id = data.card.run_id
    card = data.card.model_dump_json()
    of_older_release = {"run_id": "zzzz", "date": "2018-12-03", "card": "{}", "number": None}
    older = {"run_id": "yyyy", "date": "2018-12-02", "card": "{}", "number": 1}
    newest = {"run_id": run_id, "date": "2018-12-01", "card": card, "number": 2}
    runs = pd.DataFrame([of_older_release, older, newest])
    runs["date"] = pd.to_datetime(runs["date"]).dt.date
    write_rows(context, BACKTEST_RUNS, runs)
    for spec, rows in (
        (BACKTEST_PREDICTIONS, data.predictions),
        (BACKTEST_FIGURES, data.figures),
        (BACKTEST_IMPORTANCE, data.importance),
    ):
        write_rows(context, spec, rows.assign(run_id=run_id))
    write_rows(context, SNAPSHOTS, data.primary_rows[["as_of", "user_id"]].assign(num_sessions=3))


def write_days(context: JobContext, user: str, as_of: datetime) -> None:
    """Two sessions on the day before, one four weeks before, and one too early, one too late."""
    row: dict[str, Any] = {"user_id": user, "n_songs": 10, "n_roll_advert": 1, "n_downgrade": 0}
    days = [(-1, 1), (-1, 2), (-28, 3), (-29, 4), (0, 5)]
    rows = [
        {**row, "session_id": session, "event_date": (as_of + pd.Timedelta(days=day)).date()}
        for day, session in days
    ]
    write_rows(context, SESSION_DAYS, pd.DataFrame(rows))


def test_no_report_before_the_first_backtest(context: JobContext) -> None:
    with pytest.raises(
        MissingTableError, match=r"found no backtest in .*: run `backtest`"
    ) as caught:
        write_evaluation(context.lakehouse, context.config.costs)
    assert caught.value.exit_code == 2


def test_report_is_of_the_newest_backtest_with_days_and_without_user_ids(
    context: JobContext, capsys: pytest.CaptureFixture[str]
) -> None:
    data = build_evaluation(200)
    write_backtest(context, data)
    first = choose_examples(data.primary_rows, data.card.threshold).iloc[0]
    as_of = datetime.combine(first["as_of"], datetime.min.time(), tzinfo=UTC)
    write_days(context, first["user_id"], as_of)

    path = write_evaluation(context.lakehouse, context.config.costs)

    page = Path(path).read_text(encoding="utf-8")
    assert path == f"{context.config.lakehouse}/reports/evaluation.html"
    assert path in capsys.readouterr().out.splitlines()[-1]
    assert "User A, missed" in page
    assert "Active on 2 of 28 days: 3 sessions, 30 songs, 3 adverts, 0 visits to Downgrade." in page
    assert f"Run {data.card.run_id}." in page
    assert "uid7" not in page

    # The same backtest without its primary model; a second one would cost half a minute.
    kept = context.lakehouse.read(BACKTEST_PREDICTIONS).filter(F.col("model") == "rule")
    context.lakehouse.replace(kept.localCheckpoint(), BACKTEST_PREDICTIONS, {})
    with pytest.raises(MissingTableError, match="found no predictions of lightgbm for 'both'"):
        write_evaluation(context.lakehouse, context.config.costs)
