"""A date's snapshot and scores -> `drift_cells`, `drift`, and `performance` as labels mature."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date as Date

from pyspark.sql import Row

from churn_spark.config import NightConfig, PolicyConfig
from churn_spark.contracts.features.segments import ALL
from churn_spark.contracts.tables import (
    BEHAVIOUR,
    CONTACTS,
    DATA_CHECKS,
    DECISIONS,
    DRIFT,
    DRIFT_CELLS,
    EFFECT,
    EVENT_DAYS,
    FADING,
    LABELS,
    LOG_DATES,
    PERFORMANCE,
    RETENTION_LISTS,
    SCORES,
    SESSION_DAYS,
    SNAPSHOTS,
    TRANSITIONS,
    VALIDATION_SCORES,
)
from churn_spark.evaluation.intervals import Interval
from churn_spark.lakehouse.frames import kept
from churn_spark.lakehouse.selection import Where
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.lakehouse.user_rows import replace_users, require_rows
from churn_spark.models.bundle import ModelBundle
from churn_spark.models.registry import ModelRegistry
from churn_spark.monitoring.drift.comparisons import TRAINING
from churn_spark.monitoring.drift.facts import drift_facts
from churn_spark.monitoring.drift.joint import JOINT
from churn_spark.monitoring.drift.movement import Movement
from churn_spark.monitoring.frames.drift import Judgement, build_drift
from churn_spark.monitoring.frames.joint import with_joint_drift
from churn_spark.monitoring.frames.reference import Reference
from churn_spark.monitoring.frames.sides import Sides
from churn_spark.monitoring.performance.cancellations import (
    CANCELLATIONS,
    cancellations_told,
)
from churn_spark.monitoring.performance.effect import describe_effect
from churn_spark.monitoring.performance.reach import LIST, describe_reach, list_reaches
from churn_spark.monitoring.policy.evidence import Evidence
from churn_spark.monitoring.policy.history import calibration_at, newest_succession
from churn_spark.pipeline import snapshots
from churn_spark.pipeline.bin_counts import count_night, count_past_nights, read_cells
from churn_spark.pipeline.cancellations import measure_cancellations
from churn_spark.pipeline.champion import load_champion
from churn_spark.pipeline.effect import measure_effect
from churn_spark.pipeline.gather import Night, read_night, state_before
from churn_spark.pipeline.performance import measure_performance, newest_window
from churn_spark.pipeline.reach import measure_arrival, measure_lists
from churn_spark.pipeline.use_case import UseCase
from churn_spark.wording import count_of, name_some

USE_CASE = UseCase(
    "monitor_model",
    "what has moved, from the training rows and from earlier nights; how good the model "
    "was once labels are known",
    reads=(SESSION_DAYS, SNAPSHOTS, SCORES),
    writes=(DRIFT_CELLS, DRIFT, PERFORMANCE, EFFECT, SNAPSHOTS, LABELS),
    reads_if_there=(
        EVENT_DAYS,
        TRANSITIONS,
        BEHAVIOUR,
        FADING,
        LABELS,
        LOG_DATES,
        RETENTION_LISTS,
        CONTACTS,
        VALIDATION_SCORES,
        DATA_CHECKS,
        DRIFT_CELLS,
        PERFORMANCE,
        EFFECT,
        DECISIONS,
    ),
    takes=("the champion",),
)
_NAMED = 4


@dataclass(frozen=True)
class Drift:
    """A night's drift of all users from the training rows.

    Attributes:
        rows: one a feature.
        joint: of all features at once; none on nights of older releases.
    """

    rows: tuple[Row, ...] = ()
    joint: Row | None = None

    @property
    def moved(self) -> list[str]:
        """What counts as moved, without what moves with time by construction."""
        return sorted(r.feature for r in self.rows if r.is_breached and not r.is_trending)

    @property
    def movement(self) -> Movement:
        """The same in figures."""
        return Movement.of(self.moved, *drift_facts(self.rows))


def read_drift(lakehouse: Lakehouse, date: Date) -> Drift:
    """The night's drift, as it was stored.

    Raises:
        MissingTableError: if there is none; `monitor_model` writes it.
    """
    require_rows(lakehouse, DRIFT, {"run_date": [date]}, date)
    where: Where = {"run_date": [date], "comparison": [TRAINING, JOINT], "slice": [ALL]}
    found = lakehouse.collect_rows(DRIFT, where)
    joint = next((row for row in found if row.comparison == JOINT), None)
    return Drift(tuple(row for row in found if row.comparison == TRAINING), joint)


def run(lakehouse: Lakehouse, registry: ModelRegistry, date: Date, config: NightConfig) -> Drift:
    """Replace the rows of a date, for the model that is champion on it; returns its drift.

    Raises:
        MissingTableError: if a table is missing, or the date wasn't scored.
        NoChampionError: before the first training.
        OtherModelError: if the champion has learnt what came after the date, or predicts
            something else than is configured.
        FingerprintError: if it knows other feature definitions.
    """
    night = read_night(lakehouse, registry, date)
    bundle = load_champion(registry, night.require_champion(), date, config.learning)
    return monitor_night(lakehouse, registry, night, bundle, config)


def monitor_night(
    lakehouse: Lakehouse,
    registry: ModelRegistry,
    night: Night,
    bundle: ModelBundle,
    config: NightConfig,
) -> Drift:
    """Replace the date's rows; returns how far each feature is from the training rows.

    Raises:
        MissingTableError: if the night wasn't scored.
    """
    date, limits = night.date, config.monitoring
    with USE_CASE.start(lakehouse) as facts:
        tonight = night.log.history(date)
        reference = Reference.of(bundle, limits.importance_rows, tonight)
        users = count_night(lakehouse, date, bundle, reference)
        since = newest_succession(night.entries, date)
        n_recounted = count_past_nights(lakehouse, date, bundle, reference, since)
        cells = read_cells(lakehouse, date, reference)
        sides = Sides.of(users, bundle, limits.joint_rows, tonight)
        judgement = Judgement(
            config.policy,
            state_before(night, config.policy).breached,
            calibration_at(night.entries, date),
            is_drift_judged(lakehouse, date, config.policy),
        )
        attributions, min_rows = sides.attributions(limits.importance_rows), limits.min_slice_rows
        tests = build_drift(cells, reference, date, min_rows, judgement, attributions)
        with kept(tests):
            drift = with_joint_drift(tests, sides, min_rows, config.policy)
            replace_users(lakehouse, drift, DRIFT, {"run_date": [date]})
        window = measure(lakehouse, registry, night, bundle, config)
        saved = record_effect(lakehouse, night, config)
        found = read_drift(lakehouse, date)
        told: Where = {"run_date": [date], "basis": [LIST, CANCELLATIONS]}
        measured = lakehouse.collect_rows(PERFORMANCE, told)
        facts.append(
            f"{len(reference.samples)} features compared with the training rows of model version "
            f"{bundle.version}"
        )
        facts.append(found.movement.describe())
        if found.moved:
            facts.append(f"drifted: {name_some(found.moved, _NAMED)}")
        facts.append(_describe_joint(found.joint))
        if n_recounted:
            facts.append(f"{count_of(n_recounted, 'earlier run')} measured again for this version")
        if window:
            facts.append(f"performance measured on the outcomes as of {window}")
        facts.extend(describe_reach(reach) for reach in list_reaches(measured)[-1:])
        facts.extend(cancellations_told(measured))
        facts.extend(saved)
    return found


def record_effect(lakehouse: Lakehouse, night: Night, config: NightConfig) -> list[str]:
    """Replace what the night knows of the effect of lists; returns the newest of it in words."""
    rows = measure_effect(lakehouse, night, config.learning, config.costs)
    of_night: Where = {"run_date": [night.date]}
    if rows or lakehouse.count_rows(EFFECT, of_night):
        values = [[row.get(name) for name in EFFECT.column_names] for row in rows]
        lakehouse.replace_rows(values, EFFECT, of_night)
    return describe_effect(rows)[:2]


def is_drift_judged(lakehouse: Lakehouse, date: Date, policy: PolicyConfig) -> bool:
    """Whether the night has enough users to judge drift by."""
    return Evidence(lakehouse.count_rows(SNAPSHOTS, {"as_of": [date]})).tells_drift(policy)


def _describe_joint(joint: Row | None) -> str:
    if joint is None or joint.status != "ok":
        return "all features together: not tested"
    interval = Interval(joint.auc, joint.auc_low, joint.auc_high)
    return f"all features together: drift classifier with ROC AUC {interval}"


def measure(
    lakehouse: Lakehouse,
    registry: ModelRegistry,
    night: Night,
    bundle: ModelBundle,
    config: NightConfig,
) -> Date | None:
    """Replace what is known of the champion's performance.

    Returns:
        The as-of date whose labels were used for the first time; none where there is none.
    """
    window = newest_window(lakehouse, registry, night, bundle.version, config.learning)
    if window is not None:
        snapshots.run_stale(lakehouse, [window], config.learning, night.log)
    rows = measure_performance(
        lakehouse, registry, night.date, bundle, window, config.learning, config.monitoring
    )
    of_night = [
        *measure_lists(lakehouse, night, config.learning),
        *measure_arrival(lakehouse, night, bundle.version, config.learning, config.checks),
        *measure_cancellations(lakehouse, night, bundle.version, config.learning),
    ]
    rows += [{**row, "run_date": night.date} for row in of_night]
    values = [[row.get(name) for name in PERFORMANCE.column_names] for row in rows]
    lakehouse.replace_rows(values, PERFORMANCE, {"run_date": [night.date]})
    return window
