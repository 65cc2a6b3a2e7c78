"""The Spark session: one way to build it, at a desk and under `spark-submit`."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from pyspark.sql import SparkSession

from churn_spark.config import SparkConfig, conf_folder
from churn_spark.runtime.jars import spark_jar_settings
from churn_spark.runtime.java import configure_java


def build_session(config: SparkConfig, app_name: str) -> SparkSession:
    """Start Spark, or join the JVM that `spark-submit` has started.

    Jars, master and memory can be given only before the JVM starts, so under `spark-submit`
    they are the command line's business.

    Raises:
        MachineError: if no Java 17 is to be found.
    """
    os.environ["TZ"] = "UTC"
    time.tzset()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    root = str(Path(__file__).resolve().parent.parent)
    # Python workers don't inherit sys.path, only this.
    os.environ["PYTHONPATH"] = os.pathsep.join(
        dict.fromkeys([root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))])
    )
    builder = SparkSession.builder.appName(app_name)
    if "PYSPARK_GATEWAY_PORT" not in os.environ:
        configure_java()
        builder = builder.master(config.master)
        for key, value in (_launch_settings(config) | spark_jar_settings()).items():
            builder = builder.config(key, value)
    for key, value in (_sql_settings(config) | _worker_settings()).items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return session


def _launch_settings(config: SparkConfig) -> dict[str, str]:
    return {
        "spark.driver.memory": config.driver_memory,
        "spark.driver.extraJavaOptions": (
            "-XX:+UseParallelGC -XX:MetaspaceSize=256m -Duser.timezone=UTC "
            f"-Dlog4j2.configurationFile=file:{conf_folder() / 'log4j2.properties'}"
        ),
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    }


def _worker_settings() -> dict[str, str]:
    """The environment of Python workers, each of which has one core."""
    return {"spark.executorEnv.POLARS_MAX_THREADS": "1"}


def _sql_settings(config: SparkConfig) -> dict[str, str]:
    partitions = str(config.shuffle_partitions)
    return {
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": partitions,
        "spark.sql.files.maxPartitionBytes": config.max_partition_bytes,
        # Delta replays its log in this many tasks; 50, the default, costs seconds on a laptop.
        "spark.databricks.delta.snapshotPartitions": partitions,
        "spark.sql.execution.arrow.pyspark.enabled": "true",
    }
