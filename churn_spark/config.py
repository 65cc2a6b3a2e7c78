"""The configuration: read from `conf/`, checked whole at the edge, frozen afterwards.

`conf/base.yaml` explains each knob; this module gives each its type and range. A function
takes the section it needs, never the root.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from churn_spark.errors import ConfigError
from churn_spark.timeline import Horizon

Share = Annotated[float, Field(gt=0, lt=1)]
FeatureSets = Annotated[tuple[Literal["report", "activity", "behaviour"], ...], Field(min_length=1)]


class Section(BaseModel):
    """A part of the configuration: immutable, and strict about its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class SparkConfig(Section):
    """How a session is built where `spark-submit` has not built it already."""

    master: str
    driver_memory: str
    shuffle_partitions: int = Field(ge=1)
    max_partition_bytes: str


class IngestConfig(Section):
    """What counts as an event, and what goes to quarantine."""

    events: str
    max_files_per_batch: int = Field(ge=1)
    max_line_bytes: int = Field(ge=1024)
    quarantined_chars: int = Field(ge=1)
    earliest: date
    latest: date
    anonymous_user_ids: tuple[str, ...]

    @model_validator(mode="after")
    def _check_range(self) -> Self:
        if self.earliest >= self.latest:
            raise ValueError(f"earliest {self.earliest} must be before latest {self.latest}")
        return self


class SnapshotsConfig(Section):
    """Who is in the population as of a date."""

    active_days: int = Field(ge=1)


class LabelsConfig(Section):
    """What is predicted."""

    kind: Literal["horizon", "lifetime"]
    horizon_days: int = Field(ge=1)
    gap_days: int = Field(ge=0)

    @property
    def horizon(self) -> Horizon:
        """The label window as the timeline's value."""
        return Horizon(self.horizon_days, self.gap_days)


class TrainingConfig(Section):
    """Which rows a training uses and how they are split."""

    as_of_weekday: int = Field(ge=0, le=6)
    history_days: int = Field(ge=1)
    max_weeks: int = Field(ge=1)
    validation_share: Share
    stopping_share: Share
    min_cancels: int = Field(ge=2)
    min_validation_cancels: int = Field(ge=1)
    feature_sets: FeatureSets
    baseline_sets: FeatureSets
    retrospective_sets: FeatureSets
    retrospective_min_data: int = Field(ge=1)
    retrospective_lambda_l2: float = Field(ge=0)
    start_from_behaviour: bool
    use_gender: bool
    seed: int = Field(ge=0)

    @model_validator(mode="after")
    def _check_sets(self) -> Self:
        if self.start_from_behaviour and "behaviour" not in self.feature_sets:
            raise ValueError(
                "start_from_behaviour needs the set behaviour in feature_sets, found "
                f"{', '.join(self.feature_sets)}"
            )
        for name in ("baseline_sets", "retrospective_sets"):
            if "behaviour" in getattr(self, name):
                raise ValueError(f"{name} must be without the set behaviour")
        return self


class LightGBMConfig(Section):
    """Parameters of the champion's family, most of them under LightGBM's own names."""

    engine: Literal["synapseml", "lightgbm"]
    class_weight: Literal["none", "balanced"]
    num_leaves: int = Field(ge=2)
    learning_rate: float = Field(gt=0)
    max_rounds: int = Field(ge=1)
    min_rounds: int = Field(ge=1)
    min_data_in_leaf: int = Field(ge=1)
    lambda_l2: float = Field(ge=0)
    bagging_fraction: float = Field(gt=0, le=1)
    bagging_freq: int = Field(ge=0)
    feature_fraction: float = Field(gt=0, le=1)
    min_data_per_group: int = Field(ge=1)
    cat_smooth: float = Field(ge=0)

    @model_validator(mode="after")
    def _check_rounds(self) -> Self:
        if self.min_rounds > self.max_rounds:
            raise ValueError(
                f"min_rounds {self.min_rounds} must be at most max_rounds {self.max_rounds}"
            )
        return self


class LogisticRegressionConfig(Section):
    """Parameters of the baseline."""

    reg_param: float = Field(ge=0)
    max_iter: int = Field(ge=1)


class BehaviourConfig(Section):
    """How the behaviour model is fitted."""

    n_classes: tuple[Annotated[int, Field(ge=1, le=12)], ...] = Field(min_length=1)
    prior_weight: float = Field(gt=0)
    n_starts: int = Field(ge=1)
    block_users: int = Field(ge=1)
    seed: int = Field(ge=0)


class BacktestConfig(Section):
    """How much of the log a backtest tests on."""

    n_test_dates: int = Field(ge=1)
    n_replicas: int = Field(ge=50)
    n_folds: int = Field(ge=2)


class TuningConfig(Section):
    """How long to look for better parameters of the trees, and where."""

    n_trials: int = Field(ge=2)
    timeout_minutes: float = Field(gt=0)
    n_folds: int = Field(ge=2)
    n_dates: int = Field(ge=1)
    storage: str
    num_leaves: tuple[Annotated[int, Field(ge=2)], int]
    learning_rate: tuple[Annotated[float, Field(gt=0)], float]
    min_data_in_leaf: tuple[Annotated[int, Field(ge=1)], int]
    lambda_l2: tuple[Annotated[float, Field(ge=0)], float]
    bagging_fraction: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(le=1)]]
    min_data_per_group: tuple[Annotated[int, Field(ge=1)], int]
    cat_smooth: tuple[Annotated[float, Field(ge=0)], float]
    seed: int = Field(ge=0)

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """LightGBM's parameter -> its lowest and highest value, both tried."""
        return {name: bounds for name, bounds in self if isinstance(bounds, tuple)}

    @model_validator(mode="after")
    def _check_ranges(self) -> Self:
        for name, (low, high) in self.ranges.items():
            if low > high:
                raise ValueError(f"{name}: the low end {low} must be at most the high end {high}")
        return self


class EncodingConfig(Section):
    """How categories become numbers."""

    max_levels: int = Field(ge=2, le=56)


class RegistryConfig(Section):
    """Where runs and models are kept."""

    tracking_uri: str
    experiment: str
    model_name: str


class ScoringConfig(Section):
    """Risk bands and reasons."""

    high_risk_lift: float = Field(gt=1)
    medium_risk_lift: float = Field(ge=1)
    n_reasons: int = Field(ge=1)

    @model_validator(mode="after")
    def _check_bands(self) -> Self:
        if self.medium_risk_lift >= self.high_risk_lift:
            raise ValueError(
                f"medium_risk_lift {self.medium_risk_lift} must be below high_risk_lift "
                f"{self.high_risk_lift}"
            )
        return self


class MonitoringConfig(Section):
    """What is counted, compared and measured each night."""

    max_baseline_rows: int = Field(ge=100)
    importance_rows: int = Field(ge=1)
    min_slice_rows: int = Field(ge=1)
    max_labelled_rows: int = Field(ge=1000)
    n_replicas: int = Field(ge=100)


class ListConfig(Section):
    """The list that a retention team works from."""

    capacity: Annotated[int, Field(ge=1, le=100_000)] | Share
    value_by_level: dict[str, Annotated[float, Field(ge=0)]] = Field(min_length=1)
    quiet_days: int = Field(ge=0)
    suppressed: str
    n_changes: int = Field(ge=0)
    min_drop: float = Field(ge=0, lt=1)


class CostsConfig(Section):
    """What the two mistakes cost, in one unit of money or in offers."""

    missed_cancel: float = Field(gt=0)
    wasted_offer: float = Field(gt=0)
    offer_success: float = Field(gt=0, le=1)


class PolicyConfig(Section):
    """When a night is bad, and what it takes to retrain, promote and roll back."""

    min_rows: int = Field(ge=1)
    enter_lower_bound: float = Field(gt=0, lt=1)
    enter_adjusted_p: float = Field(gt=0, lt=1)
    exit_statistic: float = Field(gt=0, lt=1)
    min_breached_share: float = Field(gt=0, le=1)
    bad_nights: int = Field(ge=1)
    of_nights: int = Field(ge=1)
    min_positives: int = Field(ge=1)
    bad_windows: int = Field(ge=1)
    max_drop: float = Field(ge=0, lt=1)
    max_calibration_drop: float = Field(ge=0, lt=1)
    schedule_days: int = Field(ge=1)
    cooldown_days: int = Field(ge=1)
    max_cooldown_days: int = Field(ge=1)
    min_days_between: int = Field(ge=1)
    max_retrains: int = Field(ge=1)
    budget_days: int = Field(ge=1)
    max_training_days: int = Field(ge=1)
    comparison_weeks: int = Field(ge=1)
    min_challenger_low: float = Field(gt=-1, le=0)
    max_challenger_calibration: float = Field(ge=0, lt=1)
    max_segment_loss: float = Field(gt=0, lt=1)
    probation_days: int = Field(ge=1)
    max_probation_high: float = Field(gt=-1, le=0)

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.exit_statistic > self.enter_lower_bound:
            raise ValueError(
                f"exit_statistic {self.exit_statistic} must be at most enter_lower_bound "
                f"{self.enter_lower_bound}: a feature would leave on entering"
            )
        if self.bad_nights > self.of_nights:
            raise ValueError(
                f"bad_nights {self.bad_nights} must be at most of_nights {self.of_nights}"
            )
        if self.cooldown_days > self.max_cooldown_days:
            raise ValueError(
                f"cooldown_days {self.cooldown_days} must be at most max_cooldown_days "
                f"{self.max_cooldown_days}"
            )
        return self


class ChecksConfig(Section):
    """When a night's data are too strange to judge a model by, or to learn from."""

    min_same_weekdays: int = Field(ge=1)
    min_volume_ratio: float = Field(gt=0, lt=1)
    max_volume_ratio: float = Field(gt=1)
    max_hours_behind: float = Field(gt=0)
    max_null_increase: Share
    max_zero_increase: Share
    max_chance: Share
    max_unseen_increase: Share
    max_duplicate_rate: Share
    max_quarantine_rate: Share


class AlertsConfig(Section):
    """When an alert ends, and who is told."""

    clear_nights: int = Field(ge=1)
    remind_days: int = Field(ge=1)
    min_rate_change: float = Field(gt=0, lt=1)
    max_chance: float = Field(gt=0, lt=1)
    min_severity: Literal["info", "warning", "critical"]
    webhook_url: str = Field(pattern=r"^(https?://.+)?$")
    smtp_host: str
    smtp_port: int = Field(ge=1, le=65535)
    smtp_starttls: bool
    smtp_user: str
    mail_from: str
    mail_to: tuple[str, ...]
    attempts: int = Field(ge=1, le=10)
    timeout_seconds: float = Field(gt=0)
    max_seconds: float = Field(gt=0)

    @model_validator(mode="after")
    def _check_mail(self) -> Self:
        if self.smtp_host and not (self.mail_from and self.mail_to):
            raise ValueError(
                f"smtp_host {self.smtp_host!r} needs mail_from and mail_to, found "
                f"{self.mail_from!r} and {list(self.mail_to)}"
            )
        return self


class ServingConfig(Section):
    """How the service answers, whom, and how much of it."""

    host: str
    port: int = Field(ge=0, le=65535)
    keys_file: str
    require_key: bool
    poll_seconds: float = Field(gt=0)
    max_body_bytes: int = Field(ge=1024)
    max_rows: int = Field(ge=1)
    max_events: int = Field(ge=1)
    max_seconds: float = Field(gt=0)
    requests_per_second: float = Field(gt=0)
    burst: int = Field(ge=1)
    max_connections: int = Field(ge=1)
    max_scores_age_hours: float = Field(gt=0)
    rows_per_page: int = Field(ge=1, le=1000)
    sign_in_hours: float = Field(gt=0)


class LeakageConfig(Section):
    """What the leak checks believe, and how much they look at."""

    n_dates: int = Field(ge=1)
    max_users: int = Field(ge=100)
    max_feature_auc: float = Field(ge=0.5, lt=1)
    max_forecast_auc: float = Field(ge=0.5, lt=1)
    max_explained: Share
    max_order_auc: float = Field(ge=0.5, lt=1)
    max_shift_auc: float = Field(ge=0.5, lt=1)
    z: float = Field(gt=0)


class Config(Section):
    """The whole configuration of one run."""

    lakehouse: str
    spark: SparkConfig
    ingest: IngestConfig
    snapshots: SnapshotsConfig
    labels: LabelsConfig
    training: TrainingConfig
    lightgbm: LightGBMConfig
    logistic_regression: LogisticRegressionConfig
    behaviour: BehaviourConfig
    backtest: BacktestConfig
    tuning: TuningConfig
    encoding: EncodingConfig
    registry: RegistryConfig
    scoring: ScoringConfig
    list: ListConfig
    monitoring: MonitoringConfig
    costs: CostsConfig
    policy: PolicyConfig
    checks: ChecksConfig
    alerts: AlertsConfig
    serving: ServingConfig
    leakage: LeakageConfig


def load_config(env: str = "local", overrides: Sequence[str] = ()) -> Config:
    """Read `conf/base.yaml`, the environment's file, `$LAKEHOUSE` and the overrides, in that order.

    Args:
        env: name of a file in `conf/`, without its ending.
        overrides: `section.key=value` each, the value in YAML.

    Raises:
        ConfigError: if a file is missing or keys or values don't fit; all of them are listed.
    """
    folder = conf_folder()
    values = _merge(_read_yaml(folder / "base.yaml"), _read_yaml(folder / f"{env}.yaml"))
    if os.environ.get("LAKEHOUSE"):
        values["lakehouse"] = os.environ["LAKEHOUSE"]
    for override in overrides:
        values = _merge(values, _parse_override(override))
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc']))}: {_tell(problem['msg'], problem['input'])}"
            for problem in error.errors()
        )
        raise ConfigError(
            f"the configuration doesn't fit: {problems}. All keys are in conf/base.yaml"
        ) from error


def _tell(message: str, found: Any) -> str:
    """Say what is wrong; without the value where it is a whole section, which may hold secrets."""
    message = message.removeprefix("Value error, ")
    return message if isinstance(found, Mapping) else f"{message} (found {found!r})"


def conf_folder() -> Path:
    """`$CHURN_CONF_DIR`, or the `conf/` folder beside the package."""
    beside = Path(__file__).resolve().parent.parent / "conf"
    return Path(os.environ.get("CHURN_CONF_DIR") or beside)


def _read_yaml(path: Path) -> dict[str, Any]:
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in path.parent.glob("*.yaml"))) or "none"
        raise ConfigError(
            f"no configuration {path.stem!r} in {path.parent}; there is: {known}. "
            "Pass one of them to --env"
        )
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no valid YAML in UTF-8: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path} holds {type(values).__name__}, expected sections with keys")
    return values


def _parse_override(override: str) -> dict[str, Any]:
    path, separator, value = override.partition("=")
    if not separator or not path:
        raise ConfigError(f"found --set {override!r}, expected section.key=value")
    try:
        nested: Any = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ConfigError(f"the value in --set {override!r} is no valid YAML: {error}") from error
    for key in reversed(path.split(".")):
        nested = {key: nested}
    return dict(nested)


def _merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, change in changes.items():
        value, below = change, merged.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            value = _merge(below, value)
        merged[key] = value
    return merged
