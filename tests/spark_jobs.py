"""How many Spark jobs something takes: each costs planning, whatever it works on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import SparkSession


@contextmanager
def counted_jobs(spark: SparkSession) -> Iterator[list[int]]:
    """Gives a list that holds the number of jobs once the block has ended."""
    scheduler = spark.sparkContext._jsc.sc().dagScheduler()
    before, found = scheduler.numTotalJobs(), list[int]()
    yield found
    found.append(scheduler.numTotalJobs() - before)
