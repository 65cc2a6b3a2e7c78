"""The monitoring page from written tables: counted cells, a registered model, a few nights."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from html import unescape
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from builders import write_rows
from night_builders import LAST, build_nights
from serving_builders import make_bundle, make_rows, register_champion

from bench.flow import build_report
from bench.ks_samples import count_bins, count_missing
from churn_spark.contracts.features.history import NO_HISTORY
from churn_spark.contracts.tables import (
    ALERTS,
    DATA_CHECKS,
    DRIFT,
    DRIFT_CELLS,
    PERFORMANCE,
)
from churn_spark.errors import MissingTableError
from churn_spark.models.bundle import ModelBundle
from churn_spark.models.registry import ModelRegistry
from churn_spark.monitoring.drift.comparisons import code_reference
from churn_spark.monitoring.drift.ks import build_reference, compare
from churn_spark.pipeline.context import JobContext
from churn_spark.pipeline.report import write_monitoring
from churn_spark.reports.night.data import NightData
from churn_spark.reports.night.overlay import Mix, Overlay
from churn_spark.reports.night.store import newest_night, read_night
from churn_spark.stores.decisions import write_night

NAMES = (
    "avg_songs_per_session", "num_downgrades", "os", "sessions_7d", "songs_7d", "sessions_28d",
    "last_subscription_level", "songs_28d",
)  # fmt: skip


def write_nights(context: JobContext, data: NightData, bundle: ModelBundle) -> None:
    """The monitoring tables of the nights; tonight's cells are those of other rows."""
    by_night = {entry.decision.night: [] for entry in data.entries}
    for entry in data.entries:
        by_night[entry.decision.night].append(entry)
    for night, entries in by_night.items():
        write_night(context.lakehouse, night, entries)
    checks = [(LAST, c.name, float(c.found), c.expected, c.passed, c.sentence) for c in data.checks]
    write_rows(context, DATA_CHECKS, pd.DataFrame(checks, columns=DATA_CHECKS.column_names))
    write_rows(context, ALERTS, data.alerts)
    write_rows(context, PERFORMANCE, data.performance)
    older = data.history[data.history["run_date"] < data.drift["run_date"].min()]
    older = older.assign(comparison="training", slice="all", ks_statistic=older["statistic"])
    write_rows(context, DRIFT, pd.concat([older, data.drift]))
    rows = [
        (LAST, bundle.version, "all", name, *cells)
        for name, cells in count(bundle, ("churn_probability", *NAMES)).items()
    ]
    write_rows(context, DRIFT_CELLS, pd.DataFrame(rows, columns=DRIFT_CELLS.column_names))


def current(bundle: ModelBundle) -> pd.DataFrame:
    """Tonight's encoded rows."""
    rows = make_rows(300, seed=9)
    matrix = pd.DataFrame(bundle.encoding.encode(rows), columns=list(bundle.encoding.features))
    return matrix.assign(churn_probability=bundle.probabilities(rows))


def count(bundle: ModelBundle, names: tuple[str, ...]) -> dict[str, tuple[list[int], list[int]]]:
    """Cells and counts of tonight's rows, as the table keeps them."""
    counted = {}
    for name in names:
        values = bundle.baseline[name].to_numpy(dtype=float)
        levels = bundle.encoding.levels.get(name)
        baseline = code_reference(values, len(levels)) if levels else build_reference(values)
        now = current(bundle)[name].to_numpy()
        cells = count_bins(baseline, now)
        filled = np.flatnonzero(cells)
        counted[name] = (
            [-1, *filled.tolist()],
            [count_missing(now), *cells[filled].tolist()],
        )
    return counted


def test_no_page_before_the_first_night(context: JobContext) -> None:
    expected = r"found neither a backtest nor a night in .*: run `backtest` or `nightly`"
    with pytest.raises(MissingTableError, match=expected) as caught:
        build_report(context)
    assert caught.value.exit_code == 2


def read(context: JobContext, night: date) -> NightData:
    config = context.config
    registry = ModelRegistry(config.registry, config.lakehouse)
    return read_night(context.lakehouse, registry, config.policy, night, lambda _: NO_HISTORY)


def test_page_is_of_the_newest_night_with_the_distributions_of_its_cells(
    context: JobContext, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = make_bundle()
    bundle = replace(bundle, version=register_champion(context.config, bundle))
    data = build_nights(4, names=NAMES, moving={"songs_7d": 0.02}, n_windows=1)
    write_nights(context, data, bundle)
    assert newest_night(context.lakehouse) == LAST

    found = read(context, LAST)
    assert found.entries == data.entries
    assert found.shown == data.shown
    assert {len(found.history), found.history["run_date"].nunique()} == {4 * 9, 4}
    assert [shape.feature for shape in found.shapes] == ["churn_probability", *data.shown]
    assert {type(shape) for shape in found.shapes} == {Overlay, Mix}
    score = found.shapes[0]
    assert isinstance(score, Overlay)
    baseline = build_reference(bundle.baseline["churn_probability"])
    now = current(bundle)["churn_probability"].to_numpy()
    expected = compare(baseline, count_bins(baseline, now), 0)
    assert abs(score.ends[0] - score.ends[1]) == pytest.approx(expected.statistic)
    assert score.location == expected.location

    (path,) = build_report(context)
    lines = capsys.readouterr().out.splitlines()
    assert path == f"{context.config.lakehouse}/reports/monitoring.html"
    assert path in lines[-2]
    assert lines[-1].endswith("no evaluation page: backtest has not run here")
    page = Path(path).read_text(encoding="utf-8")
    told = f'Daily run ("night") of {LAST}. Model version 1, trained as of 2018-11-30: 1 day old.'
    assert told in unescape(page)

    # An older night knows nothing of the newer ones; it has no cells any more, so no pictures.
    earlier = LAST - timedelta(days=2)
    old = read(context, earlier)
    assert old.drift_night == earlier
    assert old.history["run_date"].max() == earlier
    assert old.entries == tuple(e for e in data.entries if e.decision.night <= earlier)
    assert old.checks == ()
    assert old.shapes == ()
    with pytest.raises(MissingTableError, match="found no night of 2019-01-01"):
        write_monitoring(
            context.lakehouse,
            context.registry,
            context.config.policy,
            context.config.costs,
            LAST + timedelta(days=31),
        )
