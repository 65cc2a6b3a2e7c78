"""What a night asks of Spark, in small, for the archive of classes (`runtime/archive.py`).

`python -m churn_spark.runtime.exercise FOLDER JAVA_OPTIONS` runs it in a JVM with these options
and ends when that JVM has ended, for it is at its end that a JVM writes an archive.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import pandas as pd
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.window import Window

from churn_spark.config import load_config
from churn_spark.runtime.archive import LOCAL
from churn_spark.runtime.session import StartingSession
from churn_spark.runtime.spark_lines import INSTALLED

_KEY: Final = ["day", "user_id"]


def use_what_a_night_uses(spark: SparkSession, folder: Path) -> None:
    """Write and read Delta tables, parse, aggregate, join, call Python, and let it fit trees."""
    path = str(folder / "table")
    rows = _make_rows(spark)
    rows.write.format("delta").partitionBy("day").save(path)
    newest = rows.filter(F.col("day") == "2018-10-02")
    writer = newest.write.format("delta").mode("overwrite").option("userMetadata", "{}")
    writer.option("replaceWhere", "day = '2018-10-02'").save(path)
    table = spark.read.format("delta").load(path)
    newest.write.format("delta").mode("append").save(path)
    _aggregate(table).write.format("delta").save(f"{path}_of_users")
    of_users = spark.read.format("delta").load(f"{path}_of_users")
    of_users.orderBy(*_KEY).toPandas()
    joined = table.join(F.broadcast(of_users), _KEY, "left").join(of_users, _KEY, "left_semi")
    joined.mapInPandas(_pass_on, joined.schema).write.format("delta").save(f"{path}_joined")
    small = spark.createDataFrame(pd.DataFrame({"user_id": ["1"], "value": [1.0]}))
    table.join(small, "user_id").groupBy("day").count().collect()
    spark.sql(f"DESCRIBE HISTORY delta.`{path}`").collect()
    if INSTALLED.has_synapseml:
        _fit_trees(table)


def _make_rows(spark: SparkSession) -> DataFrame:
    text = F.concat(F.lit('{"page": "NextSong", "ts": '), F.col("id"), F.lit(', "length": 1.5}'))
    parsed = F.from_json(text, "page string, ts bigint, length double")
    return (
        spark.range(400, numPartitions=2)
        .withColumn("parsed", parsed)
        .select(
            F.to_date(F.lit("2018-10-01")).alias("first"),
            (F.col("id") % 40).cast("string").alias("user_id"),
            F.timestamp_millis(F.col("parsed.ts")).alias("event_ts"),
            F.xxhash64("id").alias("hash"),
            (F.col("parsed.length") * F.col("id")).alias("length"),
            (F.col("id") % 2).cast("int").alias("label"),
            "parsed.page",
        )
        .withColumn("day", F.date_add("first", F.col("label")))
        .drop("first")
    )


def _aggregate(table: DataFrame) -> DataFrame:
    by_user = Window.partitionBy("user_id").orderBy("day", "hash")
    last_week = by_user.rowsBetween(-7, Window.currentRow)
    return (
        table.dropDuplicates(["user_id", "hash"])
        .withColumn("so_far", F.sum("length").over(last_week))
        .withColumn("before", F.lag("event_ts").over(by_user))
        .groupBy(*_KEY)
        .agg(
            F.count("*").alias("n"),
            F.sum(F.when(F.col("page") == "NextSong", F.col("so_far"))).alias("songs"),
            F.count_distinct("page").alias("pages"),
            F.max("before").alias("newest"),
            F.collect_set("page").alias("set_of_pages"),
        )
    )


def _pass_on(parts: Iterable[pd.DataFrame]) -> Iterable[pd.DataFrame]:
    yield from parts


def _fit_trees(rows: DataFrame) -> None:
    from pyspark.ml.feature import VectorAssembler
    from synapse.ml.lightgbm import LightGBMClassifier

    features = VectorAssembler(inputCols=["length"], outputCol="features").transform(rows)
    trees = LightGBMClassifier(numIterations=2, numLeaves=3, labelCol="label", minDataInLeaf=1)
    trees.fit(features.select("features", "label")).getNativeModel()


def main(folder: str, options: str) -> None:
    """Run the exercise and wait for the JVM's end."""
    config = load_config(overrides=[f"spark.master={LOCAL}"]).spark
    starting = StartingSession(config, "churn_spark set-up", options)
    spark = starting.wait()
    gateway = spark.sparkContext._gateway
    use_what_a_night_uses(spark, Path(folder))
    spark.stop()
    assert gateway is not None  # there has just been a session
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
