"""Sections that are needed together: what a use case takes in place of the whole configuration."""

from __future__ import annotations

from churn_spark.config import data, models
from churn_spark.config.maintenance import MaintenanceConfig
from churn_spark.config.monitoring import (
    AlertsConfig,
    ChecksConfig,
    MonitoringConfig,
    PolicyConfig,
)
from churn_spark.config.privacy import PrivacyConfig
from churn_spark.config.schedule import ScheduleConfig
from churn_spark.config.scoring import RetentionListConfig, ScoringConfig, UpliftConfig
from churn_spark.config.section import Section
from churn_spark.config.serving import ServingConfig


class LearningConfig(Section):
    """What decides a training: its rows, its features, both families of models.

    The order of the sections is part of `training_key`, which is stored with every model.
    """

    snapshots: data.SnapshotsConfig
    labels: data.LabelsConfig
    training: models.TrainingConfig
    lightgbm: models.LightGBMConfig
    logistic_regression: models.LogisticRegressionConfig
    behaviour: models.BehaviourConfig
    encoding: models.EncodingConfig
    max_reference_rows: int
    effect_days: int

    @property
    def is_lifetime(self) -> bool:
        """Whether the label only describes the past: there is nothing to forecast or decide."""
        return self.labels.kind == "lifetime"


class EvaluationConfig(Section):
    """What a test of the model on the past needs, and its page."""

    learning: LearningConfig
    backtest: models.BacktestConfig
    costs: models.CostsConfig
    scoring: ScoringConfig


class NightConfig(Section):
    """What a night needs, from new files to alerts."""

    ingest: data.IngestConfig
    privacy: PrivacyConfig
    learning: LearningConfig
    scoring: ScoringConfig
    retention_list: RetentionListConfig
    uplift: UpliftConfig
    monitoring: MonitoringConfig
    costs: models.CostsConfig
    policy: PolicyConfig
    checks: ChecksConfig
    alerts: AlertsConfig
    maintenance: MaintenanceConfig
    tuning: models.TuningConfig


class ServiceConfig(Section):
    """What the service needs: its own section, and what it has in common with the nights."""

    lakehouse: str
    ingest: data.IngestConfig
    privacy: PrivacyConfig
    snapshots: data.SnapshotsConfig
    labels: data.LabelsConfig
    scoring: ScoringConfig
    retention_list: RetentionListConfig
    costs: models.CostsConfig
    schedule: ScheduleConfig
    serving: ServingConfig
