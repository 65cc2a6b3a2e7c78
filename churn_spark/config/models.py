"""Sections of training, and of how models are tested, searched for and kept."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from churn_spark.config.section import Section, Share

FeatureSet = Literal["report", "activity", "behaviour", "fading"]
FeatureSets = Annotated[tuple[FeatureSet, ...], Field(min_length=1)]


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
            for forecast in ("behaviour", "fading"):
                if forecast in getattr(self, name):
                    raise ValueError(f"{name} must be without the set {forecast}")
        return self


class LightGBMConfig(Section):
    """Parameters of the champion's family, most of them under LightGBM's own names."""

    engine: Literal["auto", "synapseml", "lightgbm"]
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
    cat_l2: float = Field(ge=0)
    rows_per_task: int = Field(ge=1)

    @model_validator(mode="after")
    def _check_rounds(self) -> Self:
        if self.min_rounds > self.max_rounds:
            raise ValueError(
                f"min_rounds {self.min_rounds} must be at most max_rounds {self.max_rounds}"
            )
        return self


class LogisticRegressionConfig(Section):
    """Parameters of the baseline."""

    reg_params: tuple[Annotated[float, Field(ge=0)], ...] = Field(min_length=1)
    max_iter: int = Field(ge=1)
    start_from_forecasts: bool


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


class CostsConfig(Section):
    """What the two mistakes cost, in one unit of money or in offers."""

    _PLACEHOLDERS: ClassVar = (10.0, 1.0, 1.0)

    missed_cancel: float = Field(gt=0)
    wasted_offer: float = Field(gt=0)
    offer_success: float = Field(gt=0, le=1)

    @property
    def are_placeholders(self) -> bool:
        """Whether nobody has said what the mistakes cost: the values are those of `base.yaml`."""
        return (self.missed_cancel, self.wasted_offer, self.offer_success) == self._PLACEHOLDERS


class LeakageConfig(Section):
    """The limits of the leak checks, and how many rows they read."""

    n_dates: int = Field(ge=1)
    max_users: int = Field(ge=100)
    max_feature_auc: float = Field(ge=0.5, lt=1)
    max_forecast_auc: float = Field(ge=0.5, lt=1)
    max_explained: Share
    max_order_auc: float = Field(ge=0.5, lt=1)
    max_shift_auc: float = Field(ge=0.5, lt=1)
    z: float = Field(gt=0)
