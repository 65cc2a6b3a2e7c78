"""Which as-of dates have the snapshot and the labels of the log as it is.

Both follow from files of session days, which never change, from the log's first date and from what
is configured. So it is noted of what they were made, after they are written: a date whose note
differs is built again. Where only Spark reaches the files nothing is noted.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from churn_spark.config import LabelsConfig, LearningConfig, SnapshotsConfig
from churn_spark.contracts.features.sources import SOURCES_FINGERPRINT
from churn_spark.contracts.features.spec import SNAPSHOT_FEATURES, fingerprint
from churn_spark.contracts.tables import BUILT_DATES, SESSION_DAYS
from churn_spark.hashing import content_hash
from churn_spark.lakehouse.selection import Where
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.pipeline.dates import LogDates
from churn_spark.pipeline.labels import horizon_of
from churn_spark.timeline import Horizon

_NOT_NOTED: Final = -1


@dataclass(frozen=True)
class Note:
    """What is noted of one date.

    Attributes:
        snapshots_of: hash of what its snapshot was made of.
        labels_of: the same of its labels.
        made_by: hash of the definitions that the snapshot was made by.
        version: of the session days that it was made of.
    """

    snapshots_of: str | None
    labels_of: str
    made_by: str | None = None
    version: int | None = None


@dataclass(frozen=True)
class BuiltDates:
    """What is noted of dates, and what would be noted of them now.

    Attributes:
        version: of the session days.
        files: date and path of the files of session days, in order.
        log_start: first date of the log.
        known_by: all that happened before this date is known.
        horizon: of the labels.
        population: who is in it.
        labels: what they say, and when.
        noted: of each date.
    """

    version: int
    files: Sequence[tuple[date, str]]
    log_start: date
    known_by: date
    horizon: Horizon
    population: SnapshotsConfig
    labels: LabelsConfig
    noted: Mapping[date, Note]

    @classmethod
    def read(cls, lakehouse: Lakehouse, log: LogDates, config: LearningConfig) -> BuiltDates:
        """The notes and the files; none where only Spark reaches them: all dates are stale then."""
        horizon, population = config.labels.horizon, config.snapshots
        start, known_by = log.span.start, config.labels.known_by(log.reached)
        if not lakehouse.is_native:
            return cls(_NOT_NOTED, (), start, known_by, horizon, population, config.labels, {})
        rows = lakehouse.collect_rows(BUILT_DATES, horizon_of(horizon))
        noted = {
            row.as_of: Note(row.snapshots_of, row.labels_of, row.made_by, row.session_days_version)
            for row in rows
        }
        version = lakehouse.version(SESSION_DAYS)
        files = lakehouse.data_files(SESSION_DAYS, "event_date")
        return cls(version, files, start, known_by, horizon, population, config.labels, noted)

    def stale(self, dates: Collection[date]) -> set[date]:
        """Those of the dates that are to be built."""
        return {day for day in dates if not self._is_as_now(day)}

    def outdated(self, dates: Collection[date]) -> set[date]:
        """Those of the dates whose snapshot differs from one of now by late events alone."""
        made_by = self._made_by
        return {
            day
            for day in dates
            if (note := self.noted.get(day)) is not None
            and note.made_by == made_by
            and note.snapshots_of != self._snapshot_hash(day)
        }

    def stale_labels(self) -> set[date]:
        """The noted dates whose labels are to be made again of the snapshots there are.

        What has come in since touches their windows, or closes them.
        """
        return {
            day
            for day, note in self.noted.items()
            if note.labels_of != self._label_hash(day, note.snapshots_of)
        }

    def write(
        self, lakehouse: Lakehouse, built: Collection[date], labelled: Collection[date]
    ) -> None:
        """Note that snapshots and labels were built.

        Args:
            lakehouse: to note it in.
            built: dates of the snapshots.
            labelled: dates of the labels, of which those of other snapshots are no more than
                these were.
        """
        if not lakehouse.is_native:
            return
        rows = []
        for day in sorted(labelled):
            note = self.noted.get(day, Note(None, ""))
            if day in built:
                note = Note(self._snapshot_hash(day), "", self._made_by, self.version)
            labels_of = self._label_hash(day, note.snapshots_of)
            window = self.horizon.days, self.horizon.gap_days
            rows.append((day, *window, note.snapshots_of, labels_of, note.made_by, note.version))
        where: Where = {"as_of": labelled, **horizon_of(self.horizon)}
        lakehouse.replace_rows(rows, BUILT_DATES, where)

    def _is_as_now(self, day: date) -> bool:
        note, snapshots_of = self.noted.get(day), self._snapshot_hash(day)
        labels_of = self._label_hash(day, snapshots_of)
        return note is not None and (note.snapshots_of, note.labels_of) == (snapshots_of, labels_of)

    @property
    def _members(self) -> list[int | str]:
        """What decides who is in the population."""
        paid = [self.population.audience] if self.population.is_only_paid else []
        ending = self.labels.ending
        window = [self.labels.churn, ending.days, ending.gap_days] if ending else []
        return [self.population.active_days, *paid, *window]

    @property
    def _made_by(self) -> str:
        return content_hash([SOURCES_FINGERPRINT, fingerprint(SNAPSHOT_FEATURES), *self._members])

    def _snapshot_hash(self, day: date) -> str:
        features = fingerprint(SNAPSHOT_FEATURES)
        paths = [path for one, path in self.files if one < day]
        return content_hash([SOURCES_FINGERPRINT, features, *self._members, self.log_start, paths])

    def _label_hash(self, day: date, snapshots_of: str | None) -> str:
        until = self.horizon.end(day) + timedelta(days=self.horizon.grace_days)
        first, end = (bisect_left(self.files, (one, "")) for one in (self._first_seen(day), until))
        paths = [path for _, path in self.files[first:end]]
        # What is usual is not named, so that notes of before there was a choice hold.
        others = [] if self.labels.churn == "cancel" else [self.labels.churn]
        grace = [self.horizon.grace_days] if self.labels.ending else []
        is_known = self.horizon.is_known(day, self.known_by)
        return content_hash([snapshots_of, is_known, paths, *others, *grace])

    def _first_seen(self, day: date) -> date:
        """First date whose events may change the labels of a snapshot that stays as it is.

        Who is in it was here in the days before, and a cancel of then that comes later leaves no
        label. The end of a subscription may have been told long before that; labels of inactivity
        look ahead alone.
        """
        if self.labels.churn == "inactivity":
            return day
        if self.labels.churn == "lapse":
            return date.min
        return date.fromordinal(max(1, day.toordinal() - self.population.active_days))


def seen_version(lakehouse: Lakehouse, day: date) -> int:
    """The version of the session days that a date's snapshot was made of; -1 if not noted."""
    rows = lakehouse.collect_rows(BUILT_DATES, {"as_of": [day]}, ["session_days_version"])
    versions = [row.session_days_version for row in rows if row.session_days_version is not None]
    return max(versions, default=_NOT_NOTED)
