"""The scores of a date -> the list that a retention team works from that morning."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

from churn_spark.config import MAX_LISTED, RetentionListConfig
from churn_spark.contracts.pages import FREE
from churn_spark.contracts.tables import BEHAVIOUR_PARTS, RETENTION_LISTS
from churn_spark.contracts.tables.ml import BY_VALUE, LEFT_ALONE, LISTED
from churn_spark.lakehouse.frames import (
    Batches,
    Rows,
    apply,
    collect,
    count_rows,
    first_rows,
    of_users,
    without_users,
)
from churn_spark.lakehouse.schema import struct_of
from churn_spark.models.bundle import ModelBundle
from churn_spark.models.part_changes import part_changes, single_changes
from churn_spark.models.what_if import Change, behaviour_candidates
from churn_spark.scoring.by_effect import ByEffect, first_by_effect, up_to_capacity
from churn_spark.scoring.control_group import assign, only_listed


@dataclass(frozen=True)
class Stability:
    """How much of the newest earlier list is still on this one.

    Attributes:
        n_listed: users on the list.
        n_before: users on the newest earlier list; none where there is no such list.
        n_kept: users on both.
    """

    n_listed: int
    n_before: int | None
    n_kept: int

    @property
    def share_kept(self) -> float:
        """Share of the earlier list that is on this one; 0 where nobody was on one."""
        return self.n_kept / self.n_before if self.n_before else 0.0

    def describe(self) -> str:
        """`40 of 50 users of the previous list still on it (80%)`."""
        if self.n_before is None:
            return "no earlier list"
        if not self.n_before:
            return "nobody on the previous list"
        return (
            f"{self.n_kept:,} of {self.n_before:,} users of the previous list still on it "
            f"({self.share_kept:.0%})"
        )


def build_retention_list(
    scores: Rows,
    suppressed: Collection[tuple[str, date | None]],
    earlier_lists: pd.DataFrame,
    as_of: date,
    config: RetentionListConfig,
    effect: ByEffect | None = None,
    previous: date | None = None,
) -> pd.DataFrame:
    """The users with most value at risk, as many as the team can call, and since when listed.

    A user is left out who has nothing at risk, who is suppressed (`until` is the first date on
    which the user may be on a list again; without one, never), or who was on a list, or withheld
    from it, less than `quiet_days` days ago. With 0 a user stays on the list while the value at
    risk is high enough; those whom the team has reached must then be in the suppression list.

    `earlier_lists` may hold any dates; only those before `as_of` count, so the list of a date
    can be built again. It depends on the earlier ones, so a list that is built late changes
    what those after it would say: build dates in order, or the later ones again. Without quiet
    days the users on a list and their order depend on the scores alone.

    The control group is drawn from those who would be on it (see `control_group`): a user who is
    in it has a row without rank, and the next rank takes the place.

    Grain: (as_of, user_id). No `would_help` yet: see `add_changes`.

    Args:
        scores: of the date, one model version.
        suppressed: user_id, until.
        earlier_lists: rows of `RETENTION_LISTS`.
        as_of: date of the list.
        config: capacity, quiet days and control group.
        effect: what the list is ordered by instead, once that is better; see `first_by_effect`.
        previous: date of the newest list before `as_of`; see `newest_list`.
    """
    before = earlier_lists[earlier_lists["as_of"] < as_of]
    resting = before[before["as_of"] > as_of - timedelta(days=config.quiet_days)]
    # Nobody has called those left alone: they needn't rest.
    resting = resting[resting["assignment"] != LEFT_ALONE]
    left_out = {user for user, until in suppressed if until is None or until > as_of}
    left_out.update(resting["user_id"])
    capacity = _capacity(count_rows(scores), config)
    candidates = without_users(scores, left_out)
    if effect is None:
        first = _first_assigned(candidates, capacity, config).assign(expected_saves=None)
    else:
        first = first_by_effect(candidates, capacity, config, effect)
    told = newest_list(before, previous)
    chosen = first[first["value_at_risk"] > 0].merge(told, how="left", on="user_id")
    has_stayed = chosen["assignment"] == chosen["assignment_before"]
    since = chosen["since_before"].where(has_stayed, as_of)
    is_listed = chosen["assignment"] == LISTED
    ranked = chosen.assign(
        list_rank=is_listed.cumsum().where(is_listed),
        on_list_since=since,
        days_on_list=[(as_of - day).days + 1 for day in since],
        campaign=config.campaign,
        control_share=np.where(chosen["assignment"] == LEFT_ALONE, 0.0, config.control_share),
    )
    return ranked.assign(would_help=_no_texts(ranked))[RETENTION_LISTS.column_names]


def _first_assigned(rows: Rows, capacity: int, config: RetentionListConfig) -> pd.DataFrame:
    """The first rows up to the last one that is listed, with their assignment.

    However many are scored, no more than the list and twice its control group come to the driver:
    at most `2 * capacity / (1 - control_share)`, and more only where chance has drawn that badly.
    """
    asked = math.ceil(capacity / (1 - config.control_share))
    while True:
        first = first_rows(rows, BY_VALUE, asked)
        assigned = first.assign(assignment=assign(first["user_id"], config))
        if len(first) < asked or (assigned["assignment"] == LISTED).sum() >= capacity:
            return up_to_capacity(assigned, capacity)
        asked *= 2


def measure_stability(
    listed: pd.DataFrame,
    earlier_lists: pd.DataFrame,
    as_of: date,
    previous: date | None = None,
) -> Stability:
    """How much of the newest list before `as_of` is still there.

    Args:
        listed: the list of the date.
        earlier_lists: rows of `RETENTION_LISTS`; only those before `as_of` count.
        as_of: date of the list.
        previous: date of the newest list before `as_of`; see `newest_list`.
    """
    lists = earlier_lists[earlier_lists["as_of"] < as_of]
    is_first = lists.empty and previous is None
    n_before = int(newest_list(lists, previous)["previous_rank"].notna().sum())
    called = only_listed(listed)
    n_kept = int(called["previous_rank"].notna().sum())
    return Stability(len(called), None if is_first else n_before, n_kept)


def newest_list(lists: pd.DataFrame, previous: date | None = None) -> pd.DataFrame:
    """The newest of some lists: since when each user is on it, where, and as what.

    Who was withheld or left alone has no rank, and is new on the list once listed: the team hasn't
    seen them. A list of an older release tells no assignment: all of it are listed.

    Grain: user_id.

    Args:
        lists: rows of `RETENTION_LISTS`.
        previous: date of the newest list, which may have nobody on it; by default that of the
            newest rows.
    """
    newest: pd.DataFrame = lists[lists["as_of"] == (previous or lists["as_of"].max())]
    names = {
        "on_list_since": "since_before",
        "list_rank": "previous_rank",
        "assignment": "assignment_before",
    }
    told = newest.fillna({"assignment": LISTED})
    return told[["user_id", *names]].rename(columns=names)


def add_changes(
    listed: pd.DataFrame,
    users: Rows,
    bundle: ModelBundle,
    config: RetentionListConfig,
    min_difference: float,
) -> pd.DataFrame:
    """The list with what would lower each user's risk most, by the model that scored them.

    A part of the behaviour model's log-odds is tried at its typical count; a feature that is about
    none of them, at a few values. Of users whose parts aren't known, all features are.

    At most four values a feature are tried, on the users of the list and never on everybody:
    at most `MAX_LISTED` rows a candidate.

    Grain: that of `listed`, (as_of, user_id).

    Args:
        listed: from `build_retention_list`.
        users: the features that were scored, of these users at least; with the columns of
            `BEHAVIOUR_PARTS` where these are known.
        bundle: the model that scored them.
        config: how many changes, and from what drop of the risk on.
        min_difference: between a count and the typical one, as of a reason.
    """
    candidates = behaviour_candidates(
        bundle.features, bundle.baseline, bundle.encoding.levels, bundle.encoding.typical
    )
    parts = [name for name in BEHAVIOUR_PARTS.column_names[2:] if name in users.columns]
    model = bundle.without_baseline()

    def find_changes(batch: pd.DataFrame) -> list[list[Change]]:
        alone = single_changes(batch, model.probabilities, candidates, config.min_drop)
        of_parts = part_changes(
            batch,
            model.probabilities,
            model.features,
            model.encoding.typical,
            min_difference,
            config.min_drop,
        )
        both = ([*one, *other] for one, other in zip(of_parts, alone, strict=True))
        return [sorted(several, key=_by_use) for several in both]

    def try_changes(batches: Batches) -> Batches:
        for batch in batches:
            texts = [
                [change.text for change in several[: config.n_changes]]
                for several in find_changes(batch)
            ]
            yield pd.DataFrame({"user_id": batch["user_id"], "would_help": texts})

    schema = struct_of(RETENTION_LISTS, ["user_id", "would_help"])
    inputs = of_users(users[["user_id", *bundle.encoding.features, *parts]], listed["user_id"])
    would_help = collect(apply(inputs, try_changes, schema))
    known = listed.drop(columns="would_help").merge(would_help, on="user_id")
    return known[RETENTION_LISTS.column_names]


def _by_use(change: Change) -> tuple[bool, float]:
    """The largest drop first; to pay nothing any more comes after all else."""
    return change.after == FREE, change.probability_after


def _no_texts(rows: pd.DataFrame) -> pd.Series:
    return pd.Series([[] for _ in range(len(rows))], rows.index, dtype=object)


def _capacity(n_scored: int, config: RetentionListConfig) -> int:
    """How many fit on the list: the number itself, or that share of the scored, at least one."""
    if isinstance(config.capacity, int):
        return config.capacity
    # 0.29 x 100 is 28.999...: a share that is meant to be a whole number is one.
    share = math.floor(config.capacity * n_scored + 1e-9)
    return min(max(share, 1), MAX_LISTED)
