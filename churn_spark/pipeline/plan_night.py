"""What a night would do and why, step by step; nothing is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date as Date

from churn_spark.contracts.registry_state import RegistryState
from churn_spark.models.sqlite import find_store
from churn_spark.pipeline import (
    backtest,
    check_data,
    maintain,
    monitor,
    of_events,
    report,
    retention_list,
    score,
    train,
)
from churn_spark.pipeline.champion import refuse_lifetime
from churn_spark.pipeline.dates import LogDates
from churn_spark.pipeline.demo import refuse_demo_lakehouse
from churn_spark.pipeline.gather import Night
from churn_spark.pipeline.planner import Planned, Planner
from churn_spark.pipeline.published_models import read_published_models
from churn_spark.pipeline.succession import find_unfit


def plan_night(planner: Planner, date: Date | None) -> Iterator[Planned]:
    """All steps of a night.

    Without a date it is of the day after the log's last complete day. That isn't known before new
    files are read: no rows are counted then.

    Raises:
        InputError: if there is no file, or the lakehouse is a demo's.
        ConfigError: if there is no place for the models, or the key of pseudonyms is missing.
        OtherIdsError: if the events keep user ids in another way than is configured.
        OtherModelError: if the label describes the past, or the champion has learnt what came
            after the date.
    """
    root, config = planner.lakehouse.root, planner.config
    refuse_demo_lakehouse(root)
    find_store(config.registry, root)
    refuse_lifetime(config.learning)
    [files] = planner.ingest(date)
    then = "" if files.is_nothing else "; then the dates that the events of the new files touch"
    first = [files, *planner.events(of_events.STEPS, then)]
    yield from first
    log = planner.log(date)
    grows = not all(step.is_nothing for step in first)
    if date is None and grows:
        yield Planned(
            "nightly",
            "the date is the day after the last complete day of the log, known once its new "
            "events are in the tables",
        )
    night = None
    if log is not None:
        night = _NightPlan(planner, log, date if date or grows else log.span.end, grows)
        yield from night.before_judgement()
        date = night.date
    yield from planner.waiting_contacts()
    yield from planner.snapshots(date)
    yield from planner.tables(check_data.USE_CASE, date)
    yield from night.training() if night else planner.training(date)
    for use_case in (score.USE_CASE, retention_list.USE_CASE, monitor.USE_CASE):
        yield from planner.tables(use_case, date)
    yield from planner.decision(log, date)
    yield Planned(report.USE_CASE.name, "the monitoring page of the newest run")
    if planner.options.get("evaluate"):
        what = f"of the log up to {date}" if date else "of the whole log"
        yield Planned(
            backtest.USE_CASE.name, f"{what}, where it is long enough, and the evaluation page"
        )


@dataclass(frozen=True)
class _NightPlan:
    """What is told of a night that has a log.

    Attributes:
        planner: looks at the lakehouse.
        log: its dates, before the night.
        date: of the night; none where the night's new events decide it.
        grows: whether there are new events.
    """

    planner: Planner
    log: LogDates
    date: Date | None
    grows: bool

    @property
    def earliest(self) -> Date:
        """The date of the night, or the earliest that it may be."""
        return self.date or self.log.span.end

    def before_judgement(self) -> Iterator[Planned]:
        """The maintenance where it is due, and held nights that are taken back."""
        config = self.planner.config.maintenance
        due = maintain.find_due(self.planner.lakehouse, config)
        what = f"small files joined, and {maintain.REMOVED}"
        if due is not None and due <= min(self.earliest, self.log.span.end):
            yield Planned(maintain.USE_CASE.name, f"due since {due}: {what}")
        elif due is not None and self.grows and (self.date is None or self.date >= due):
            yield Planned(maintain.USE_CASE.name, f"if the log reaches up to {due} then: {what}")
        unless = ", unless new events reach so far" if self.grows else ""
        yield from self.planner.withdrawal(self.log, self.earliest, unless)

    def training(self) -> Iterator[Planned]:
        """The first model, or the successor of one that can't be used any more.

        Raises:
            OtherModelError: if the champion has learnt what came after the date, or can't be used
                on it and a later night stands on it.
        """
        models = read_published_models(self.planner.lakehouse)
        registered = models.state() if models else RegistryState()
        # One that is trained by hand ahead of the log waits for a night that comes.
        as_of = self.date or max(self.log.span.end, registered.trained or Date.min)
        night = Night(as_of, self.log, self.planner.entries(self.log, as_of), registered)
        version = night.champion
        if version is None:
            yield from self.planner.training(self.date)
        elif models is not None and models.knows(version):
            unfit = find_unfit(models, night, self.planner.config.learning)
            name = train.USE_CASE.name
            if unfit:
                other = "the night is refused" if unfit.settings else "a model is trained"
                yield Planned(
                    name,
                    f"version {version} can't be used any more: {unfit}. A version that waits and "
                    f"is as configured takes over; else {other}",
                )
            elif self.date and night.is_first:
                yield Planned(
                    name, f"a model in place of version {version}, if its data have changed since"
                )
