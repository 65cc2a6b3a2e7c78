"""What a job would do, why, and for how long: told by `--plan`, which writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date as Date
from functools import partial

from churn_spark.pipeline import (
    decide,
    erase_user,
    ingest,
    maintain,
    night,
    of_events,
    record_contacts,
    retention_list,
    snapshots,
    train,
)
from churn_spark.pipeline.catalogue import find_use_case
from churn_spark.pipeline.console import say
from churn_spark.pipeline.durations import read_durations
from churn_spark.pipeline.plan_night import plan_night
from churn_spark.pipeline.planner import Planned, Planner
from churn_spark.pipeline.use_case import UseCase
from churn_spark.wording import duration

Plan = Callable[[Date | None], Iterator[Planned]]


def plan_of(planner: Planner, job: str) -> Plan:
    """What tells the steps of a job that writes."""
    plans: dict[str, Plan] = {
        ingest.USE_CASE.name: planner.ingest,
        snapshots.USE_CASE.name: planner.snapshots,
        train.USE_CASE.name: planner.training,
        retention_list.USE_CASE.name: planner.retention_list,
        decide.USE_CASE.name: planner.retraining,
        night.USE_CASE.name: partial(plan_night, planner),
        record_contacts.USE_CASE.name: planner.contacts,
        maintain.USE_CASE.name: planner.maintenance,
        erase_user.USE_CASE.name: planner.erasure,
    }
    plans |= {step.name: _rollup(planner, step) for step in of_events.STEPS}
    use_case = find_use_case(job)
    # The demo's is made of those of the others.
    return planner.demo if use_case is None else _by_itself(planner, use_case, plans.get(job))


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


def _by_itself(planner: Planner, use_case: UseCase, plan: Plan | None) -> Plan:
    """The plan of a step that no other one has come before; by its tables, where it has no own."""
    tell = plan or partial(planner.tables, use_case)

    def tell_unless_refused(date: Date | None) -> Iterator[Planned]:
        planner.refuse(use_case, date)
        yield from tell(date)

    return tell_unless_refused


def _rollup(planner: Planner, step: UseCase) -> Plan:
    return lambda _: planner.events({step: of_events.STEPS[step]})
