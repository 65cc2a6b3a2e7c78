"""The stored nights, decided again: the same decisions, or those of other thresholds."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from churn_spark.config import PolicyConfig
from churn_spark.contracts.tables import DECISIONS
from churn_spark.errors import MissingTableError, ReplayError
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.monitoring.policy.history import Entry
from churn_spark.monitoring.policy.replay import (
    Thresholds,
    calibrate,
    decide_otherwise,
    is_otherwise,
)
from churn_spark.monitoring.policy.replayed import count_differences, judged_nights
from churn_spark.pipeline.use_case import UseCase
from churn_spark.stores.decisions import read_entries
from churn_spark.wording import count_of

USE_CASE = UseCase(
    "replay",
    "every decision again, byte for byte, or by other thresholds",
    reads=(DECISIONS,),
)
# From the thresholds in force: half as sensitive to three times as sensitive.
_FACTORS = (0.33, 0.5, 0.67, 0.8, 1.0, 1.25, 1.5, 2.0)


def run(lakehouse: Lakehouse, policy: PolicyConfig) -> None:
    """Replay by the stored thresholds, and by those of the configuration where they are others.

    Raises:
        MissingTableError: if no night was decided yet.
        ReplayError: if a stored decision doesn't come out again.
    """
    entries = read_decisions(lakehouse)
    with USE_CASE.start(lakehouse) as facts:
        if policy != entries[-1].policy:
            n_changed = show_changes(entries, policy)
            facts.append(f"{count_of(n_changed, 'night')} would have been decided otherwise")
        n_different = count_differences(entries)
        if n_different:
            raise ReplayError(
                f"found {n_different} of {len(entries)} decisions that come out otherwise, "
                "expected none: they were decided by other code, or the table was changed"
            )
        facts.append(f"{count_of(len(entries), 'decision')} reproduced byte for byte")


def read_decisions(lakehouse: Lakehouse) -> tuple[Entry, ...]:
    """All stored decisions.

    Raises:
        MissingTableError: if no night was decided yet.
    """
    entries = read_entries(lakehouse)
    if not entries:
        raise MissingTableError(
            "found no decision in monitoring/decisions, expected some: run `nightly` first"
        )
    return entries


def show_changes(entries: Sequence[Entry], policy: PolicyConfig) -> int:
    """Print the nights on which other thresholds would have decided otherwise; returns how many.

    Raises:
        MissingTableError: if no night was judged yet.
    """
    start, nights, stored = judged_nights(entries)
    table = Table("night", "decided", "would have been", "reason", title="By other thresholds")
    for before, now in zip(stored, decide_otherwise(start, nights, policy), strict=True):
        if is_otherwise(before, now):
            table.add_row(
                str(before.night),
                f"{before.kind} ({before.rule})",
                f"{now.kind} ({now.rule})",
                now.reason,
            )
    Console().print(table)
    return table.row_count


def find_thresholds(lakehouse: Lakehouse, policy: PolicyConfig, max_a_year: float) -> None:
    """Print what thresholds around those in force would have done, and which to take.

    Raises:
        MissingTableError: if no night was judged yet.
        ThresholdError: if none is quiet enough.
    """
    start, nights, _ = judged_nights(read_decisions(lakehouse))
    ratio = policy.exit_statistic / policy.enter_lower_bound
    candidates = [
        Thresholds(round(enter, 4), round(enter * ratio, 4))
        for enter in (policy.enter_lower_bound * factor for factor in _FACTORS)
    ]
    with USE_CASE.start(lakehouse) as facts:
        chosen, tried = calibrate(candidates, start, nights, policy, max_a_year)
        table = Table("enter", "exit", "retrainings", "a year", "at most", title="Thresholds")
        for one in tried:
            table.add_row(
                f"{one.thresholds.enter_lower_bound:g}",
                f"{one.thresholds.exit_statistic:g}",
                str(len(one.retrainings)),
                f"{one.a_year:.1f}",
                f"{one.a_year_high:.1f}",
            )
        Console().print(table)
        fixed = "--set policy.self_calibrate=false " if policy.self_calibrate else ""
        facts.append(
            f"{fixed}--set policy.enter_lower_bound={chosen.enter_lower_bound:g} --set "
            f"policy.exit_statistic={chosen.exit_statistic:g}: quiet enough on these "
            f"{tried[0].nights} nights"
        )
