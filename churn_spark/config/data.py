"""Sections of the session, of what is an event, and of users and labels as of a date."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from churn_spark.config.mapping import LogMapping
from churn_spark.config.section import CENTURY, Section
from churn_spark.timeline import Horizon

_JavaSize = Annotated[str, Field(pattern=r"^[1-9][0-9]*[kmgtKMGT]?[bB]?$")]
"""A number of bytes as Java and Spark take it: `512m`, `2g`."""


class SparkConfig(Section):
    """How a session is built where `spark-submit` has not built it already."""

    master: str = Field(pattern=r"^(local(\[[^\]]+\])?|yarn|(spark|k8s|mesos)://.+)$")
    driver_memory: _JavaSize
    shuffle_partitions: int = Field(ge=1)
    max_partition_bytes: _JavaSize
    max_local_users: int = Field(ge=0)


class LockConfig(Section):
    """How one job at a time is made sure of."""

    required: bool
    renew_seconds: float = Field(gt=0)
    stale_minutes: float = Field(gt=0)

    @model_validator(mode="after")
    def _check_patience(self) -> Self:
        if self.stale_minutes * 60 < 5 * self.renew_seconds:
            raise ValueError(
                f"stale_minutes {self.stale_minutes} must be five times renew_seconds "
                f"{self.renew_seconds} or more: a holder may be late four times"
            )
        return self


class IngestConfig(Section):
    """What counts as an event, and what goes to quarantine."""

    events: str = Field(min_length=1)
    min_age_minutes: float = Field(ge=0)
    max_files_per_batch: int = Field(ge=1)
    mapping: LogMapping | None
    max_line_bytes: int = Field(ge=1024)
    quarantine_days: int = Field(ge=1, le=CENTURY)
    earliest: date
    latest: date
    anonymous_user_ids: tuple[str, ...]
    buckets: int = Field(ge=1, le=4096)
    reader: Literal["auto", "native", "spark"]
    usual_day: float = Field(gt=0, lt=1)
    silent_days: int = Field(ge=1)
    max_driver_bytes: int = Field(ge=0)
    max_driver_events: int = Field(ge=0)

    @model_validator(mode="after")
    def _check_range(self) -> Self:
        if self.earliest >= self.latest:
            raise ValueError(f"earliest {self.earliest} must be before latest {self.latest}")
        return self


class SnapshotsConfig(Section):
    """Who is in the population as of a date."""

    active_days: int = Field(ge=1)
    audience: Literal["all", "paid"]
    refresh: Literal["unscored", "all", "none"]

    @property
    def is_only_paid(self) -> bool:
        """Whether who isn't paying is left out."""
        return self.audience == "paid"


class LabelsConfig(Section):
    """What is predicted."""

    kind: Literal["horizon", "lifetime"]
    churn: Literal["cancel", "inactivity", "lapse"]
    horizon_days: int = Field(ge=1, le=CENTURY)
    gap_days: int = Field(ge=0, le=CENTURY)
    grace_days: int = Field(ge=0, le=CENTURY)
    lateness_days: int = Field(ge=0, le=CENTURY)

    @property
    def horizon(self) -> Horizon:
        """The label window as the timeline's value."""
        return Horizon(self.horizon_days, self.gap_days, self.grace_days)

    @property
    def definition(self) -> dict[str, str | int]:
        """What a label means: models of one definition forecast the same."""
        # Models of before there was a choice forecast cancels.
        of_cancels = {"churn"} if self.churn == "cancel" else set()
        without_grace = set() if self.churn == "lapse" else {"grace_days"}
        return self.model_dump(exclude={"lateness_days", *of_cancels, *without_grace})

    @property
    def ending(self) -> Horizon | None:
        """The window in which subscriptions of the population run out; None: whenever they do."""
        return self.horizon if self.churn == "lapse" else None

    @model_validator(mode="after")
    def _check_kind(self) -> Self:
        if self.kind == "lifetime" and self.churn != "cancel":
            raise ValueError(
                f"kind lifetime is for cancels: expected kind horizon with {self.churn}"
            )
        if self.grace_days and self.churn != "lapse":
            raise ValueError("grace_days is for churn lapse: expected 0")
        return self

    def known_by(self, reached: date) -> date:
        """The date before which all is known when events have come in up to another."""
        return reached - timedelta(days=self.lateness_days)
