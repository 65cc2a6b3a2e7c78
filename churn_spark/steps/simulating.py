"""Where the parts of a simulation run: in this process, or on Spark's workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

from pyspark.sql import SparkSession

from churn_spark import job
from churn_spark.simulate.world import Runner, run_here

# A part of a simulation takes seconds, and so does starting Spark.
MAX_PARTS_HERE = 4

Task = TypeVar("Task")
Result = TypeVar("Result")


@contextmanager
def open_runner(n_parts: int, env: str, overrides: list[str] | None) -> Iterator[Runner]:
    """Give what runs the parts of a job: this process where they are few, else Spark's workers.

    Raises:
        ConfigError: if the configuration doesn't fit.
        MachineError: if Java or the jars are missing where Spark is needed.
    """
    if n_parts <= MAX_PARTS_HERE:
        yield run_here
        return
    with job.open_job("simulate_events", env, overrides) as context:
        yield partial(run_on_spark, context.spark)


def run_on_spark(
    spark: SparkSession, function: Callable[[Task], Result], tasks: Sequence[Task]
) -> list[Result]:
    """Run a function on every task, each a Spark task of its own."""
    job.say("", f"{len(tasks)} parts on {spark.sparkContext.master}")
    return spark.sparkContext.parallelize(tasks, len(tasks)).map(function).collect()
