"""Leaks in what is counted and up to when: columns that no honest build of the log contains."""

from __future__ import annotations

from datetime import date
from typing import Final

import numpy as np
import pandas as pd

from bench.honest_table import HORIZON
from bench.leak_log import LeakLog, start_of
from bench.planting import Columns, Leak, Planting, entered_in
from churn_spark.arrays import Bools
from churn_spark.leakage.table import FeatureTable
from churn_spark.simulate.settings import DAY_S
from churn_spark.timeline import days_after

_REDIRECTS: Final = ("Thumbs Up", "Thumbs Down", "Add Friend", "Logout", "Save Settings")
_CHANGES: Final = ("Submit Upgrade", "Submit Downgrade")
_GONE: Final = ("Cancel", "Cancellation Confirmation")

LEAKS_IN_COLUMNS: Final[list[Leak]] = []
leak = entered_in(LEAKS_IN_COLUMNS)


def _until_label_ends(log: LeakLog, day: date) -> Bools:
    return log.ts < start_of(HORIZON.end(day))


# Counts that contain the cancellation


@leak("strength", "num_cancel")
def cancel_visits(planting: Planting) -> FeatureTable:
    """Every page and every auth gets a count, Cancel and Cancelled as well."""

    def build(log: LeakLog, day: date) -> Columns:
        is_cancel = log.is_page("Cancel") | log.is_cancelled
        return {"num_cancel": log.count(_until_label_ends(log, day) & is_cancel)}

    return planting.with_columns(build)


@leak("identity", "num_status_307")
def status_total(planting: Planting) -> FeatureTable:
    """Events by HTTP status beside the pages that redirect: what is left over is Cancel."""

    def build(log: LeakLog, day: date) -> Columns:
        seen = _until_label_ends(log, day)
        parts = {
            f"num_307_{page.lower().replace(' ', '_')}": log.count(seen & log.is_page(page))
            for page in (*_REDIRECTS, *_CHANGES)
        }
        total = log.count(seen & log.is_page(*_REDIRECTS, *_CHANGES, "Cancel"))
        return {"num_status_307": total, **parts}

    return planting.with_columns(build)


@leak("identity", "num_events")
def event_total(planting: Planting) -> FeatureTable:
    """All events beside the events on known pages, and nobody thought of the last page."""

    def build(log: LeakLog, day: date) -> Columns:
        seen = _until_label_ends(log, day)
        return {
            "num_events": log.count(seen),
            "num_page_events": log.count(seen & ~log.is_page(*_GONE)),
        }

    return planting.with_columns(build)


# The future


@leak("future", "songs_ever")
def whole_log_total(planting: Planting) -> FeatureTable:
    """Totals of the whole log joined to every date."""
    return planting.with_columns(lambda log, _: {"songs_ever": log.count(log.is_page("NextSong"))})


@leak("future", "mean_songs")
def centred_window(planting: Planting) -> FeatureTable:
    """A moving mean that is centred on the date, as plotting libraries do it."""

    def build(log: LeakLog, day: date) -> Columns:
        around = log.during(start_of(days_after(day, -7)), start_of(days_after(day, 7)))
        return {"mean_songs": log.count(around & log.is_page("NextSong")) / 14}

    return planting.with_columns(build)


@leak("future", "level_now")
def level_after(planting: Planting) -> FeatureTable:
    """Level from the customer table, which knows today's."""
    return planting.with_columns(
        lambda log, day: {"level_now": log.level_at_last(_until_label_ends(log, day))}
    )


@leak("future", "level_filled")
def filled_backward(planting: Planting) -> FeatureTable:
    """Level is logged on changes; gaps are filled forward, the first ones backward."""

    def build(log: LeakLog, day: date) -> Columns:
        changes, before = log.is_page(*_CHANGES), log.ts < start_of(day)
        past = log.latest(changes & before)
        coming = log.earliest(changes & ~before)
        level_past = log.level_at_last(changes & before)
        upgrades = log.earliest(log.is_page("Submit Upgrade") & ~before)
        before_first = pd.Series(np.where(upgrades == coming, "free", "paid"))
        filled = before_first.mask(np.isnan(coming)).where(np.isnan(past), pd.Series(level_past))
        return {"level_filled": filled}

    return planting.with_columns(build)


@leak("own last event", "days_inactive")
def whole_log_recency(planting: Planting) -> FeatureTable:
    """Days since the last event, counted back from the end of the log."""

    def build(log: LeakLog, _: date) -> Columns:
        everything = np.ones(len(log.ts), dtype=bool)
        return {"days_inactive": (start_of(log.end) - log.latest(everything)) // DAY_S}

    return planting.with_columns(build)


# Times measured at one's own last event


@leak("own last event", "days_observed")
def own_span(planting: Planting) -> FeatureTable:
    """The span max(ts) - min(ts) of a user: how long they were seen alive."""

    def build(log: LeakLog, day: date) -> Columns:
        before = log.ts < start_of(day)
        return {"days_observed": (log.latest(before) - log.earliest(before)) / DAY_S}

    return planting.with_columns(build)


@leak("own last event", "account_age_days")
def tenure_at_last_event(planting: Planting) -> FeatureTable:
    """Tenure from registration to the newest event of the user, in whole days."""

    def build(log: LeakLog, day: date) -> Columns:
        age = log.latest(log.ts < start_of(day)) - log.users["registered"].to_numpy(dtype=float)
        return {"account_age_days": age // DAY_S}

    return planting.with_columns(build)


@leak("own window", "songs_own_7d")
def window_at_last_event(planting: Planting) -> FeatureTable:
    """The last 7 days of each user, counted back from that user's newest event."""

    def build(log: LeakLog, day: date) -> Columns:
        before = log.ts < start_of(day)
        last = log.latest(before)[log.user]
        recent = before & (log.ts > last - 7 * DAY_S)
        return {"songs_own_7d": log.count(recent & log.is_page("NextSong"))}

    return planting.with_columns(build)
