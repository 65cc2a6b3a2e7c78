"""The Spark session: one way to build it, at a desk and under `spark-submit`.

A JVM takes seconds to start, and so do the imports of a job: with `StartingSession` the caller
imports while the JVM comes up.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from pyspark import SparkConf, SparkContext
from pyspark.sql import SparkSession

from churn_spark.config import SparkConfig, conf_folder
from churn_spark.runtime.archive import archive_options
from churn_spark.runtime.jars import class_path_environment, packages_for, spark_jar_settings
from churn_spark.runtime.java import configure_java, is_submitted
from churn_spark.runtime.object_store import adopt_settings, hadoop_settings

_MAX_METADATA_TASKS: Final = 4


def build_session(config: SparkConfig, app_name: str) -> SparkSession:
    """Start Spark, or join the JVM that `spark-submit` has started.

    Jars, master and memory can be given only before the JVM starts, so under `spark-submit`
    they are the command line's business.

    Raises:
        MachineError: if no Java 17 is to be found.
    """
    return StartingSession(config, app_name).wait()


class StartingSession:
    """A session whose JVM starts in a thread, from the moment on that this is made."""

    def __init__(
        self,
        config: SparkConfig,
        app_name: str,
        java_options: str | None = None,
        places: Sequence[str | None] = (),
    ) -> None:
        """Let it start.

        Args:
            config: the section of the configuration.
            app_name: what Spark calls it.
            java_options: of the JVM, in place of those that use the archive of classes.
            places: where it will read and write, as far as that is known.
        """
        os.environ["TZ"] = "UTC"
        time.tzset()
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        root = str(Path(__file__).resolve().parents[2])
        # Python workers don't inherit sys.path, only this.
        paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
        os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))
        self._settings = _sql_settings(config)
        thread = ThreadPoolExecutor(1, "start-spark")
        packages = packages_for(*places)
        self._started = thread.submit(_start_context, config, app_name, java_options, packages)
        thread.shutdown(wait=False)

    def wait(self) -> SparkSession:
        """The session, as soon as its JVM is up.

        It is made here and not in the thread that starts the JVM: Spark keeps the active
        session, and so its settings, by thread.

        Raises:
            MachineError: if no Java 17 is to be found.
        """
        self._started.result()
        builder = SparkSession.builder
        for key, value in self._settings.items():
            builder = builder.config(key, value)
        spark = builder.getOrCreate()
        adopt_settings(spark._jsc.hadoopConfiguration().get)
        return spark

    def stop(self) -> None:
        """Stop it once it is up; what could not start has nothing to stop.

        SynapseML leaves a pool with a live thread behind each fit, which ends when it is garbage
        collected. A JVM that Python has started is ended with Python; that of spark-submit would
        wait for the thread.
        """
        if self._started.exception() is not None:
            return
        spark = self.wait()
        spark.stop()
        if is_submitted():
            jvm: Any = spark._jvm
            jvm.System.gc()


def has_session() -> bool:
    """Whether Spark runs in this process already, started by whomever."""
    return SparkContext._active_spark_context is not None


def _start_context(
    config: SparkConfig, app_name: str, java_options: str | None, packages: tuple[str, ...]
) -> None:
    settings = _sql_settings(config) | _worker_settings() | hadoop_settings()
    conf = SparkConf().setAppName(app_name).setAll(list(settings.items()))
    if not is_submitted():
        configure_java()
        os.environ.update(class_path_environment(config.master, packages))
        launched_with = _launch_settings(config, java_options, packages)
        conf.setMaster(config.master).setAll(list(launched_with.items()))
    SparkContext.getOrCreate(conf).setLogLevel("ERROR")


def _launch_settings(
    config: SparkConfig, java_options: str | None, packages: tuple[str, ...]
) -> dict[str, str]:
    """What the JVM is started with.

    Args:
        config: the section of the configuration.
        java_options: further options of the JVM, in place of those that use the archive of
            classes.
        packages: whose jars it needs.
    """
    log4j = conf_folder().absolute() / "log4j2.properties"
    return spark_jar_settings(config.master, packages) | {
        "spark.driver.memory": config.driver_memory,
        "spark.driver.extraJavaOptions": " ".join(
            [
                "-XX:+UseParallelGC -XX:MetaspaceSize=256m -Duser.timezone=UTC",
                # As an address: a space in a path would end the option.
                f"-Dlog4j2.configurationFile={log4j.as_uri()}",
                archive_options() if java_options is None else java_options,
            ]
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
    # A table's log is a few thousand files, however large its rows are.
    metadata_tasks = str(min(config.shuffle_partitions, _MAX_METADATA_TASKS))
    return {
        "spark.sql.session.timeZone": "UTC",
        # What doesn't fit its type is an error and no null, as it is from Spark 4 on.
        "spark.sql.ansi.enabled": "true",
        # As many at most: adaptive execution, which is on, joins those that turn out small.
        "spark.sql.shuffle.partitions": str(config.shuffle_partitions),
        "spark.sql.files.maxPartitionBytes": config.max_partition_bytes,
        # Delta replays its log in this many tasks; 50, the default, costs seconds on a laptop.
        "spark.databricks.delta.snapshotPartitions": metadata_tasks,
        # VACUUM lists files in this many tasks, 10,000 by default.
        "spark.sql.sources.parallelPartitionDiscovery.parallelism": metadata_tasks,
        "spark.sql.execution.arrow.pyspark.enabled": "true",
    }
