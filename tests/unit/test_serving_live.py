"""The service on a published champion and real Delta tables, written while it runs."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import httpx
from champion_builders import publish
from serving_builders import (
    AS_OF,
    make_bundle,
    make_config,
    make_scores,
    running,
    write_scores,
)

from churn_spark.serving.service import Service


def wait_for(address: str, path: str, text: str) -> httpx.Response:
    for _ in range(2000):
        answer = httpx.get(f"{address}{path}")
        if text in answer.text:
            return answer
    raise AssertionError(answer.text)


def test_new_champion_and_new_night_are_picked_up(tmp_path: Path) -> None:
    config = make_config(tmp_path, require_key=False)
    old = publish(config, make_bundle(seed=0), "1")
    night, next_night = AS_OF, AS_OF + timedelta(days=1)
    write_scores(make_scores(old, config, 20, night), config)
    with running(Service(config.service)) as address:
        wait_for(address, "/ready", "version 1")
        assert wait_for(address, "/list", str(night)).json()["n_users"] == 20
        card = httpx.get(f"{address}/model").json()
        assert (card["metrics"], card["trained_on"]) == (
            {"roc_auc": 0.71, "f1": None},
            {"as_of": str(AS_OF)},
        )
        new = publish(config, make_bundle(seed=50), "2")
        write_scores(make_scores(new, config, 30, next_night), config)
        wait_for(address, "/ready", "version 2")
        listed = wait_for(address, "/list", str(next_night)).json()
        assert (listed["n_users"], listed["model_version"]) == (30, "2")


def test_service_starts_where_there_is_no_spark_and_no_mlflow() -> None:
    code = (
        "import sys; absent = ['pyspark', 'py4j', 'delta', 'synapse', 'mlflow']\n"
        "sys.modules.update(dict.fromkeys(absent))\n"
        "import jobs.serve"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
