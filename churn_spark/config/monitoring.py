"""Sections of what is watched each night: drift, policy, data checks and alerts."""

from __future__ import annotations

from datetime import date
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from churn_spark.config.section import Section, Share


class MonitoringConfig(Section):
    """What is counted, compared and measured each night."""

    max_baseline_rows: int = Field(ge=100)
    importance_rows: int = Field(ge=1)
    min_slice_rows: int = Field(ge=1)
    joint_rows: int = Field(ge=1000)
    max_labelled_rows: int = Field(ge=1000)
    n_replicas: int = Field(ge=100)


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
    # Stored decisions of older releases have compared by all rows, and replay by their evidence.
    level_positives: int = Field(default=50, ge=1)
    min_challenger_low: float = Field(gt=-1, le=0)
    max_challenger_calibration: float = Field(ge=0, lt=1)
    max_segment_loss: float = Field(gt=0, lt=1)
    probation_days: int = Field(ge=1)
    max_probation_high: float = Field(gt=-1, le=0)
    # Decisions of older releases were stored without it, and were right with any number.
    min_probation_positives: int = Field(default=2, ge=2)
    # Nor did they know any of these.
    roll_back_to_proven: bool = False
    self_calibrate: bool = False
    calibration_nights: int = Field(default=28, ge=8)
    calibrate_days: int = Field(default=7, ge=1)
    max_false_retrains: float = Field(default=0.5, gt=0, le=12)
    max_enter_lower_bound: float = Field(default=0.2, gt=0, lt=1)
    # And before all features were looked at at once: their evidence has nothing to compare.
    enter_auc_low: float = Field(default=0.60, ge=0.5, lt=1)
    exit_auc: float = Field(default=0.59, ge=0.5, lt=1)
    judge_list: bool = False

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.exit_statistic > self.enter_lower_bound:
            raise ValueError(
                f"exit_statistic {self.exit_statistic} must be at most enter_lower_bound "
                f"{self.enter_lower_bound}: a feature would leave on entering"
            )
        if self.self_calibrate and self.max_enter_lower_bound < self.enter_lower_bound:
            raise ValueError(
                f"max_enter_lower_bound {self.max_enter_lower_bound} must be at least "
                f"enter_lower_bound {self.enter_lower_bound}: thresholds lie between the two"
            )
        if self.exit_auc > self.enter_auc_low:
            raise ValueError(
                f"exit_auc {self.exit_auc} must be at most enter_auc_low {self.enter_auc_low}: "
                "the users would count as before on the night on which they can be told apart"
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
    min_early_ratio: float = Field(gt=0, lt=1)
    max_volume_ratio: float = Field(gt=1)
    holidays: tuple[str, ...]
    max_hours_behind: float = Field(gt=0)
    max_null_increase: Share
    max_zero_increase: Share
    max_chance: Share
    max_unseen_increase: Share
    max_duplicate_rate: Share
    max_quarantine_rate: Share
    max_misdated_rate: Share
    max_changed_rate: Share
    min_label_day: Share

    @field_validator("holidays", mode="before")
    @classmethod
    def _as_texts(cls, days: object) -> object:
        """YAML reads 2026-04-06 without quotes as a date."""
        return [str(day) for day in days] if isinstance(days, list) else days

    @field_validator("holidays")
    @classmethod
    def _check_days(cls, days: tuple[str, ...]) -> tuple[str, ...]:
        for day in days:
            try:
                # Of a leap year, which has all days; `is_holiday` compares texts.
                full = f"2000-{day}" if len(day) == len("12-25") else day
                if str(date.fromisoformat(full)) != full:
                    raise ValueError(full)
            except ValueError as error:
                raise ValueError(
                    f"found the holiday {day!r}, expected a day of each year, 12-25, or a date, "
                    "2026-04-06"
                ) from error
        return days

    def is_holiday(self, day: date) -> bool:
        """Whether a day is one of the holidays."""
        return str(day) in self.holidays or f"{day:%m-%d}" in self.holidays


class AlertsConfig(Section):
    """When an alert ends, and who is notified."""

    clear_nights: int = Field(ge=1)
    remind_days: int = Field(ge=1)
    min_rate_change: float = Field(gt=0, lt=1)
    max_chance: float = Field(gt=0, lt=1)
    min_cancellation_change: float = Field(gt=1)
    min_severity: Literal["info", "warning", "critical"]
    webhook_url: str = Field(pattern=r"^(https?://.+)?$")
    webhook_format: Literal["plain", "slack", "teams"]
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
