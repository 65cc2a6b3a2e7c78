"""What each step would do and why, as far as a look at the lakehouse tells; nothing is written.

A step that the job would refuse is refused with the same error, where that needs no Spark job and
no MLflow store.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date as Date
from typing import Any, Final

from churn_spark.config import Config
from churn_spark.contracts.tables import EVENTS, LABELS, SESSION_DAYS, SNAPSHOTS, TableSpec
from churn_spark.errors import InputError
from churn_spark.features.rollups import Rollup
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.monitoring.policy.history import Entry
from churn_spark.pipeline import (
    decide,
    demo,
    erase_user,
    ingest,
    maintain,
    monitor,
    record_contacts,
    retention_list,
    rollups,
    score,
    snapshots,
    train,
    tune,
)
from churn_spark.pipeline.built_dates import BuiltDates
from churn_spark.pipeline.champion import load_champion, refuse_lifetime
from churn_spark.pipeline.dates import LogDates, read_log_dates, refuse_ahead, training_dates
from churn_spark.pipeline.gather import read_night
from churn_spark.pipeline.published_models import read_published_models
from churn_spark.pipeline.use_case import UseCase
from churn_spark.pipeline.withdraw import describe_ahead, find_ahead
from churn_spark.stores.decisions import read_entries
from churn_spark.wording import count_of, name_some

_NAMED: Final = 4
_DATE_COLUMNS: Final = ("as_of", "run_date")
_IF_STALE: Final = (SNAPSHOTS, LABELS)
"""Of these a step that learns or judges replaces only what it finds stale."""
_LEARNING: Final = (train.USE_CASE, tune.USE_CASE)
"""What refuses a date ahead of the log."""
_BY_CHAMPION: Final = (score.USE_CASE, monitor.USE_CASE, decide.USE_CASE)
"""What refuses a date that its champion can't be used on."""


@dataclass(frozen=True)
class Planned:
    """One step of what a job would do.

    Attributes:
        step: its name.
        what: is written, and why.
        seconds: that it usually takes, where earlier runs can't tell.
    """

    step: str
    what: str
    seconds: float = 0.0

    @property
    def is_nothing(self) -> bool:
        """Whether there is nothing to do; it says so first."""
        return self.what.startswith("nothing")


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
        found = ingest.plan(
            self.lakehouse,
            self.config.ingest,
            self.options.get("events"),
            self.options.get("reload"),
            self.config.privacy,
        )
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
        log = self.log(date)
        if log is not None and (first := self.options.get("refresh_from")) is not None:
            yield self._refresh(log, first)
            if date is None:
                return
        if log is None or date is None:
            yield Planned(snapshots.USE_CASE.name, "the snapshot, and labels as they become known")
            return
        built = BuiltDates.read(self.lakehouse, log, self.config.learning)
        why = "built anew, though up to date with the log as it is"
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
        log = self.log(date)
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

    def contacts(self, _: Date | None) -> Iterator[Planned]:
        """Which contacts would be merged."""
        found = record_contacts.plan(self.lakehouse, self.options.get("file"))
        yield Planned(record_contacts.USE_CASE.name, found)

    def waiting_contacts(self) -> Iterator[Planned]:
        """Those that the service was sent; a night and a list merge them first."""
        if record_contacts.find_waiting(self.lakehouse):
            yield Planned(record_contacts.USE_CASE.name, record_contacts.plan(self.lakehouse))

    def retention_list(self, date: Date | None) -> Iterator[Planned]:
        """The list of a date, and the contacts that it merges first."""
        yield from self.waiting_contacts()
        yield from self.tables(retention_list.USE_CASE, date)

    def maintenance(self, _: Date | None) -> Iterator[Planned]:
        """When the tables were maintained last, and which files would be joined."""
        found = maintain.plan(self.lakehouse, self.config.maintenance)
        yield Planned(maintain.USE_CASE.name, found)

    def erasure(self, _: Date | None) -> Iterator[Planned]:
        """What there is of the users."""
        ids = erase_user.gather_ids(self.options.get("user") or (), self.options.get("file"))
        for what in erase_user.plan(self.lakehouse, self.config.ingest, self.config.privacy, ids):
            yield Planned(erase_user.USE_CASE.name, what)

    def demo(self, _: Date | None) -> Iterator[Planned]:
        """The simulated log, its nights and their pages."""
        log, *others = demo.plan(self.lakehouse.root, self.options["nights"])
        yield Planned("demo", log, demo.USUAL_SECONDS)
        yield from (Planned("demo", what) for what in others)

    def retraining(self, date: Date | None) -> Iterator[Planned]:
        """The decision of a date, and held nights that are taken back before it."""
        log = self.log(date)
        if log is not None and date is not None:
            yield from self.withdrawal(log, date)
        yield from self.decision(log, date)

    def decision(self, log: LogDates | None, date: Date | None) -> Iterator[Planned]:
        """The decision of a date; decided once, a later night stands on it."""
        entries = self.entries(log, date) if log and date else ()
        if date is not None and entries and entries[-1].decision.night > date:
            what = f"no decision: that of {entries[-1].decision.night} follows from this date's"
            yield Planned(decide.USE_CASE.name, what)
        else:
            yield from self.tables(decide.USE_CASE, date)

    def entries(self, log: LogDates, date: Date) -> tuple[Entry, ...]:
        """The decisions of all nights but those that a night of the date takes back."""
        ahead = find_ahead(log, date)
        entries = read_entries(self.lakehouse)
        return tuple(one for one in entries if one.decision.night not in ahead)

    def withdrawal(self, log: LogDates, date: Date, unless: str = "") -> Iterator[Planned]:
        """Which held nights would be taken back.

        Args:
            log: its dates.
            date: of the night.
            unless: what may keep them.
        """
        if ahead := find_ahead(log, date):
            yield Planned("nightly", describe_ahead(ahead, date) + unless)

    def refuse(self, use_case: UseCase, date: Date | None) -> None:
        """Refuse what a step refuses that is run by itself, after no other one of a night.

        Raises:
            MissingTableError: if a table is missing that it reads.
            InputError: if it learns, and the date lies ahead of the log.
            OtherModelError: if the date's champion has learnt what came after it, or predicts
                something else than is configured.
            FingerprintError: if it knows other feature definitions.
        """
        use_case.require_tables(self.lakehouse)
        log = self.log(date)
        if date is None or log is None:
            return
        if use_case in _LEARNING:
            refuse_ahead(self.lakehouse, log, self.config.learning, date)
        elif use_case in _BY_CHAMPION:
            self._refuse_champion(log, date)

    def _refuse_champion(self, log: LogDates, date: Date) -> None:
        learning = self.config.learning
        refuse_lifetime(learning)
        models = read_published_models(self.lakehouse)
        if models is None:
            return
        version = read_night(self.lakehouse, models, date, log).champion
        if version is not None and models.knows(version):
            load_champion(models, version, date, learning)

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

    def log(self, date: Date | None) -> LogDates | None:
        """The dates of the log as it is; none where there are none yet."""
        if not self.lakehouse.exists(SESSION_DAYS):
            return None
        try:
            return read_log_dates(self.lakehouse, date)
        except InputError:
            return None
