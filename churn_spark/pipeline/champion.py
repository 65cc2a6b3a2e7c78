"""The champion of a night, or one line on why it can't serve it and what to do."""

from __future__ import annotations

from datetime import date as Date
from typing import Protocol

from churn_spark.config import LearningConfig
from churn_spark.contracts.registry_state import RegistryState
from churn_spark.errors import OtherModelError
from churn_spark.models.bundle import ModelBundle
from churn_spark.models.differences import Differences, find_differences


class Models(Protocol):
    """Where models are known by their version: the registry, or what is published of it."""

    def state(self) -> RegistryState:
        """Who is champion, and since when."""

    def trained_as_of(self, version: str, /) -> Date:
        """The date by which everything was known that the version has learnt from."""

    def load(self, version: str, /) -> ModelBundle:
        """The version with all that belongs to it."""


def load_champion(
    registry: Models, version: str, date: Date, config: LearningConfig
) -> ModelBundle:
    """The bundle of the version that is champion on a date, to score or judge with.

    Raises:
        OtherModelError: if it has learnt what came after the date, or predicts something else
            than is configured.
        FingerprintError: if it knows other feature definitions.
    """
    refuse_lifetime(config)
    refuse_later(registry, version, date)
    bundle = registry.load(version)
    differences = find_differences(bundle, config)
    if differences.settings:
        raise other_settings(version, differences, date)
    bundle.check_fingerprint()
    return bundle


def refuse_lifetime(config: LearningConfig) -> None:
    """Keep the lifetime label, which only describes the past, away from nights and backtests.

    Raises:
        OtherModelError: if it is configured.
    """
    if config.is_lifetime:
        raise OtherModelError(
            "found labels.kind lifetime, expected horizon: nights and backtests are of forecasts, "
            "and this label only describes the past. Leave it to "
            "`train_model --set labels.kind=lifetime`"
        )


def refuse_later(registry: Models, version: str, date: Date) -> None:
    """Keep a model away from dates before its training: it has learnt what came of the users.

    Raises:
        OtherModelError: if the model has learnt what came after the date.
        InputError: if its run, made by something else than this project, has no date.
    """
    trained = registry.trained_as_of(version)
    if trained > date:
        raise OtherModelError(
            f"model version {version} was trained as of {trained}, after {date}: it has already "
            f"seen what happened to these users. Choose {trained} or a later date; for an earlier "
            f"one `backtest --date {date}` tests a model of that time"
        )


def other_settings(version: str, differences: Differences, date: Date) -> OtherModelError:
    """What is wrong with a champion of other settings, and both ways on."""
    return OtherModelError(
        f"found model version {version} as champion, expected one of this configuration: "
        f"{differences}. Set that back, or train one with `train_model --date {date}` and these "
        "settings and run `nightly` again, which puts it in charge"
    )
