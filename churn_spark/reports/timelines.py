"""Session days of a few users -> what they did on each day before a date."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churn_spark.evaluation.examples import EXAMPLE_DAYS


def build_timelines(session_days: DataFrame, chosen: DataFrame) -> DataFrame:
    """Sum up the last days before each chosen row's date.

    Grain: (as_of, user_id, day); `day` is -1 for the day before the date, and only days with
    events have a row. At most `EXAMPLE_DAYS` rows for each of `chosen`.

    Args:
        session_days: the table.
        chosen: as_of and user_id of a handful of users.
    """
    known = session_days.join(
        F.broadcast(chosen.select("as_of", "user_id")), "user_id", "inner"
    ).withColumn("day", F.datediff("event_date", "as_of"))
    return (
        known.filter(F.col("day").between(-EXAMPLE_DAYS, -1))
        .groupBy("as_of", "user_id", "day")
        .agg(
            F.countDistinct("session_id").alias("n_sessions"),
            F.sum("n_songs").alias("n_songs"),
            F.sum("n_roll_advert").alias("n_adverts"),
            F.sum("n_downgrade").alias("n_downgrades"),
        )
    )
