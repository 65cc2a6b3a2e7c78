"""Our own Spark transforms on another engine: `python -m bench.peers.with_sail sail|spark ...`.

Sail answers Spark's Connect protocol without a JVM, so the transforms run on it as they are.
The arguments are ENGINE LAKEHOUSE OUT DATE...: session days of the lakehouse become snapshots of
all dates and their labels, by the window functions that serve many dates.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from bench.peers.shared import Stopwatch
from churn_spark.config import load_config

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@contextmanager
def open_sail() -> Iterator[SparkSession]:
    """A session on a Sail server in this process."""
    # Before pyspark is imported: its functions then speak the protocol.
    os.environ["SPARK_CONNECT_MODE_ENABLED"] = "1"
    from pysail.spark import SparkConnectServer
    from pyspark.sql import SparkSession

    server = SparkConnectServer()
    server.start(background=True)
    address = f"sc://localhost:{server.listening_address[1]}"
    spark = SparkSession.builder.remote(address).getOrCreate()
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    yield spark
    server.stop()


@contextmanager
def open_spark() -> Iterator[SparkSession]:
    """A session as jobs have it."""
    from churn_spark.runtime.session import build_session

    spark = build_session(load_config().spark, "bench-speed")
    yield spark
    spark.stop()


def main(arguments: Sequence[str]) -> None:
    """Build both tables, write them as Parquet, and print what each took."""
    engine, lakehouse, out, *texts = arguments
    dates = [date.fromisoformat(text) for text in texts]
    learning, watch = load_config().learning, Stopwatch()
    folder = Path(out)
    folder.mkdir(parents=True)
    with {"sail": open_sail, "spark": open_spark}[engine]() as spark:
        from churn_spark.contracts.tables import SESSION_DAYS
        from churn_spark.features.labels import build_first_cancels
        from churn_spark.features.snapshots import build_snapshots

        days = spark.read.format("delta").load(f"{lakehouse}/{SESSION_DAYS.path}")
        with watch.stage("features"):
            snapshots = build_snapshots(days, dates, learning.snapshots.active_days).toPandas()
            snapshots.to_parquet(folder / "features.parquet", index=False)
        with watch.stage("labels"):
            build_first_cancels(days).toPandas()
    sys.stdout.write(json.dumps(watch.steps) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
