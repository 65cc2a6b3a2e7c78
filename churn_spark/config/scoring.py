"""Sections of the scores, and of the list made of them."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import (
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)

from churn_spark.config.section import CENTURY, Section, Share

MAX_LISTED = 100_000
"""Users on one list at most, also where its capacity is a share: all of it can be collected."""


class ScoringConfig(Section):
    """Risk bands and reasons."""

    high_risk_lift: float = Field(gt=1)
    medium_risk_lift: float = Field(ge=1)
    n_reasons: int = Field(ge=1)
    min_contribution: float = Field(ge=0)
    min_difference: Share

    @model_validator(mode="after")
    def _check_bands(self) -> Self:
        if self.medium_risk_lift >= self.high_risk_lift:
            raise ValueError(
                f"medium_risk_lift {self.medium_risk_lift} must be below high_risk_lift "
                f"{self.high_risk_lift}"
            )
        return self


class RetentionListConfig(Section):
    """The list that a retention team works from."""

    capacity: Annotated[int, Field(ge=1, le=MAX_LISTED)] | Share
    value_by_level: dict[str, Annotated[float, Field(ge=0)]] = Field(min_length=1)
    quiet_days: int = Field(ge=0, le=CENTURY)
    suppressed: str
    n_changes: int = Field(ge=0)
    min_drop: float = Field(ge=0, lt=1)
    control_share: float = Field(ge=0, le=0.5)
    campaign: str = Field(min_length=1, max_length=40)
    effect_days: int = Field(ge=1, le=3650)

    @property
    def value_unit(self) -> str:
        """What values at risk are in: fees where every fee counts as 1, else what these are in."""
        is_count = set(self.value_by_level.values()) <= {0.0, 1.0}
        return "monthly fees" if is_count else "the currency of the fees"

    @field_validator("capacity", mode="wrap")
    @classmethod
    def _say_both_kinds(cls, found: Any, check: ValidatorFunctionWrapHandler) -> Any:
        try:
            return check(found)
        except ValidationError as error:
            raise ValueError(
                f"expected a number of users from 1 to {MAX_LISTED:,}, or a share of the scored "
                "between 0 and 1"
            ) from error


class UpliftConfig(Section):
    """When the list is ordered by what being listed saves, and among whom."""

    enabled: bool
    min_cancels: int = Field(ge=10)
    n_folds: int = Field(ge=2)
    max_users: int = Field(ge=1000)
    pool: float = Field(ge=1)
    seed: int = Field(ge=0)
