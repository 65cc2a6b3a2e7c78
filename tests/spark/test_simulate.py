"""A big log is simulated by Spark's workers: to the bytes that one process gives."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from builders import bytes_of
from pyspark.sql import SparkSession

from churn_spark.pipeline.simulate import run_on_spark
from churn_spark.simulate.population import BLOCK_USERS, count_blocks
from churn_spark.simulate.settings import SimulationSettings
from churn_spark.simulate.world import simulate_log


def test_workers_write_the_bytes_that_one_process_writes(
    spark: SparkSession, tmp_path: Path
) -> None:
    settings = SimulationSettings(users=BLOCK_USERS + 100, days=1, seed=2)
    assert count_blocks(settings) == 2
    simulate_log(settings, tmp_path / "here")
    simulate_log(settings, tmp_path / "there", partial(run_on_spark, spark))
    assert bytes_of(tmp_path / "there") == bytes_of(tmp_path / "here")
