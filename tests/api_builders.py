"""A small lakehouse for the Python interface, built by the use cases without a JVM."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from builders import random_records, write_lines
from champion_builders import publish
from local_lakehouse import LocalLakehouse, list_folder, open_local
from report_builders import build_evaluation
from serving_builders import (
    AS_OF,
    add_behaviour,
    make_bundle,
    make_config,
    make_list,
    make_scores,
    write_list,
    write_scores,
)

from churn_spark.config import load_config
from churn_spark.contracts.tables import (
    BACKTEST_FIGURES,
    BACKTEST_IMPORTANCE,
    BACKTEST_PREDICTIONS,
    BACKTEST_RUNS,
    TableSpec,
)
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.pipeline import ingest, of_events, rollups, snapshots
from churn_spark.pipeline.dates import read_log_dates
from churn_spark.reports.night.data import NightData
from churn_spark.stores.decisions import write_night

STORED = (date(2018, 10, 22), date(2018, 11, 12))
"""The as-of dates that have snapshots."""


def records() -> list[dict[str, Any]]:
    """The log: 40 users with all that is awkward."""
    return random_records(seed=11)


def load_log(
    folder: Path,
    dates: Sequence[date] = STORED,
    log_records: Sequence[dict[str, Any]] | None = None,
) -> Lakehouse:
    """A lakehouse with the log, and snapshots and labels of some dates."""
    lakehouse, config = open_local(folder), load_config()
    write_lines(folder.parent / "log" / "log.json", log_records or records())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ingest, "list_location", lambda _, path, __: list_folder(Path(path)))
        patch.setattr(LocalLakehouse, "spark", None, raising=False)
        ingest.run(lakehouse, config.ingest, str(folder.parent / "log"))
    rollups.run(lakehouse, config.ingest, of_events.STEPS)
    log = read_log_dates(lakehouse, max(dates) + timedelta(days=40))
    snapshots.run(lakehouse, dates, config.learning, log)
    return lakehouse


def add_model(folder: Path) -> None:
    """A champion, its scores and list, and a backtest, as if a night had written them."""
    config = make_config(folder)
    bundle = add_behaviour(make_bundle())
    scores = make_scores(publish(config, bundle, "7"), config, 30)
    write_scores(scores, config)
    write_list(make_list(scores, 10), config)
    lakehouse, data = open_local(folder), build_evaluation(200)
    run: dict[str, Any] = {"run_id": data.card.run_id}
    runs = pd.DataFrame([{**run, "date": AS_OF, "card": data.card.model_dump_json()}])
    for spec, rows in (
        (BACKTEST_RUNS, runs),
        (BACKTEST_PREDICTIONS, data.predictions.assign(**run)),
        (BACKTEST_FIGURES, data.figures.assign(**run)),
        (BACKTEST_IMPORTANCE, data.importance.assign(**run)),
    ):
        _write(lakehouse, spec, rows)


def write_nights(lakehouse: Lakehouse, nights: NightData) -> None:
    """What nights have decided."""
    for night, entries in groupby(nights.entries, lambda entry: entry.decision.night):
        write_night(lakehouse, night, [*entries])


def _write(lakehouse: Lakehouse, spec: TableSpec, rows: pd.DataFrame) -> None:
    """Columns that the rows don't have are null."""
    frame = rows.reindex(columns=spec.column_names).astype(object)
    lakehouse.replace_rows(frame.where(frame.notna(), None), spec, {})
