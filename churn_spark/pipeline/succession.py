"""Who waits to be judged, and who takes over from a champion that can't be used any more."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date as Date

from churn_spark.config import LearningConfig, NightConfig, PolicyConfig
from churn_spark.errors import OtherModelError
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.differences import Differences, find_differences
from churn_spark.models.registry import ModelRegistry
from churn_spark.monitoring.policy.history import (
    Entry,
    judged_versions,
    standing_on,
    waiting_challenger,
)
from churn_spark.monitoring.policy.policy import succeed
from churn_spark.monitoring.policy.policy_state import Decision, PolicyState
from churn_spark.pipeline import train
from churn_spark.pipeline.champion import Models, other_settings, refuse_later
from churn_spark.pipeline.gather import Night, settle, state_before, store_decisions


@dataclass(frozen=True)
class WaitingChallenger:
    """A challenger that waits to be judged.

    Attributes:
        version: in the registry.
        unfit: why it can't be compared with a champion of this configuration; empty if it can.
    """

    version: str
    unfit: str = ""


@dataclass(frozen=True)
class Replacement:
    """What becomes of a champion that can't be used any more.

    Attributes:
        reason: why, in words.
        challenger: version that waits and is as configured; none: one is to be trained.
    """

    reason: str
    challenger: str | None


def find_waiting_challenger(
    registry: ModelRegistry, night: Night, config: LearningConfig
) -> WaitingChallenger | None:
    """The challenger that the night has to judge: trained by hand, or by a search.

    One that has learnt what came after the night waits for a later one.
    """
    version = waiting_challenger(night.entries, night.registered, night.date)
    if version is None:
        return None
    as_of = registry.trained_on(version).get("as_of")
    if as_of is None:
        return WaitingChallenger(
            version, "its run has no tag `as_of` that says when it was trained"
        )
    if Date.fromisoformat(as_of) > night.date:
        return None
    return WaitingChallenger(version, str(find_differences(registry.load(version), config)))


def find_replacement(
    registry: ModelRegistry, night: Night, config: LearningConfig
) -> Replacement | None:
    """Whether the night's champion is to be replaced before anything is scored; none if not.

    Other feature definitions come with another release: a model of these is trained. Other
    settings may be a slip, so whoever means them trains a model first.

    Raises:
        OtherModelError: if it has learnt what came after the night; if it was trained with other
            settings and no challenger of these waits; or if a later night stands on it.
    """
    version = night.require_champion()
    differences = find_unfit(registry, night, config)
    if not differences:
        return None
    waiting = find_waiting_challenger(registry, night, config)
    challenger = waiting.version if waiting and not waiting.unfit else None
    if challenger is None and differences.settings:
        raise other_settings(version, differences, night.date)
    return Replacement(f"version {version} can't be used any more: {differences}", challenger)


def find_unfit(models: Models, night: Night, config: LearningConfig) -> Differences:
    """Why the night's champion can't be used any more; nothing where it can.

    Raises:
        OtherModelError: if it has learnt what came after the night, or can't be used and a later
            night stands on it.
    """
    version = night.require_champion()
    refuse_later(models, version, night.date)
    differences = find_differences(models.load(version), config)
    if differences and night.is_decided_later:
        raise OtherModelError(
            f"found model version {version} as champion of {night.date}, expected one that can "
            f"be used: {differences}. Later nights stand on this one, up to "
            f"{night.entries[-1].decision.night}: choose a date after them"
        )
    return differences


def take_over(
    lakehouse: Lakehouse,
    registry: ModelRegistry,
    night: Night,
    replacement: Replacement,
    config: NightConfig,
) -> Night:
    """Train the successor where none waits, and put it in charge; returns the night with it.

    Raises:
        TooFewCancelsError: if there is too little to learn from; nothing is registered then.
    """
    date, learning = night.date, config.learning
    version = replacement.challenger or train.resume(lakehouse, registry, date, learning)
    version = version or train.run(lakehouse, registry, date, learning, night.log, waits=False)
    before = state_before(night, config.policy)
    entry = record_replaced(date, before, version, replacement.reason, config.policy)
    kept = standing_on(night.entries, date)
    night = store_decisions(lakehouse, night, date, [*kept, entry])
    return settle(lakehouse, registry, replace(night, registered=registry.state()), config.policy)


def record_replaced(
    date: Date, before: PolicyState, version: str, because: str, policy: PolicyConfig
) -> Entry:
    """The decision that a successor is champion; there was nothing to compare it with."""
    reason = f"{because}. Version {version} is as configured and takes over"
    decision = Decision(date, "promote", "replaced", reason, version)
    return Entry(0, decision, before, None, succeed(before, version, policy, date), policy)


def record_unfit(
    date: Date, before: PolicyState, waiting: WaitingChallenger, policy: PolicyConfig
) -> Entry:
    """The decision that a challenger is dropped which can't be compared."""
    reason = f"version {waiting.version} can't be compared with the champion: {waiting.unfit}"
    decision = Decision(date, "reject", "unfit", reason, waiting.version)
    return Entry(0, decision, before, None, before, policy)


def drop_judged(registry: ModelRegistry, night: Night) -> None:
    """Let a challenger wait no more that a stored decision was about."""
    state = registry.state()
    if state.challenger is not None and state.challenger in judged_versions(night.entries, state):
        registry.drop_challenger(state.challenger)
