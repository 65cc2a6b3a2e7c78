"""What the list has reached, week by week, and whether the labels have arrived."""

from __future__ import annotations

from collections.abc import Iterator

from churn_spark.monitoring.performance.arrival import ARRIVAL, describe_arrival
from churn_spark.monitoring.performance.reach import describe_reach, list_reaches, verdict_on_rule
from churn_spark.monitoring.policy.evidence import ListReach
from churn_spark.reports.night.data import NightData, records
from churn_spark.reports.page import Block, Caution, Cell, Heading, Table, Text
from churn_spark.reports.words import interval, percent

_WEEKS = 8
_VERDICTS = {
    "better": "significantly more than the simple rule",
    "worse": "significantly fewer than the simple rule",
    "can't tell": "no significant difference",
}


def reach_blocks(data: NightData) -> Iterator[Block]:
    """The newest list in words, the weeks before in a table, and what is wrong with the labels."""
    reaches = list_reaches(records(data.performance))
    if reaches:
        yield Heading("How many cancellations the list contained")
        yield Text(describe_reach(reaches[-1]))
        yield _weeks_table(reaches, is_judged=data.policy.judge_list)
    yield from _arrival(data)


def _weeks_table(reaches: tuple[ListReach, ...], *, is_judged: bool) -> Table:
    newest = reaches[-1].window_start
    weekly = [one for one in reaches if (newest - one.window_start).days % 7 == 0][-_WEEKS:]
    return Table(
        "Lists as they were sent, the newest first",
        (
            "List of",
            "Users",
            "Cancelled",
            "On the list",
            "Random list",
            "Simple rule",
            "Best possible",
            "List against rule",
        ),
        tuple(_row(one, is_judged=is_judged) for one in reversed(weekly)),
        note="Of all users who cancelled in the prediction window of a list, the share that was on "
        "it. Beside it lists of the same length: drawn at random, by the simple rule (paid, and "
        "active in the last three days), and the best possible. With a window of two weeks, lists "
        "a week apart share half of their cancellations.",
    )


def _row(reach: ListReach, *, is_judged: bool) -> tuple[Cell, ...]:
    """A list beside others; that the rule is better is loud only where the policy acts on it."""
    verdict = verdict_on_rule(reach)
    is_loud = is_judged and verdict == "worse"
    return (
        Cell(str(reach.window_start), tone="whole"),
        Cell(f"{reach.n_listed:,}", tone="number"),
        Cell(f"{reach.n_positive:,}", tone="number"),
        Cell(percent(reach.reached, 1), interval(reach.low, reach.high, "percent"), "number"),
        *(
            Cell(percent(share, 1), tone="number")
            for share in (reach.by_chance, reach.by_rule, reach.at_best)
        ),
        Cell(_VERDICTS[verdict], tone="loud" if is_loud else ""),
    )


def _arrival(data: NightData) -> Iterator[Block]:
    rows = data.of_basis(ARRIVAL)
    tonight = records(rows[rows["run_date"] == data.night])
    if not tonight:
        return
    lacking = [row for row in tonight if row["value"] < 1]
    if lacking:
        yield Caution(f"{describe_arrival(lacking[-1])}.")
    else:
        yield Text(f"{describe_arrival(tonight[-1])}.")
