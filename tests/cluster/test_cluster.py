"""Nights on a standalone cluster of two workers leave what local nights leave."""

from __future__ import annotations

import subprocess
import sys

import pandas as pd
import pytest
from cluster_nights import LEARNT_LIGHTLY, LivedNights

from bench import same_lakehouse
from bench.built_lakehouse import BuiltLakehouse
from bench.executor_tasks import read_tasks
from bench.standalone import StandaloneCluster
from churn_spark.contracts.tables import VALIDATION_SCORES
from churn_spark.evaluation.bootstrap import bootstrap_by_user


def test_tables_are_those_of_local_nights(lived: LivedNights) -> None:
    """Also those of the night in which a worker was killed, and of the night after it."""
    assert same_lakehouse.say_tables(lived.local, lived.distributed) == []
    assert {*lived.local.tables} == {*lived.distributed.tables}
    assert lived.local.champion_version() == lived.distributed.champion_version() == "1"


@pytest.mark.parametrize(
    "work", ["collect at native_feed.py", "collect at rollups.py", "MapInPandas"]
)
def test_what_is_above_its_bound_is_done_by_both_workers(lived: LivedNights, work: str) -> None:
    """Reading the log, rolling it up, and what is said of each user."""
    first = lived.tasks[lived.dates[0]]
    assert len(first.executors(work)) == 2, first.by_work.keys()


def test_worker_was_lost_in_the_middle_of_a_night(lived: LivedNights) -> None:
    undisturbed, killed = (lived.tasks[lived.dates[n]] for n in (1, 2))
    assert not undisturbed.lost
    (lost,) = killed.lost
    done = {executor: n for executor, n in killed.n_tasks.items() if executor != lost}
    assert killed.n_tasks[lost] > 0
    assert sum(done.values()) > undisturbed.n_tasks.total() // 4


def test_packages_are_not_on_the_workers(cluster: StandaloneCluster) -> None:
    """What the executors import is what `spark-submit.sh` has sent."""
    code = "import importlib.util as u; print(u.find_spec('churn_spark'), u.find_spec('jobs'))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=cluster.folder,
        env=cluster.environment(cluster.folder),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "None None\n"


def test_trees_of_both_workers_are_as_good_as_local_ones(lived: LivedNights) -> None:
    """With other borders of bins, so a little other trees."""
    night = ["--date", str(lived.dates[0])]
    # Half of the users, so that enough of them cancel for an interval.
    shared = [*LEARNT_LIGHTLY, "training.validation_share=0.5"]
    known = {*_scores_by_run(lived.local), *_scores_by_run(lived.distributed)}
    lived.run_locally("train_model", night, shared)
    training = lived.submit("train_model", night, [*shared, "lightgbm.rows_per_task=100"])
    training.wait()
    assert len(read_tasks(training.event_log).executors("collect at LightGBMBase.scala")) == 2
    one, two = (
        next(scores for run, scores in _scores_by_run(lakehouse).items() if run not in known)
        for lakehouse in (lived.local, lived.distributed)
    )
    both = one.merge(two, on=["as_of", "user_id", "label"], suffixes=("_one", "_two"))
    assert len(both) == len(one) == len(two)
    measured = bootstrap_by_user(
        both["label"].to_numpy(),
        {name: both[f"churn_probability_{name}"].to_numpy() for name in ("one", "two")},
        both["user_id"].to_numpy(),
        thresholds={"one": 0.5, "two": 0.5},
        n_replicas=400,
        seed=7,
    )
    auc, found = measured.interval("one", "roc_auc"), measured.values["two"]["roc_auc"]
    same_lakehouse.console.print(f"AUC of local trees {auc}, of both workers' trees {found:.3f}")
    assert auc.low <= found <= auc.high


def _scores_by_run(lakehouse: BuiltLakehouse) -> dict[str, pd.DataFrame]:
    """Run -> the validation users as the trees of this run see them."""
    scores = lakehouse.read(VALIDATION_SCORES.path).to_pandas()
    trees = scores[scores["family"] == "lightgbm"]
    return {str(run): rows for run, rows in trees.groupby("run_id")}
