"""What a job would do, why, and for how long: told by `--plan`, which writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date as Date
from functools import partial
from typing import Any, Final

from churn_spark.config import Config
from churn_spark.contracts.tables import EVENTS, LABELS, SESSION_DAYS, SNAPSHOTS, TableSpec
from churn_spark.errors import InputError
from churn_spark.features.rollups import Rollup
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.pipeline import (
    check_data,
    decide,
    ingest,
    monitor,
    of_events,
    report,
    retention_list,
    rollups,
    score,
    snapshots,
    train,
)
from churn_spark.pipeline.built_dates import BuiltDates
from churn_spark.pipeline.catalogue import find_use_case
from churn_spark.pipeline.console import say
from churn_spark.pipeline.dates import LogDates, read_log_dates, refuse_ahead, training_dates
from churn_spark.pipeline.durations import read_durations
from churn_spark.pipeline.use_case import UseCase
from churn_spark.stores.decisions import read_entries
from churn_spark.wording import count_of, duration, name_some

_NAMED: Final = 4
_DATE_COLUMNS: Final = ("as_of", "run_date")
_IF_STALE: Final = (SNAPSHOTS, LABELS)
"""Of these a step that learns or judges replaces only what it finds stale."""


@dataclass(frozen=True)
class Planned:
    """One step of what a job would do.

    Attributes:
        step: its name.
        what: is written, and why.
    """

    step: str
    what: str


@dataclass(frozen=True)
class Planner:
    """Looks at a lakehouse and tells what jobs would do; it writes nothing.

    Attributes:
        lakehouse: as it is.
        config: of the run.
        options: of the job's own, by name.
    """

    lakehouse: Lakehouse
    config: Config
    options: Mapping[str, Any]

    def ingest(self, _: Date | None) -> Iterator[Planned]:
        """Which files would be read."""
        reload = self.options.get("reload")
        found = ingest.plan(self.lakehouse, self.config.ingest, self.options.get("events"), reload)
        yield Planned(ingest.USE_CASE.name, found)

    def events(self, steps: Mapping[UseCase, Rollup], then: str = "") -> Iterator[Planned]:
        """Which dates of tables that are made of events would be rebuilt.

        Args:
            steps: each with the table that it writes.
            then: what else will be rebuilt, once it is known.
        """
        if not self.lakehouse.exists(EVENTS):
            for step in steps:
                yield Planned(step.name, "all dates of the events, of which none are loaded yet")
            return
        rebuilds = rollups.plan(self.lakehouse, self.config.ingest, steps.values())
        for step, rollup in steps.items():
            days = [str(day) for day in rebuilds[rollup].dates]
            version = rebuilds[rollup].touched.events.version
            what = f"nothing: it is built from version {version} of the events"
            if days:
                what = f"{count_of(len(days), 'date')} ({name_some(days, _NAMED)}): their events "
                what += f"have changed, up to version {version}"
            yield Planned(step.name, what + then)

    def snapshots(self, date: Date | None) -> Iterator[Planned]:
        """Which snapshots and labels would be built."""
        log = self._log(date)
        if log is not None and (first := self.options.get("refresh_from")) is not None:
            yield self._refresh(log, first)
            if date is None:
                return
        if log is None or date is None:
            yield Planned(snapshots.USE_CASE.name, "the snapshot, and labels as they become known")
            return
        built = BuiltDates.read(self.lakehouse, log, self.config.learning)
        why = "built already, up to date with the log"
        if built.stale([date]):
            why = "out of date: log or settings changed" if date in built.noted else "not built yet"
        yield Planned(snapshots.USE_CASE.name, f"the snapshot of {date}: {why}")
        others = sorted(snapshots.find_changed_labels(self.lakehouse, built) - {date})
        if others:
            named = name_some([str(day) for day in others], _NAMED)
            what = f"the labels of {count_of(len(others), 'date')} ({named}): their window"
            yield Planned(snapshots.USE_CASE.name, f"{what} has closed or was touched since")

    def _refresh(self, log: LogDates, first: Date) -> Planned:
        learning = self.config.learning
        stale = sorted(snapshots.find_stale(self.lakehouse, first, learning, log))
        if not stale:
            return Planned(snapshots.USE_CASE.name, f"nothing from {first} on: all is up to date")
        named = name_some([str(day) for day in stale], _NAMED)
        what = f"the snapshots of {count_of(len(stale), 'date')} ({named})"
        return Planned(snapshots.USE_CASE.name, f"{what}: out of date: log or settings changed")

    def training(self, date: Date | None) -> Iterator[Planned]:
        """What would be learnt from."""
        log = self._log(date)
        if log is None:
            yield Planned(train.USE_CASE.name, "a model, trained on weekly dates known by then")
            return
        learning = self.config.learning
        dates = training_dates(log, learning, date or log.span.end)
        stale = BuiltDates.read(self.lakehouse, log, learning).stale(dates)
        yield Planned(
            train.USE_CASE.name,
            f"a model of {count_of(len(dates), 'weekly date')}, of which {len(stale)} are to be "
            "built first",
        )

    def training_by_hand(self, date: Date | None) -> Iterator[Planned]:
        """The same of the job, which refuses a date ahead of the log as no night has to."""
        log = self._log(date)
        if log is not None and date is not None:
            refuse_ahead(self.lakehouse, log, self.config.learning, date)
        yield from self.training(date)

    def night(self, date: Date | None) -> Iterator[Planned]:
        """All steps of a night."""
        [files] = self.ingest(date)
        yield files
        are_new = not files.what.startswith("nothing")
        then = "; then the dates that the events of the new files touch" if are_new else ""
        yield from self.events(of_events.STEPS, then)
        log = self._log(date)
        date = date or (log.span.end if log else None)
        yield from self.snapshots(date)
        yield from self.tables(check_data.USE_CASE, date)
        if not read_entries(self.lakehouse):
            yield from self.training(date)
        for use_case in (score.USE_CASE, retention_list.USE_CASE, monitor.USE_CASE):
            yield from self.tables(use_case, date)
        later = [one.decision.night for one in read_entries(self.lakehouse)]
        if date is not None and later and max(later) > date:
            what = f"no decision: that of {max(later)} follows from this date's"
            yield Planned(decide.USE_CASE.name, what)
        else:
            yield from self.tables(decide.USE_CASE, date)
        yield Planned(report.USE_CASE.name, "the monitoring page of the newest run")

    def tables(self, use_case: UseCase, date: Date | None) -> Iterator[Planned]:
        """Which rows of a date would be replaced; of tables without a date, that they are."""
        parts = [self._table(spec, date) for spec in dict.fromkeys(use_case.writes)]
        yield Planned(use_case.name, "; ".join([*parts, *use_case.leaves]) or use_case.summary)

    def _table(self, spec: TableSpec, date: Date | None) -> str:
        column = next((name for name in _DATE_COLUMNS if name in spec.partition_by), None)
        if column is None or date is None:
            return spec.path
        if spec in _IF_STALE:
            return f"{spec.path} of the dates that it reads, where out of date with the log"
        n_rows = self.lakehouse.count_rows(spec, {column: [date]})
        found = f"{count_of(n_rows, 'row')} replaced" if n_rows else "new"
        return f"{spec.path} of {date} ({found})"

    def _log(self, date: Date | None) -> LogDates | None:
        """The dates of the log as it is; none where there are none yet."""
        if not self.lakehouse.exists(SESSION_DAYS):
            return None
        try:
            return read_log_dates(self.lakehouse, date)
        except InputError:
            return None


Plan = Callable[[Date | None], Iterator[Planned]]


def plan_of(planner: Planner, job: str) -> Plan:
    """What tells the steps of a job."""
    plans: dict[str, Plan] = {step.name: _rollup(planner, step) for step in of_events.STEPS}
    plans |= {
        ingest.USE_CASE.name: planner.ingest,
        snapshots.USE_CASE.name: planner.snapshots,
        train.USE_CASE.name: planner.training_by_hand,
        "nightly": planner.night,
    }
    if job in plans:
        return plans[job]
    if (use_case := find_use_case(job)) is not None:
        return partial(planner.tables, use_case)
    return lambda _: iter([Planned(job, "no detailed plan: see --help for what it does")])


def say_plan(planner: Planner, job: str, dates: Sequence[Date | None]) -> None:
    """Print what a job would do for each date, and how long that took before."""
    took = read_durations(planner.lakehouse)
    tell = plan_of(planner, job)
    total, is_known = 0.0, True
    for date in dates:
        say(job, f"plan{f' for {date}' if date else ''}; nothing is written:")
        steps = [*tell(date)]
        for one in steps:
            say(one.step, one.what)
        names = dict.fromkeys(one.step for one in steps)
        is_known &= bool(took.keys() & names.keys())
        total += sum(took.get(name, 0.0) for name in names)
    known = f"about {duration(total)}, from earlier runs" if is_known else "not known yet"
    say(job, f"expected run time: {known}")


def _rollup(planner: Planner, step: UseCase) -> Plan:
    return lambda _: planner.events({step: of_events.STEPS[step]})
