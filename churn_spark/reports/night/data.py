"""What the page of a night is made from, and how its parts are looked up."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

import pandas as pd

from churn_spark.config import PolicyConfig
from churn_spark.contracts.features.segments import ALL
from churn_spark.monitoring.data_quality.checks import CheckResult
from churn_spark.monitoring.drift.comparisons import TRAINING
from churn_spark.monitoring.drift.facts import drift_facts
from churn_spark.monitoring.drift.joint import JOINT
from churn_spark.monitoring.drift.movement import Movement
from churn_spark.monitoring.policy.history import Entry
from churn_spark.monitoring.policy.policy import PREDICTION
from churn_spark.monitoring.policy.policy_state import Calibration, PolicyState
from churn_spark.reports.night.overlay import Mix, Overlay
from churn_spark.reports.night.scored import Scored

_BESIDE = ("calibrate", "order")
"""Kinds of decisions that are not about the model."""

HISTORY_DAYS = 90
N_SHOWN = 6


@dataclass(frozen=True)
class NightData:
    """Everything the page shows; nothing in it is a row of a user.

    Attributes:
        night: the date the page is about.
        entries: decisions of the last 90 days up to the night, in their order.
        checks: the night's data checks.
        alerts: rows of `alerts` of the 90 days: all of the night's, of others those that changed.
        drift: rows of `drift` of the newest night that has some, with `statistic`.
        history: run_date, feature, model_version, statistic and lower_bound of the 90 days, all
            users against the training rows.
        performance: rows of `performance` of the 90 days.
        shapes: distributions of the prediction and the features that matter most.
        policy: the thresholds.
        trained: date by which all was known that the champion has learnt from.
        effect: rows of `effect` of the newest night that counted a week.
        is_list_by_effect: whether the night's list is ordered by what listing a user saves.
        scored: what the scores tell of lists and of how users stay.
    """

    night: date
    entries: tuple[Entry, ...]
    checks: tuple[CheckResult, ...]
    alerts: pd.DataFrame
    drift: pd.DataFrame
    history: pd.DataFrame
    performance: pd.DataFrame
    shapes: tuple[Overlay | Mix, ...]
    policy: PolicyConfig
    trained: date | None
    effect: pd.DataFrame = field(default_factory=pd.DataFrame)
    is_list_by_effect: bool = False
    scored: Scored = field(default_factory=Scored)

    @property
    def tonight(self) -> tuple[Entry, ...]:
        """The decisions of the night."""
        return tuple(entry for entry in self.entries if entry.decision.night == self.night)

    @property
    def decided(self) -> Entry | None:
        """The newest decision of the night that is about the model; none where none is stored."""
        about = [entry for entry in self.tonight if entry.decision.kind not in _BESIDE]
        return about[-1] if about else None

    @property
    def calibration(self) -> Calibration | None:
        """The thresholds that were in force on the night; those of tonight are for the next."""
        state = self.decided.after if self.decided is not None else self.state
        return state.calibration if state is not None else None

    @property
    def is_drift_judged(self) -> bool:
        """Whether the policy has judged what moved: not with failed checks or too few users."""
        is_judged = self.state is not None and self.state.last_night == self.night
        return is_judged and all(
            entry.evidence.tells_drift(entry.policy)
            for entry in self.tonight
            if entry.evidence is not None
        )

    @cached_property
    def state(self) -> PolicyState | None:
        """What the policy remembers after the night; none before the first training."""
        known = [entry.after for entry in self.entries if entry.after is not None]
        return known[-1] if known else None

    @property
    def champion(self) -> str | None:
        """The version in use after the night."""
        return self.state.champion if self.state is not None else self.reference_version

    @property
    def drift_night(self) -> date | None:
        """The newest night with drift rows: tonight, unless it was held before it was counted."""
        return None if self.drift.empty else self.drift["run_date"].max()

    @property
    def reference_version(self) -> str | None:
        """The version whose training rows the drift is measured against."""
        return None if self.drift.empty else str(self.drift["model_version"].iloc[0])

    @cached_property
    def moved(self) -> dict[str, tuple[date, bool]]:
        """What had moved on the night of the drift -> since when, and whether even before.

        As the rows say that are shown: a promotion on that night starts a new memory, and before
        its decision the policy remembers the night before. The memory tells since when.
        """
        rows = _of_all_users(self.drift)
        is_moved = rows["is_breached"].astype(bool) & ~rows["is_trending"].astype(bool)
        since = self._remembered
        return {
            name: since.get(name, (day, False))
            for name, day in rows.loc[is_moved, ["feature", "run_date"]].itertuples(index=False)
        }

    @property
    def _remembered(self) -> dict[str, tuple[date, bool]]:
        """What has moved by the policy's memory of the champion whose drift is shown."""
        since: dict[str, tuple[date, bool]] = {}
        for number, entry in enumerate(self._lived):
            assert entry.after is not None
            old = entry.before.breached if number == 0 and entry.before else ()
            since = {
                name: since.get(name, (entry.decision.night, name in old))
                for name in entry.after.breached
            }
        return since

    @property
    def _lived(self) -> list[Entry]:
        """The decisions about the champion whose drift is shown, up to the night of that."""
        return [
            entry
            for entry in self.entries
            if entry.after is not None
            and entry.after.champion == self.reference_version
            and self.drift_night is not None
            and entry.decision.night <= self.drift_night
        ]

    @cached_property
    def movement(self) -> Movement:
        """What has moved, in figures, as of the night of the drift."""
        return Movement.of(self.moved, *drift_facts(records(self.drift)))

    @cached_property
    def prediction(self) -> dict[str, Any] | None:
        """The drift row of the prediction itself, where it was tested."""
        rows = _of_all_users(self.drift)
        found = records(rows[(rows["feature"] == PREDICTION) & (rows["status"] == "ok")])
        return found[0] if found else None

    @cached_property
    def joint(self) -> dict[str, Any] | None:
        """The drift row of all features at once; none on nights of older releases."""
        found = records(self.drift[self.drift["comparison"] == JOINT])
        return found[0] if found else None

    @property
    def is_apart(self) -> bool:
        """Whether the policy counted the users as told from the training rows that are shown.

        As with `moved`, a promotion on the night starts a new memory.
        """
        lived = [entry.after for entry in self._lived if entry.after is not None]
        return bool(lived) and any(lived[-1].apart[-1:])

    @cached_property
    def judged(self) -> list[dict[str, Any]]:
        """The features' drift rows by importance x statistic, without trending ones."""
        ranked = rank_features(self.drift)
        return records(ranked[~ranked["is_trending"].astype(bool)])

    @cached_property
    def trending(self) -> list[dict[str, Any]]:
        """The rows of features that move by construction, in the same order."""
        ranked = rank_features(self.drift)
        return records(ranked[ranked["is_trending"].astype(bool)])

    @cached_property
    def shown(self) -> list[str]:
        """The features that get pictures: those that have moved, then others, both by rank."""
        tested = [str(row["feature"]) for row in self.judged if row["status"] == "ok"]
        return sorted(tested, key=lambda name: name not in self.moved)[:N_SHOWN]

    @cached_property
    def measured(self) -> pd.DataFrame:
        """Measured performance of the champion, oldest window first."""
        rows = self.of_basis("labels")
        return rows[rows["model_version"] == self.champion]

    @cached_property
    def expected(self) -> pd.DataFrame:
        """What the champion of each night guessed of itself, oldest night first."""
        return self.of_basis("expected")

    @property
    def open_alerts(self) -> pd.DataFrame:
        """The alerts that are open after the night."""
        tonight = self.alerts[self.alerts["run_date"] == self.night]
        return tonight[tonight["resolved"].isna()]

    def of_basis(self, basis: str) -> pd.DataFrame:
        """Performance of every champion, measured or guessed, oldest window first."""
        rows = self.performance[self.performance["basis"] == basis]
        return rows.sort_values(["window_start", "run_date", "slice", "metric"])


def records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows by column name."""
    names = [str(name) for name in rows.columns]
    return [dict(zip(names, row, strict=True)) for row in rows.itertuples(index=False, name=None)]


def rank_features(drift: pd.DataFrame) -> pd.DataFrame:
    """The features, those first that the model looks at most and that have moved most."""
    rows = _of_all_users(drift)
    rows = rows[rows["feature"] != PREDICTION]
    weight = rows["importance"].fillna(0.0) * rows["statistic"].fillna(0.0)
    return rows.assign(weight=weight).sort_values(
        ["weight", "statistic", "feature"], ascending=[False, False, True], ignore_index=True
    )


def _of_all_users(drift: pd.DataFrame) -> pd.DataFrame:
    return drift[(drift["comparison"] == TRAINING) & (drift["slice"] == ALL)]
