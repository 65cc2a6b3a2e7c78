"""What a job would do, why, and for how long: told by `--plan`, which writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date as Date
from functools import partial

from churn_spark.pipeline import (
    erase_user,
    ingest,
    maintain,
    of_events,
    record_contacts,
    retention_list,
    snapshots,
    train,
)
from churn_spark.pipeline.catalogue import USE_CASES
from churn_spark.pipeline.console import say
from churn_spark.pipeline.decide import USE_CASE as DECIDE
from churn_spark.pipeline.durations import read_durations
from churn_spark.pipeline.plan_night import plan_night
from churn_spark.pipeline.planner import Planned, Planner
from churn_spark.pipeline.use_case import UseCase
from churn_spark.wording import duration

Plan = Callable[[Date | None], Iterator[Planned]]


def plan_of(planner: Planner, job: str) -> Plan:
    """What tells the steps of a job that writes."""
    plans: dict[str, Plan] = {
        use_case.name: partial(planner.alone, use_case) for use_case in USE_CASES
    }
    plans |= {step.name: _rollup(planner, step) for step in of_events.STEPS}
    plans |= {
        ingest.USE_CASE.name: planner.ingest,
        snapshots.USE_CASE.name: planner.snapshots,
        train.USE_CASE.name: planner.training_by_hand,
        retention_list.USE_CASE.name: planner.retention_list,
        DECIDE.name: planner.retraining,
        record_contacts.USE_CASE.name: planner.contacts,
        maintain.USE_CASE.name: planner.maintenance,
        erase_user.USE_CASE.name: planner.erasure,
        "nightly": partial(plan_night, planner),
        "demo": planner.demo,
    }
    return plans[job]


def say_plan(planner: Planner, job: str, dates: Sequence[Date | None]) -> None:
    """Print what a job would do for each date, and how long that took before."""
    took = read_durations(planner.lakehouse)
    tell = plan_of(planner, job)
    total, is_usual, is_known = 0.0, False, True
    for date in dates:
        say(job, f"plan{f' for {date}' if date else ''}; nothing is written:")
        steps = [*tell(date)]
        for one in steps:
            say(one.step, one.what)
        names = dict.fromkeys(one.step for one in steps)
        usual = sum(one.seconds for one in steps)
        is_usual |= usual > 0
        is_known &= usual > 0 or bool(took.keys() & names.keys())
        total += usual + sum(took.get(name, 0.0) for name in names)
    source = "" if is_usual else ", from earlier runs"
    known = f"about {duration(total)}{source}" if is_known else "not known yet"
    say(job, f"expected run time: {known}")


def _rollup(planner: Planner, step: UseCase) -> Plan:
    return lambda _: planner.events({step: of_events.STEPS[step]})
