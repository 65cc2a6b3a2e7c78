"""The whole flow on a mini log, as `make run` runs it: the real one where it lies."""

from __future__ import annotations

import gzip
import io
import json
import re
import time
from dataclasses import replace
from datetime import date
from pathlib import Path
from shutil import copytree
from typing import Any

import httpx
import mlflow
import pandas as pd
import pyarrow as pa
import pytest
from every_byte import NAMES, find_marks, mark_log
from mlflow.tracking import MlflowClient
from model_builders import BRIEF_BACKTEST, COARSE
from pyspark.sql import SparkSession
from serving_builders import make_config, running

from bench import flow
from churn_spark.config import load_config
from churn_spark.contracts.features.spec import FEATURE_SETS, FEATURES, model_features
from churn_spark.contracts.tables import (
    BACKTEST_FIGURES,
    BACKTEST_PREDICTIONS,
    BUILT_DATES,
    DRIFT,
    LABELS,
    QUARANTINE,
    SCORES,
    SESSION_DAYS,
    SNAPSHOTS,
    TABLES,
    TRAINING_ROWS,
    VALIDATION_SCORES,
    TableSpec,
)
from churn_spark.errors import InputError, NoChampionError, OtherModelError, TooFewCancelsError
from churn_spark.evaluation.backtest import LADDER
from churn_spark.lakehouse.frames import collect
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.monitoring.drift.comparisons import NOT_COMPARABLE
from churn_spark.pipeline import snapshots
from churn_spark.pipeline.behaviour import read_users
from churn_spark.pipeline.context import JobContext
from churn_spark.pipeline.dates import read_log_dates
from churn_spark.pipeline.decide import Outcome
from churn_spark.serving.batches import ARROW
from churn_spark.serving.service import Service
from tests.known_logs import KnownLog, read_records

NIGHT = date(2018, 12, 1)
"""The real log goes on for an hour and four events: that is no day of its own."""


def new_context(spark: SparkSession, folder: Path, *overrides: str) -> JobContext:
    config = load_config(overrides=[f"lakehouse={folder}", *overrides])
    return JobContext(config, Lakehouse(spark, config.lakehouse))


def rows_of(context: JobContext, spec: TableSpec) -> list[tuple[Any, ...]]:
    return sorted((tuple(row) for row in context.lakehouse.collect_rows(spec)), key=repr)


@pytest.fixture(scope="module")
def log(mini_log: KnownLog, tmp_path_factory: pytest.TempPathFactory) -> KnownLog:
    """The mini log, with marks on all that says who somebody is."""
    return replace(mini_log, path=mark_log(mini_log.path, tmp_path_factory.mktemp("marked")))


@pytest.fixture(scope="module")
def mini(
    spark: SparkSession, log: KnownLog, tmp_path_factory: pytest.TempPathFactory
) -> JobContext:
    """A lakehouse after one night on a mini log."""
    context = new_context(spark, tmp_path_factory.mktemp("mini") / "lakehouse")
    flow.nightly(context, NIGHT, str(log.path))
    return context


def client(context: JobContext) -> MlflowClient:
    uri = f"sqlite:///{Path(context.config.lakehouse).resolve()}/mlflow/mlflow.db"
    mlflow.set_tracking_uri(uri)
    return MlflowClient(uri, uri)


def test_every_line_and_cancellation_of_the_mini_log_is_accounted_for(
    mini: JobContext, log: KnownLog
) -> None:
    assert flow.ingest_events(mini, str(log.path)).lines == {}
    days = mini.lakehouse.read(SESSION_DAYS)
    cancelled = days.filter("cancel_ts is not null").select("user_id").distinct()
    assert cancelled.count() == log.n_cancels
    assert days.select("user_id").distinct().count() == log.n_users


def test_everybody_in_the_population_has_one_score_with_reasons(mini: JobContext) -> None:
    scores = mini.lakehouse.read(SCORES).filter(f"as_of = '{NIGHT}'").collect()
    population = mini.lakehouse.read(SNAPSHOTS).filter(f"as_of = '{NIGHT}'").collect()
    assert sorted(row.user_id for row in scores) == sorted(row.user_id for row in population)
    by_rank = sorted(scores, key=lambda row: row.risk_rank)
    assert [row.risk_rank for row in by_rank] == list(range(1, len(scores) + 1))
    probabilities = [row.churn_probability for row in by_rank]
    assert probabilities == sorted(probabilities, reverse=True)
    assert 0 < probabilities[-1] <= probabilities[0] < 1
    assert all(1 <= len(row.reasons) <= 3 for row in scores)
    assert all("_" not in reason for row in scores for reason in row.reasons)
    kept = [
        (fields.direction, text)
        for row in scores
        for fields, text in zip(row.reason_fields, row.reasons, strict=True)
    ]
    assert all(text.endswith(f": {direction} the risk") for direction, text in kept)


def test_service_gives_every_user_the_probability_of_the_table(mini: JobContext) -> None:
    bundle = mini.registry.load(flow.night_of(mini, NIGHT).require_champion())
    rows = collect(read_users(mini.lakehouse, NIGHT, bundle))
    known = rows[["user_id", *(f.name for f in model_features(FEATURE_SETS, use_gender=False))]]
    body = io.BytesIO()
    table = pa.Table.from_pandas(known, preserve_index=False)
    with pa.ipc.new_stream(body, table.schema) as writer:
        writer.write_table(table)
    config = make_config(Path(mini.config.lakehouse), require_key=False, max_scores_age_hours=1e6)
    with running(Service(config.service)) as address:
        for _ in range(100):
            if httpx.get(f"{address}/model").status_code == httpx.codes.OK:
                break
            time.sleep(0.1)
        kinds = {"content-type": ARROW, "accept": ARROW}
        answer = httpx.post(f"{address}/predict/batch", content=body.getvalue(), headers=kinds)
    found = pa.ipc.open_stream(answer.raise_for_status().content).read_all().to_pandas()
    scored = mini.lakehouse.read(SCORES).filter(f"as_of = '{NIGHT}'").toPandas()
    both = found.merge(scored, on="user_id", suffixes=("", "_table"))
    assert len(both) == len(scored) == len(found) > 150
    gaps = (both["churn_probability"] - both["churn_probability_table"]).abs()
    assert gaps.max() <= 1e-9


def test_every_feature_and_the_score_have_a_drift_row(mini: JobContext) -> None:
    tests = mini.lakehouse.read(DRIFT).filter("slice = 'all'").collect()
    drift = [row for row in tests if row.comparison != "joint"]
    assert len(tests) == len(drift) + 1
    features = {f.name: f for f in model_features(FEATURE_SETS, use_gender=False)}
    assert {row.feature for row in drift} == {*features, "churn_probability"}
    for row in drift:
        is_number = row.feature not in features or features[row.feature].is_numeric
        assert row.kind == ("number" if is_number else "category")
        statistic = row.ks_statistic if is_number else row.total_variation
        # Of so young a log the training rows say too little of some.
        assert row.status in ("ok", NOT_COMPARABLE)
        assert statistic is None if row.status == NOT_COMPARABLE else 0 <= statistic <= 1
    assert {row.status for row in drift} == {"ok", NOT_COMPARABLE}
    assert sum(row.importance for row in drift) == pytest.approx(1.0)


def test_both_families_are_logged_and_the_first_model_is_champion(mini: JobContext) -> None:
    store = client(mini)
    experiment = store.get_experiment_by_name("churn")
    runs = {run.info.run_name: run for run in store.search_runs([experiment.experiment_id])}
    for family in ("lightgbm", "logistic_regression"):
        run = runs[family]
        assert run.info.status == "FINISHED"
        assert {"roc_auc", "f1", "average_precision"} <= set(run.data.metrics)
        assert int(run.data.params["version_session_days"]) >= 0
        assert run.data.params["feature_fingerprint"]
        files = {f.path for f in store.list_artifacts(run.info.run_id, "validation")}
        assert {
            "validation/precision_recall.png",
            "validation/precision_recall.csv",
            "validation/metrics.json",
            "validation/false_positives.csv",
            "validation/false_negatives.csv",
        } <= files
    champion = store.get_model_version_by_alias("churn", "champion")
    assert champion.run_id == runs["lightgbm"].info.run_id
    kept = {f.path for f in store.list_artifacts(champion.run_id, "model")}
    assert {"model/trees.txt", "model/encoding.json", "model/calibration.json"} <= kept


def test_backtest_and_report_tell_of_unseen_dates_and_users(mini: JobContext) -> None:
    run_id = flow.run_backtest(mini, NIGHT)
    run = client(mini).get_run(run_id)
    assert {"num_leaves", "horizon_days", "cutoff", "n_gap_cancels"} <= set(run.data.params)
    files = {file.path for file in client(mini).list_artifacts(run_id)}
    assert files == {"card.json", "figures.csv", "importance.csv"}
    of_run = f"run_id = '{run_id}'"
    predictions = mini.lakehouse.read(BACKTEST_PREDICTIONS).filter(of_run).toPandas()
    assert set(predictions["model"]) == {*LADDER} - {"oracle"}
    assert predictions["churn_probability"].between(0, 1).all()
    assert set(predictions["cell"]) == {"training", "new users", "future", "both"}
    by_cell = predictions.groupby("cell")["user_id"].agg(set)
    assert not by_cell["both"] & by_cell["training"]
    figures = mini.lakehouse.read(BACKTEST_FIGURES).filter(of_run).toPandas()
    aucs = figures[(figures["cell"] == "test") & (figures["metric"] == "roc_auc")]
    known = aucs[(aucs["segment"] == "all") & (aucs["model"] != "base_rate")]
    assert (known["low"] <= known["value"]).all()
    assert (known["value"] <= known["high"]).all()
    page = Path(flow.build_report(mini)[0]).read_text(encoding="utf-8")
    assert "Logistic regression" in page
    # Short ids are also counts of something, and digits after a point are coordinates.
    shown = set(re.findall(r"(?<![\d.])\d{6,}\b", page))
    assert not shown & by_cell["both"]


def test_no_byte_names_a_user_but_ids_in_tables(mini: JobContext) -> None:
    lakehouse = Path(mini.config.lakehouse)
    assert mini.lakehouse.count_rows(QUARANTINE) == 4
    found = find_marks(lakehouse)
    assert found.keys() & NAMES == set()
    with_ids = {spec.path for spec in TABLES if "user_id" in spec.column_names}
    # Beside the tables: MLflow's store, the published champion, the pages.
    assert {"/".join(Path(one).parts[:2]) for one in found["zqid"]} <= with_ids
    assert {SCORES.path, SNAPSHOTS.path} <= {"/".join(Path(one).parts[:2]) for one in found["zqid"]}


def test_no_artifact_tells_an_instant_of_a_user(mini: JobContext) -> None:
    """Nor a number that only one user has: what isn't counted is whole days or two digits."""
    instants = [f.name for f in FEATURES if f.tells_instant]
    fractions = [f.name for f in FEATURES if f.data_type == "double" and not f.tells_instant]
    tables = [
        *Path(mini.config.lakehouse).rglob("baseline.parquet"),
        *Path(mini.config.lakehouse).rglob("false_*.csv"),
    ]
    assert len(tables) >= 6
    for path in tables:
        rows = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
        for name in {*instants, *fractions} & {*rows.columns}:
            digits = ".0f" if name in instants else ".2g"
            assert all(value == float(f"{value:{digits}}") for value in rows[name].dropna())
    for text in Path(mini.config.lakehouse).rglob("trees.txt"):
        [ranges] = re.findall(r"feature_infos=.*", text.read_text())
        assert "." not in ranges


def test_validation_rows_are_kept_with_their_outcomes(mini: JobContext) -> None:
    scored = mini.lakehouse.read(VALIDATION_SCORES)
    outcomes = {row.outcome for row in scored.select("outcome").distinct().collect()}
    assert outcomes <= {"true positive", "false positive", "false negative", "true negative"}
    rows = mini.lakehouse.read(TRAINING_ROWS)
    assert scored.count() == 2 * rows.filter("split = 'validation'").count()
    parts = rows.select("user_id", "split").distinct().count()
    assert parts == rows.select("user_id").distinct().count()


def test_night_before_the_champions_training_is_refused_and_leaves_nothing(
    mini: JobContext, log: KnownLog
) -> None:
    early = date(2018, 11, 12)
    with pytest.raises(OtherModelError, match=f"trained as of {NIGHT}, after {early}"):
        flow.nightly(mini, early, str(log.path))
    with pytest.raises(OtherModelError, match="already seen what happened to these users"):
        flow.score_users(mini, early)
    assert mini.lakehouse.read(SCORES).filter(f"as_of < '{NIGHT}'").isEmpty()


def test_lifetime_training_is_marked_retrospective_and_never_used(
    mini: JobContext, mini_log: KnownLog, capsys: pytest.CaptureFixture[str]
) -> None:
    config = load_config(overrides=[f"lakehouse={mini.config.lakehouse}", "labels.kind=lifetime"])
    version = flow.train_model(JobContext(config, mini.lakehouse), NIGHT)
    store = client(mini)
    assert [*store.get_registered_model("churn").aliases] == ["champion"]
    assert str(store.get_model_version_by_alias("churn", "champion").version) == "1"
    run = store.get_run(store.get_model_version("churn", version).run_id)
    assert run.data.tags["is_retrospective"] == "True"
    rows = mini.lakehouse.read(TRAINING_ROWS)
    assert rows.count() == mini_log.n_users
    assert rows.filter("label = 1").count() == mini_log.n_cancels
    assert "retrospective" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("logs", ["a month", "seven users"])
def test_night_leaves_training_out_when_cancels_are_too_few(
    request: pytest.FixtureRequest,
    spark: SparkSession,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    logs: str,
) -> None:
    if logs == "seven users":
        log = request.getfixturevalue("sample_data") / "seven_users.json.gz"
    else:
        log = request.getfixturevalue("daily_log")
    context = new_context(spark, tmp_path / "lakehouse")
    assert flow.nightly(context, None, str(log)) == Outcome()
    said = capsys.readouterr().out
    assert "train_model          left out: too few cancellations" in said
    assert "score_users          left out: there is no model yet" in said
    assert context.lakehouse.read(SNAPSHOTS).count() > 0
    assert not context.lakehouse.exists(SCORES)
    store = client(context)
    assert store.search_registered_models() == []
    with pytest.raises(TooFewCancelsError):
        flow.train_model(context, date(2018, 11, 30))
    with pytest.raises(NoChampionError):
        flow.score_users(context, date(2018, 11, 30))
    with pytest.raises(NoChampionError, match="run `train_model`"):
        flow.monitor_model(context, date(2018, 11, 30))


@pytest.mark.slow
def test_log_without_profiles_and_with_one_level_trains_and_is_evaluated(
    spark: SparkSession, mini_log: KnownLog, tmp_path: Path
) -> None:
    unknown = ("registration", "gender", "location", "userAgent")
    with gzip.open(tmp_path / "log.json.gz", "wt", encoding="utf-8") as log:
        for record in read_records(mini_log.path):
            if "grade" in record["page"]:
                # Upgrade, Downgrade and their submissions: a service of one level has none.
                continue
            known = {name: value for name, value in record.items() if name not in unknown}
            log.write(json.dumps({**known, "level": "paid"}) + "\n")
    context = new_context(spark, tmp_path / "lakehouse", *COARSE, *BRIEF_BACKTEST)
    assert not flow.nightly(context, NIGHT, str(tmp_path / "log.json.gz")).is_held
    typical = context.registry.load("1").encoding.typical
    assert typical["tenure_days"] is typical["days_since_level_change"] is None
    snapshot = context.lakehouse.read(SNAPSHOTS).filter(f"as_of = '{NIGHT}'")
    assert context.lakehouse.read(SCORES).count() == snapshot.count() > 150
    assert flow.evaluate_model(context) is not None


def test_dates_in_any_order_give_the_same_tables(
    spark: SparkSession, daily_log: Path, tmp_path: Path
) -> None:
    contexts = [new_context(spark, tmp_path / name) for name in ("forward", "backward")]
    dates = [date(2018, 11, 12), date(2018, 11, 28)]
    flow.ingest_events(contexts[0], str(daily_log))
    flow.build_session_days(contexts[0])
    copytree(tmp_path / "forward", tmp_path / "backward")
    for context, order in zip(contexts, (dates, dates[::-1]), strict=True):
        for day in order:
            flow.build_snapshots(context, [day])
    for spec in (SNAPSHOTS, LABELS):
        assert rows_of(contexts[0], spec) == rows_of(contexts[1], spec)


def test_snapshot_that_a_killed_night_left_without_labels_gets_them(mini: JobContext) -> None:
    before = rows_of(mini, LABELS)
    date_of_training = mini.lakehouse.read(TRAINING_ROWS).agg({"as_of": "max"}).first()[0]
    nothing = mini.lakehouse.read(LABELS).limit(0)
    mini.lakehouse.replace(nothing, LABELS, {"as_of": [date_of_training]})
    assert rows_of(mini, LABELS) != before
    # What is noted of a date is written last.
    mini.lakehouse.replace_rows([], BUILT_DATES, {"as_of": [date_of_training]})
    log = read_log_dates(mini.lakehouse)
    snapshots.run_stale(mini.lakehouse, [date_of_training], mini.config.learning, log)
    assert rows_of(mini, LABELS) == before


def test_date_before_the_log_is_refused_with_the_dates_there_are(
    mini: JobContext,
) -> None:
    with pytest.raises(InputError, match="expected a date after the log's first day, 2018-10-01"):
        flow.build_snapshots(mini, [date(2018, 9, 1)])
