"""The stored nights, decided again: the same decisions, or those of other thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from churn_spark import job
from churn_spark.config import PolicyConfig
from churn_spark.decision_log import Entry, read_entries
from churn_spark.errors import MissingTableError, ReplayError
from churn_spark.monitoring.policy.replay import Thresholds, calibrate, decide_otherwise
from churn_spark.steps.replayed import count_differences, judged_nights

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
# From the thresholds in force: half as sensitive to three times as sensitive.
_FACTORS = (0.33, 0.5, 0.67, 0.8, 1.0, 1.25, 1.5, 2.0)


@app.command()
def main(
    env: job.EnvOption = "local",
    overrides: job.SetOption = None,
    max_false_alarms: Annotated[
        float | None,
        typer.Option(
            "--calibrate",
            metavar="PER_YEAR",
            help="Find the most sensitive thresholds with no more retrainings for drift a year.",
        ),
    ] = None,
) -> None:
    """Decide all stored nights again and compare, byte for byte.

    Where the thresholds of the configuration aren't those of the last night, as with
    `--set policy.KEY=VALUE`, what they would have decided otherwise is shown as well.
    """
    with job.open_job("replay", env, overrides) as context:
        if max_false_alarms is not None:
            find_thresholds(context, max_false_alarms)
        else:
            run(context)


def run(context: job.JobContext) -> None:
    """Replay by the stored thresholds, and by those of the configuration where they are others.

    Raises:
        MissingTableError: if no night was decided yet.
        ReplayError: if a stored decision doesn't come out again.
    """
    entries = read_nights(context)
    with job.closing_line("replay") as facts:
        if context.config.policy != entries[-1].policy:
            n_changed = show_changes(entries, context.config.policy)
            facts.append(f"{n_changed} nights would have been decided otherwise")
        n_different = count_differences(entries)
        if n_different:
            raise ReplayError(
                f"found {n_different} of {len(entries)} decisions that come out otherwise, "
                "expected none: they were decided by other code, or the table was changed"
            )
        facts.append(f"{len(entries)} decisions reproduced byte for byte")


def read_nights(context: job.JobContext) -> list[Entry]:
    """All stored decisions.

    Raises:
        MissingTableError: if no night was decided yet.
    """
    entries = read_entries(context.lakehouse)
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
        if (before.kind, before.rule) != (now.kind, now.rule):
            table.add_row(
                str(before.night),
                f"{before.kind} ({before.rule})",
                f"{now.kind} ({now.rule})",
                now.reason,
            )
    Console().print(table)
    return table.row_count


def find_thresholds(context: job.JobContext, max_a_year: float) -> None:
    """Print what thresholds around those in force would have done, and which to take.

    Raises:
        MissingTableError: if no night was judged yet.
        ThresholdError: if none is quiet enough.
    """
    policy = context.config.policy
    start, nights, _ = judged_nights(read_nights(context))
    ratio = policy.exit_statistic / policy.enter_lower_bound
    candidates = [
        Thresholds(round(enter, 4), round(enter * ratio, 4))
        for enter in (policy.enter_lower_bound * factor for factor in _FACTORS)
    ]
    with job.closing_line("replay") as facts:
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
        facts.append(
            f"--set policy.enter_lower_bound={chosen.enter_lower_bound:g} --set "
            f"policy.exit_statistic={chosen.exit_statistic:g}: quiet enough on these "
            f"{tried[0].nights} nights"
        )


if __name__ == "__main__":
    job.main(app)
