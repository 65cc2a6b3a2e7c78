"""What is known of a night before anything is decided on it, read once, and written back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date as Date

from churn_spark.config import PolicyConfig
from churn_spark.contracts.registry_state import RegistryState
from churn_spark.errors import NoChampionError
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.registry import ModelRegistry, undated_run
from churn_spark.monitoring.policy.history import (
    Entry,
    champion_at,
    first_state,
    is_first_night,
    last_before,
    of_night,
    replace_night,
)
from churn_spark.monitoring.policy.policy_state import PolicyState
from churn_spark.monitoring.policy.reconcile import reconcile
from churn_spark.pipeline.champion import Models
from churn_spark.pipeline.dates import LogDates, read_log_dates
from churn_spark.stores.decisions import read_entries, write_night


@dataclass(frozen=True)
class Night:
    """One night: its date, the log, all stored decisions and what the registry says.

    Attributes:
        date: as-of date of the night.
        log: the dates of the log.
        entries: the decisions of all nights, in their order.
        registered: the registry's champion.
    """

    date: Date
    log: LogDates
    entries: tuple[Entry, ...]
    registered: RegistryState

    @property
    def is_first(self) -> bool:
        """Whether the first model is still to be trained on it, or to be written down."""
        return is_first_night(self.entries, self.registered, self.date)

    @property
    def champion(self) -> str | None:
        """Version that is champion at its beginning; none before the first training."""
        return champion_at(self.entries, self.registered, self.date)

    def require_champion(self) -> str:
        """Version that is champion at its beginning.

        Raises:
            NoChampionError: before the first training.
        """
        champion = self.champion
        if champion is None:
            raise NoChampionError(
                "no model is in use yet, because no training has succeeded: run `train_model`, or "
                "`nightly`, which trains the first one"
            )
        return champion

    @property
    def is_decided_later(self) -> bool:
        """Whether a later night is decided, and so stands on this one."""
        return bool(self.entries) and self.entries[-1].decision.night > self.date


def read_night(
    lakehouse: Lakehouse, registry: Models, date: Date, log: LogDates | None = None
) -> Night:
    """Read the log's dates, the decisions and the registry's champion.

    Raises:
        InputError: if there is no event.
        MissingTableError: if no events were loaded yet.
    """
    log = log or read_log_dates(lakehouse, date)
    return Night(date, log, read_entries(lakehouse), registry.state())


def settle(
    lakehouse: Lakehouse, registry: ModelRegistry, night: Night, policy: PolicyConfig
) -> Night:
    """Write what brings the registry and the newest decision together; returns the night after."""
    needed = reconcile(night.entries, night.registered, policy, night.date)
    if needed.changed_night is not None:
        changed = of_night(needed.entries, needed.changed_night)
        write_night(lakehouse, needed.changed_night, changed)
    if needed.champion is None:
        return night
    registry.set_champion(needed.champion, needed.step)
    return replace(night, entries=needed.entries, registered=registry.state())


def state_before(night: Night, policy: PolicyConfig) -> PolicyState:
    """What the policy remembers at the beginning of the night.

    Raises:
        NoChampionError: before the first training.
        InputError: if it isn't known when the champion was trained.
    """
    last = last_before(night.entries, night.date)
    if last and last.after:
        return last.after
    version = night.require_champion()
    state = first_state(night.registered, policy, night.date)
    if state is None:
        raise undated_run(version)
    return state


def store_decisions(lakehouse: Lakehouse, night: Night, date: Date, tonight: list[Entry]) -> Night:
    """Replace the decisions of a date; returns the night with them."""
    write_night(lakehouse, date, tonight)
    return replace(night, entries=replace_night(night.entries, date, tonight))
