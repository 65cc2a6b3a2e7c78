"""The scores of a date -> the list that a retention team works from that morning."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta

import pandas as pd
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from churn_spark.config import MAX_LISTED, RetentionListConfig
from churn_spark.contracts.tables import RETENTION_LISTS
from churn_spark.lakehouse.schema import conform, struct_of
from churn_spark.models.bundle import ModelBundle
from churn_spark.models.what_if import behaviour_candidates, best_changes


@dataclass(frozen=True)
class Stability:
    """How much of the newest earlier list is still on this one.

    Attributes:
        n_listed: users on the list.
        n_before: users on the newest earlier list; 0 where there is none.
        n_kept: users on both.
    """

    n_listed: int
    n_before: int
    n_kept: int

    @property
    def share_kept(self) -> float:
        """Share of the earlier list that is on this one; 0 where there is no earlier list."""
        return self.n_kept / self.n_before if self.n_before else 0.0

    @property
    def jaccard(self) -> float:
        """Users on both over users on either; 0 where both are empty."""
        n_either = self.n_listed + self.n_before - self.n_kept
        return self.n_kept / n_either if n_either else 0.0

    def describe(self) -> str:
        """`40 of 50 kept (80 %; Jaccard 0.67)`."""
        if not self.n_before:
            return "no earlier list"
        return (
            f"{self.n_kept:,} of {self.n_before:,} of the list before kept "
            f"({self.share_kept:.0%}, Jaccard {self.jaccard:.2f})"
        )


def build_retention_list(
    scores: DataFrame,
    suppressed: DataFrame,
    earlier_lists: DataFrame,
    as_of: date,
    config: RetentionListConfig,
) -> DataFrame:
    """The users with most value at risk, as many as the team can call, and since when listed.

    A user is left out who has nothing at risk, who is suppressed (`until` is the first date on
    which the user may be on a list again; without one, never), or who was on a list less than
    `quiet_days` days ago. With 0 a user stays on the list while the value at risk is high enough;
    those whom the team has reached must then be in the suppression list.

    `earlier_lists` may hold any dates; only those before `as_of` count, so the list of a date
    can be built again. It depends on the earlier ones, so a list that is built late changes
    what those after it would say: build dates in order, or the later ones again. Without quiet
    days the users on a list and their order depend on the scores alone.

    Grain: (as_of, user_id). No `would_help` yet: see `add_changes`.

    Args:
        scores: of the date, one model version.
        suppressed: user_id, until.
        earlier_lists: rows of `RETENTION_LISTS`.
        as_of: date of the list.
        config: capacity and quiet days.
    """
    before = earlier_lists.filter(F.col("as_of") < F.lit(as_of))
    kept_away = suppressed.filter(F.col("until").isNull() | (F.col("until") > F.lit(as_of)))
    resting = before.filter(F.col("as_of") > F.lit(as_of - timedelta(days=config.quiet_days)))
    everybody = Window.partitionBy("as_of")
    # A total order: two users never share all three.
    by_value = everybody.orderBy(F.desc("value_at_risk"), F.desc("churn_probability"), "user_id")
    listed = (
        scores.withColumn("capacity", _capacity(F.count(F.lit(1)).over(everybody), config))
        .filter(F.col("value_at_risk") > 0)
        .join(kept_away, "user_id", "left_anti")
        .join(resting.select("user_id"), "user_id", "left_anti")
        .withColumn("list_rank", F.row_number().over(by_value))
        .filter(F.col("list_rank") <= F.col("capacity"))
        .join(newest_list(before), "user_id", "left")
    )
    since = F.coalesce("since_before", "as_of")
    return conform(
        listed.select(
            "as_of",
            "user_id",
            "model_version",
            "list_rank",
            "churn_probability",
            "risk_band",
            "value_at_risk",
            "reasons",
            "reason_fields",
            F.array().cast("array<string>").alias("would_help"),
            since.alias("on_list_since"),
            (F.datediff("as_of", since) + 1).alias("days_on_list"),
            "previous_rank",
        ),
        RETENTION_LISTS,
    )


def measure_stability(listed: DataFrame, earlier_lists: DataFrame, as_of: date) -> Stability:
    """How much of the newest list before `as_of` is still there.

    Args:
        listed: the list of the date.
        earlier_lists: rows of `RETENTION_LISTS`; only those before `as_of` count.
        as_of: date of the list.
    """
    n_listed, n_kept = listed.select(F.count(F.lit(1)), F.count("previous_rank")).first() or (0, 0)
    before = newest_list(earlier_lists.filter(F.col("as_of") < F.lit(as_of)))
    return Stability(n_listed, before.count(), n_kept)


def newest_list(lists: DataFrame) -> DataFrame:
    """The newest of some lists: since when each user is on it, and where.

    Grain: user_id.
    """
    newest = lists.agg(F.max("as_of").alias("as_of"))
    return lists.join(F.broadcast(newest), "as_of", "left_semi").select(
        "user_id",
        F.col("on_list_since").alias("since_before"),
        F.col("list_rank").alias("previous_rank"),
    )


def add_changes(
    listed: DataFrame, users: DataFrame, bundle: ModelBundle, config: RetentionListConfig
) -> DataFrame:
    """The list with what would lower each user's risk most, by the model that scored them.

    At most four values a feature are tried, on the users of the list and never on everybody:
    at most `MAX_LISTED` rows a candidate.

    Grain: that of `listed`, (as_of, user_id).

    Args:
        listed: from `build_retention_list`.
        users: the features that were scored, of these users at least.
        bundle: the model that scored them.
        config: how many changes, and from what drop of the risk on.
    """
    candidates = behaviour_candidates(
        bundle.features, bundle.baseline, bundle.encoding.levels, bundle.encoding.typical
    )
    declared = {feature.name: feature for feature in bundle.features}
    # Workers need no baseline.
    model = replace(bundle, baseline=bundle.baseline.iloc[:0])

    def try_changes(batches: Iterable[pd.DataFrame]) -> Iterable[pd.DataFrame]:
        for batch in batches:
            found = best_changes(
                batch, model.probabilities, candidates, config.n_changes, config.min_drop
            )
            texts = [
                [change.describe(declared[change.feature]) for change in changes]
                for changes in found
            ]
            would_help = pd.Series(texts, index=batch.index, dtype=object)
            yield batch[RETENTION_LISTS.column_names].assign(would_help=would_help)

    inputs = users.select("as_of", "user_id", *bundle.encoding.features)
    # In one pass with the list's own columns: joining the answers back would build it twice.
    known = listed.join(inputs, ["as_of", "user_id"], "left")
    return conform(known.mapInPandas(try_changes, struct_of(RETENTION_LISTS)), RETENTION_LISTS)


def _capacity(n_scored: Column, config: RetentionListConfig) -> Column:
    """How many fit on the list: the number itself, or that share of the scored, at least one."""
    if isinstance(config.capacity, int):
        return F.lit(config.capacity)
    # 0.29 x 100 is 28.999...: a share that is meant to be a whole number is one.
    share = F.floor(F.lit(config.capacity) * n_scored + F.lit(1e-9))
    return F.least(F.greatest(share, F.lit(1)), F.lit(MAX_LISTED))
