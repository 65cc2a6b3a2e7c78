"""The configuration: read from `conf/`, checked whole at the edge, frozen afterwards.

`conf/base.yaml` explains each knob; this package gives each its type and range. A function
takes the section it needs, never the root.
"""

from __future__ import annotations

from churn_spark.config.catalog import CatalogConfig
from churn_spark.config.data import (
    IngestConfig,
    LabelsConfig,
    LockConfig,
    SnapshotsConfig,
    SparkConfig,
)
from churn_spark.config.load import Config, conf_folder, load_config, shipped_path
from churn_spark.config.maintenance import MaintenanceConfig
from churn_spark.config.mapping import LogMapping
from churn_spark.config.models import (
    BacktestConfig,
    BehaviourConfig,
    CostsConfig,
    EncodingConfig,
    LeakageConfig,
    LightGBMConfig,
    LogisticRegressionConfig,
    RegistryConfig,
    TrainingConfig,
    TuningConfig,
)
from churn_spark.config.monitoring import (
    AlertsConfig,
    ChecksConfig,
    MonitoringConfig,
    PolicyConfig,
)
from churn_spark.config.privacy import PrivacyConfig
from churn_spark.config.runs import RunsConfig
from churn_spark.config.schedule import ScheduleConfig
from churn_spark.config.scoring import (
    MAX_LISTED,
    RetentionListConfig,
    ScoringConfig,
    UpliftConfig,
)
from churn_spark.config.section import Section
from churn_spark.config.serving import ServingConfig
from churn_spark.config.slices import EvaluationConfig, LearningConfig, NightConfig, ServiceConfig

__all__ = [
    "MAX_LISTED",
    "AlertsConfig",
    "BacktestConfig",
    "BehaviourConfig",
    "CatalogConfig",
    "ChecksConfig",
    "Config",
    "CostsConfig",
    "EncodingConfig",
    "EvaluationConfig",
    "IngestConfig",
    "LabelsConfig",
    "LeakageConfig",
    "LearningConfig",
    "LightGBMConfig",
    "LockConfig",
    "LogMapping",
    "LogisticRegressionConfig",
    "MaintenanceConfig",
    "MonitoringConfig",
    "NightConfig",
    "PolicyConfig",
    "PrivacyConfig",
    "RegistryConfig",
    "RetentionListConfig",
    "RunsConfig",
    "ScheduleConfig",
    "ScoringConfig",
    "Section",
    "ServiceConfig",
    "ServingConfig",
    "SnapshotsConfig",
    "SparkConfig",
    "TrainingConfig",
    "TuningConfig",
    "UpliftConfig",
    "conf_folder",
    "load_config",
    "shipped_path",
]
