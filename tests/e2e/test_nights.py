"""Nights in a row on a simulated log: checks, drift, decision, retraining, and the same again."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from bench import flow
from bench.alert_history import read_alerts
from bench.killed_night import LIGHT
from churn_spark.config import load_config
from churn_spark.contracts.tables import (
    ALERTS,
    BEHAVIOUR,
    BEHAVIOUR_PARTS,
    DATA_CHECKS,
    DECISIONS,
    DRIFT,
    DRIFT_CELLS,
    LABELS,
    PERFORMANCE,
    SCORES,
    SESSION_DAYS,
    SNAPSHOTS,
    TRANSITIONS,
    USER_TOTALS,
    VALIDATION_SCORES,
    TableSpec,
)
from churn_spark.errors import OtherModelError, ReplayError
from churn_spark.lakehouse.selection import Where
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.registry import ModelRegistry
from churn_spark.monitoring.drift.comparisons import NOT_COMPARABLE
from churn_spark.monitoring.policy.history import STANDING_RULES, Entry
from churn_spark.monitoring.policy.policy_state import to_json
from churn_spark.pipeline import freshness, night, replay
from churn_spark.pipeline.catalogue import USE_CASES
from churn_spark.pipeline.context import JobContext
from churn_spark.pipeline.decide import Outcome
from churn_spark.pipeline.gather import read_night, settle
from churn_spark.pipeline.plan import say_plan
from churn_spark.pipeline.planner import Planner
from churn_spark.reports.night.store import newest_night
from churn_spark.stores.decisions import read_entries, write_night
from jobs._command import code_of
from tests.known_logs import KnownLog

FIRST, SCHEDULED, BROKEN = date(2018, 11, 20), date(2018, 11, 27), date(2018, 11, 28)
LATER = date(2018, 11, 22), date(2018, 11, 23), date(2018, 11, 24)
TABLES = (SCORES, DATA_CHECKS, DRIFT_CELLS, DRIFT, PERFORMANCE, DECISIONS, ALERTS)
BEFORE_SCORES = (SESSION_DAYS, TRANSITIONS, SNAPSHOTS, LABELS, BEHAVIOUR, BEHAVIOUR_PARTS)


def context_of(spark: SparkSession, lakehouse: Path, *overrides: str) -> JobContext:
    """A small log is judged too: this one has fewer users than the policy asks for.

    What is decided of models is the same for small ones.
    """
    small = "policy.min_rows=50", "monitoring.min_slice_rows=20", *LIGHT
    config = load_config(overrides=[f"lakehouse={lakehouse}", *small, *overrides])
    return JobContext(config, Lakehouse(spark, config.lakehouse))


@pytest.fixture(scope="module")
def lakehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("nights") / "lakehouse"


@pytest.fixture(scope="module")
def nights(spark: SparkSession, simulated_log: KnownLog, lakehouse: Path) -> JobContext:
    """A lakehouse after the first night, one a week later."""
    context = context_of(spark, lakehouse)
    log = str(simulated_log.path)
    flow.nightly(context, FIRST, log)
    flow.nightly(context, SCHEDULED, log)
    return context


def rows_of(
    context: JobContext, spec: TableSpec, where: Where | None = None
) -> list[tuple[Any, ...]]:
    rows = context.lakehouse.collect_rows(spec, where)
    return sorted((tuple(row) for row in rows), key=repr)


def entries_of(context: JobContext, night: date) -> list[Entry]:
    return [entry for entry in read_entries(context.lakehouse) if entry.decision.night == night]


def settle_on(context: JobContext, day: date) -> None:
    registry = registry_of(context)
    known = read_night(context.lakehouse, registry, day)
    settle(context.lakehouse, registry, known, context.config.policy)


def registry_of(context: JobContext) -> ModelRegistry:
    return ModelRegistry(context.config.registry, context.config.lakehouse)


def test_first_night_trains_and_is_judged_from_then_on(nights: JobContext) -> None:
    first, *later = entries_of(nights, FIRST)
    assert (first.decision.kind, first.decision.rule) == ("promote", "first")
    assert first.after is not None
    assert first.after.last_retrain == FIRST
    assert len(later) == 1
    assert later[0].before == first.after


class CutOff(BaseException):
    """Ends a night as a kill would: nothing in the project catches it."""


def cut_off(*_: object) -> None:
    raise CutOff


def test_first_night_cut_off_thrice_ends_like_one_undisturbed(
    spark: SparkSession,
    nights: JobContext,
    simulated_log: KnownLog,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Runs without a version, a version without an alias, a champion without a decision.
    steps = ((ModelRegistry, "register"), (ModelRegistry, "assign_alias"))
    other = context_of(spark, tmp_path / "lakehouse")
    log = str(simulated_log.path)
    for place, name in (*steps, (night, "store_decisions")):
        with monkeypatch.context() as patched:
            patched.setattr(place, name, cut_off)
            with pytest.raises(CutOff):
                flow.nightly(other, FIRST, log)
    flow.nightly(other, FIRST, log)
    for spec in TABLES:
        date_column = "as_of" if spec == SCORES else "run_date"
        assert rows_of(other, spec) == rows_of(nights, spec, {date_column: [FIRST]}), spec.name
    # Logistic regression and trees, once each.
    assert other.lakehouse.read(VALIDATION_SCORES).select("run_id").distinct().count() == 2
    assert registry_of(other).champion_version() == "1"
    with pytest.raises(MlflowException, match="not found"):
        MlflowClient().get_model_version("churn", "2")


def test_week_later_a_challenger_is_trained_and_judged(nights: JobContext) -> None:
    asked, judged = entries_of(nights, SCHEDULED)
    assert asked.decision.kind == "retrain"
    assert asked.decision.rule in ("drift", "schedule")
    assert judged.decision.kind in ("promote", "reject")
    assert judged.evidence is not None
    challenger = judged.evidence.challenger
    assert challenger is not None
    assert (challenger.version, challenger.champion) == ("2", "1")
    assert challenger.n_positive
    assert challenger.auc_high is not None
    assert challenger.auc_low <= challenger.auc_difference <= challenger.auc_high
    assert judged.after is not None
    assert registry_of(nights).champion_version() == judged.after.champion
    # Two champions of one date: their tables say whose they are.
    assert {row.model_version for row in nights.lakehouse.read(SCORES).collect()} == {"1"}


def test_drift_is_counted_by_slice_and_against_the_week_before(nights: JobContext) -> None:
    drift = nights.lakehouse.read(DRIFT).filter(F.col("run_date") == F.lit(SCHEDULED))
    found = {(row.comparison, row.slice) for row in drift.collect()}
    assert {("training", "all"), ("same_weekday", "all"), ("previous_night", "all")} <= found
    # A part is compared with the training rows of the same part, and there are some.
    of_paid = drift.filter("slice = 'level=paid' and comparison = 'training'").collect()
    of_all = drift.filter("slice = 'all' and comparison = 'training'").collect()
    n_all = {row.feature: row.n_baseline for row in of_all}
    assert len(of_paid) == len(of_all)
    tested = [row for row in of_paid if row.status == "ok"]
    assert tested
    assert {row.status for row in of_paid} <= {"ok", NOT_COMPARABLE}
    assert all(0 < row.n_baseline < n_all[row.feature] for row in tested)
    expected = nights.lakehouse.read(PERFORMANCE).filter("basis = 'expected'").collect()
    assert {row.metric for row in expected} >= {"roc_auc", "f1"}


def test_all_features_at_once_are_drift_that_the_policy_knows(nights: JobContext) -> None:
    where: Where = {"run_date": [SCHEDULED], "comparison": ["joint"]}
    [row] = nights.lakehouse.collect_rows(DRIFT, where)
    assert (row.slice, row.feature, row.kind, row.status) == ("all", "joint", "joint", "ok")
    assert 0 < row.auc_low < row.auc < row.auc_high < 1
    entry = entries_of(nights, SCHEDULED)[0]
    assert entry.evidence is not None
    assert entry.evidence.joint is not None
    assert entry.evidence.joint.auc == row.auc
    assert entry.evidence.joint.told_by == tuple(row.told_by)
    tested: Where = {"run_date": [SCHEDULED], "comparison": ["training"], "slice": ["all"]}
    inputs = [r for r in nights.lakehouse.collect_rows(DRIFT, tested) if r.importance]
    assert all(r.contribution_baseline > 0 for r in inputs)
    assert any(r.contribution_current != r.contribution_baseline for r in inputs)


def test_night_repeated_decides_and_trains_nothing_new(
    nights: JobContext, simulated_log: KnownLog
) -> None:
    tables = (*BEFORE_SCORES, *TABLES)
    before = {spec.name: rows_of(nights, spec) for spec in tables}
    champion = registry_of(nights).champion_version()
    flow.nightly(nights, SCHEDULED, str(simulated_log.path))
    assert {spec.name: rows_of(nights, spec) for spec in tables} == before
    assert registry_of(nights).champion_version() == champion
    assert registry_of(nights).find({"as_of": str(SCHEDULED)}) == "2"


def test_night_that_died_before_it_decided_ends_the_same(nights: JobContext) -> None:
    before = rows_of(nights, DECISIONS)
    stored = entries_of(nights, SCHEDULED)
    write_night(nights.lakehouse, SCHEDULED, [])
    registry = registry_of(nights)
    registry.set_champion("1", "")
    flow.retrain_if_needed(nights, SCHEDULED)
    assert rows_of(nights, DECISIONS) == before
    assert stored[-1].after is not None
    assert registry.champion_version() == stored[-1].after.champion


def test_stored_decisions_are_reproduced_byte_for_byte(
    nights: JobContext, capsys: pytest.CaptureFixture[str]
) -> None:
    flow.run_replay(nights)
    assert "decisions reproduced byte for byte" in capsys.readouterr().out
    stored = entries_of(nights, SCHEDULED)
    forged = [replace(stored[0], decision=replace(stored[0].decision, reason="no")), *stored[1:]]
    write_night(nights.lakehouse, SCHEDULED, forged)
    with pytest.raises(ReplayError, match="1 of 4 decisions"):
        flow.run_replay(nights)
    write_night(nights.lakehouse, SCHEDULED, stored)


def test_other_thresholds_show_what_would_have_been(
    spark: SparkSession, nights: JobContext, lakehouse: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = context_of(spark, lakehouse, "policy.schedule_days=100", "policy.bad_nights=3")
    flow.run_replay(other)
    said = capsys.readouterr().out
    assert "1 night would have been decided otherwise" in said
    replay.find_thresholds(nights.lakehouse, nights.config.policy, 400.0)
    assert "quiet enough on these 2 nights" in capsys.readouterr().out


def test_broken_feed_holds_the_night_and_teaches_nothing(
    spark: SparkSession, nights: JobContext, lakehouse: Path, simulated_log: KnownLog
) -> None:
    # No night is fresher than its newest event; so none is fresh enough.
    stale = context_of(spark, lakehouse, "checks.max_hours_behind=0.0001")
    outcome = flow.nightly(stale, BROKEN, str(simulated_log.path))
    assert outcome.is_held
    [held] = entries_of(nights, BROKEN)
    assert (held.decision.kind, held.decision.rule) == ("hold", "data_checks")
    assert held.after == held.before
    assert nights.lakehouse.read(SCORES).filter(F.col("as_of") == F.lit(BROKEN)).isEmpty()
    [alert] = [a for a in read_alerts(nights.lakehouse) if a.key == "data:freshness"]
    assert (alert.severity, alert.opened) == ("critical", BROKEN)


def test_night_of_a_mistyped_date_is_held_and_does_not_stand_before_the_true_ones(
    nights: JobContext, simulated_log: KnownLog
) -> None:
    log, true = str(simulated_log.path), date(2018, 11, 29)
    # Users are still in the population, or there is nobody left.
    for mistyped in (date(2019, 1, 15), date(2031, 1, 1)):
        assert flow.nightly(nights, mistyped, log).is_held
        assert newest_night(nights.lakehouse) == mistyped
    assert not flow.nightly(nights, true, log).is_held
    assert [entry.decision.rule for entry in entries_of(nights, true)] != []
    assert newest_night(nights.lakehouse) == true
    for spec, column in ((SNAPSHOTS, "as_of"), (LABELS, "as_of"), (USER_TOTALS, "before")):
        assert max(nights.lakehouse.partition_values(spec, column)) <= true
    assert "data:freshness" not in {
        alert.key for alert in read_alerts(nights.lakehouse) if alert.opened > true
    }


def test_plans_tell_each_job_and_change_no_byte(
    nights: JobContext,
    lakehouse: Path,
    simulated_log: KnownLog,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def content() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in lakehouse.rglob("*") if path.is_file()}

    before = content()
    options = {"events": str(simulated_log.path), "refresh_from": FIRST, "user": ["nobody"]}
    planner = Planner(nights.lakehouse, nights.config, options)
    writers = [
        one.name
        for one in USE_CASES
        if (one.writes or one.leaves) and one is not freshness.USE_CASE
    ]
    for name in writers:
        say_plan(planner, name, [SCHEDULED])
    for name in ("nightly", "score_users", "monitor_model", "retrain_if_needed"):
        with pytest.raises(OtherModelError, match="it has already seen what happened"):
            say_plan(planner, name, [FIRST - timedelta(days=1)])
    assert content() == before
    said = capsys.readouterr().out
    assert all(f"{name:<20} plan for {SCHEDULED}; nothing is written:" in said for name in writers)
    assert "ingest_events        nothing: no file is new" in said
    assert "build_session_days   nothing: it is built from version" in said
    assert "the snapshot of 2018-11-27: built anew, though up to date with the log" in said
    assert "ml/scores of 2018-11-27 (" in said


def test_plan_of_a_first_night_names_the_files_and_the_training(
    spark: SparkSession,
    tmp_path: Path,
    simulated_log: KnownLog,
    capsys: pytest.CaptureFixture[str],
) -> None:
    empty = context_of(spark, tmp_path / "lakehouse")
    planner = Planner(empty.lakehouse, empty.config, {"events": str(simulated_log.path)})
    say_plan(planner, "nightly", [None])
    said = capsys.readouterr().out
    assert re.search(r"^ingest_events +\d+ files new; [\d.]+ MB$", said, re.MULTILINE)
    assert "train_model          a model, trained on weekly dates known by then" in said
    assert "expected run time: not known yet" in said
    assert not (tmp_path / "lakehouse").exists()


@pytest.mark.parametrize(
    ("outcome", "fail_on_alert", "code"),
    [
        (Outcome(is_held=True, alerts=("data:volume",)), True, 30),
        (Outcome(is_asked=True, alerts=("drift:songs",)), True, 20),
        (Outcome(alerts=("drift:songs",)), True, 10),
        (Outcome(alerts=("drift:songs",)), False, 0),
        (Outcome(), True, 0),
    ],
)
def test_exit_code_tells_how_the_night_ended(
    outcome: Outcome, fail_on_alert: bool, code: int
) -> None:
    assert code_of(outcome, fail_on_alert=fail_on_alert) == code


def test_champion_named_by_a_human_is_adopted(nights: JobContext) -> None:
    registry = registry_of(nights)
    before = registry.champion_version()
    other = "1" if before == "2" else "2"
    uri = f"sqlite:///{Path(nights.config.lakehouse).resolve()}/mlflow/mlflow.db"
    MlflowClient(uri, uri).set_registered_model_alias("churn", "champion", other)
    settle_on(nights, date(2018, 11, 29))
    newest = read_entries(nights.lakehouse)[-1]
    assert (newest.decision.rule, newest.decision.version) == ("human", other)
    assert newest.decision.rule in STANDING_RULES
    assert newest.after is not None
    assert newest.after.champion == registry.champion_version() == other
    # Settled: nothing more to adopt.
    settle_on(nights, date(2018, 11, 29))
    assert to_json(read_entries(nights.lakehouse)[-1].decision) == to_json(newest.decision)


@pytest.mark.slow
def test_nights_judge_whoever_waits_and_replace_whoever_cannot_serve(
    spark: SparkSession, mini_log: KnownLog, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = str(mini_log.path)
    folder = tmp_path / "lakehouse"
    context = context_of(spark, folder)
    flow.nightly(context, FIRST, log)
    by_hand = flow.train_model(context, LATER[0])
    assert registry_of(context).state().challenger == by_hand
    flow.nightly(context, LATER[0], log)
    [judged] = entries_of(context, LATER[0])
    assert (judged.decision.rule, judged.decision.version) == ("challenger", by_hand)
    assert registry_of(context).state().challenger is None
    said = capsys.readouterr().out
    assert f"1 night before this one left out, {FIRST + timedelta(days=1)}: nothing" in said

    # Another label is refused, and in charge once a model of it has been trained.
    shorter = context_of(spark, folder, "labels.horizon_days=10")
    with pytest.raises(OtherModelError, match=r"labels\.horizon_days 14, configured is 10"):
        flow.nightly(shorter, LATER[1], log)
    heir = flow.train_model(shorter, LATER[1])
    flow.nightly(shorter, LATER[1], log)
    assert of_succession(shorter, LATER[1]) == heir

    # Another release computes a feature otherwise: none of the models before knows that.
    for encoding in folder.rglob("model/encoding.json"):
        known = json.loads(encoding.read_text())
        encoding.write_text(json.dumps(known | {"fingerprint": "00aa"}))
    released = context_of(spark, folder, "labels.horizon_days=10")
    flow.nightly(released, LATER[2], log)
    successor = of_succession(released, LATER[2])
    assert successor not in (None, heir)
    scores = released.lakehouse.read(SCORES).filter(F.col("as_of") == F.lit(LATER[2]))
    assert [row.model_version for row in scores.select("model_version").distinct().collect()] == [
        successor
    ]
    flow.run_replay(released)
    assert "decisions reproduced byte for byte" in capsys.readouterr().out


def of_succession(context: JobContext, night: date) -> str | None:
    """The version that has taken over on a night, and stands before what it has decided."""
    replaced, decided = entries_of(context, night)
    assert (replaced.decision.kind, replaced.decision.rule) == ("promote", "replaced")
    assert decided.before == replaced.after
    assert registry_of(context).champion_version() == replaced.decision.version
    return replaced.decision.version
