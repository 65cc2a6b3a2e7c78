"""The true probability of every user to cancel, as of any date of a simulated world."""

from __future__ import annotations

from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from churn_spark.arrays import Floats, Ints
from churn_spark.errors import InputError
from churn_spark.evaluation.expected import expected_average_precision, expected_roc_auc
from churn_spark.simulate import degrading, renewal
from churn_spark.simulate.own_files import claim, read_own
from churn_spark.simulate.pages import state_of
from churn_spark.simulate.personas import PERSONA_NAMES
from churn_spark.simulate.settings import DAY_S, day_number
from churn_spark.simulate.truth import read_truth, truth_file, write_truth
from churn_spark.simulate.world import log_end, read_settings

TABLE: Final = "probabilities"


def build_probabilities(out: Path, as_of: date, horizon_days: int, gap_days: int) -> pa.Table:
    """Give each user's true chance to cancel in `[as_of + gap, as_of + gap + horizon)`.

    Grain: user who has had an event before `as_of` and has not cancelled before it.
    `cancel_probability` holds for those who don't cancel within the gap, as the labels do;
    `if_offered` and `if_not_offered`, of a world with offers only, are what it would be were
    the user offered something throughout, or never. `label` is the outcome: null for users
    who cancel within the gap, and until the log reaches the end of the horizon.

    Exact in the degrading regime. In the memoryless one a session's length is approximated by
    an exponential time, see `renewal`.

    Args:
        out: folder of the world.
        as_of: a date of the log, after its first day.
        horizon_days: days in which a cancellation counts.
        gap_days: days before the horizon begins.

    Raises:
        InputError: if there is no world, or nothing is known of it as of that date.
    """
    settings, end = read_settings(out), log_end(out)
    if horizon_days < 1 or gap_days < 0:
        raise InputError(
            f"found a horizon of {horizon_days} and a gap of {gap_days} days, expected at least "
            "1 and 0: correct the arguments"
        )
    if not settings.start < as_of <= end:
        raise InputError(
            f"found as-of date {as_of}, expected {settings.start + timedelta(days=1)} to {end}: "
            "choose a date of the log, or simulate more days with --from"
        )
    users = read_truth(out, "users")
    rows = read_truth(out, "states", as_of).join(users, "user_id", join_type="inner")
    rows = rows.sort_by("user_number")
    window = partial(_in_window, horizon_days=horizon_days, gap_days=gap_days)
    days = range(day_number(as_of), day_number(as_of) + gap_days + horizon_days)
    columns: dict[str, Any] = {"user_id": rows["user_id"]}
    if settings.regime == "degrading":
        columns |= {
            name: window(
                degrading.cancelled_by_day(settings, _fading_standing(rows), days, offered)
            )
            for name, offered in (
                ("cancel_probability", None),
                ("if_offered", True),
                ("if_not_offered", False),
            )
        }
    else:
        columns["cancel_probability"] = window(
            renewal.cancelled_by_day(settings, _standing(rows), days)
        )
    first = (day_number(as_of) + gap_days) * DAY_S
    columns["label"] = _labels(rows, first, horizon_days, end)
    return pa.table(columns)


def _in_window(by_day: Floats, horizon_days: int, gap_days: int) -> Floats:
    """Give the chance to cancel within the horizon of those who don't within the gap."""
    in_gap = by_day[gap_days - 1] if gap_days else np.zeros(by_day.shape[1])
    found: Floats = (by_day[gap_days + horizon_days - 1] - in_gap) / (1.0 - in_gap)
    return found


def _labels(rows: pa.Table, first: int, horizon_days: int, end: date) -> pa.Array:
    """Give who cancels in the horizon that begins at `first`, epoch seconds."""
    last = first + horizon_days * DAY_S
    cancelled = pc.fill_null(_seconds(rows["cancel_ts"]), last).to_numpy()
    is_unknown = (cancelled < first) | (day_number(end) * DAY_S < last)
    return pa.array((cancelled < last).astype(np.int32), mask=is_unknown)


def _seconds(instants: pa.ChunkedArray) -> pa.ChunkedArray:
    """Turn instants, which Parquet keeps as milliseconds, into seconds since the epoch."""
    return pc.cast(pc.cast(instants, pa.timestamp("s", tz="UTC")), pa.int64())


def _personas(rows: pa.Table) -> Ints:
    return np.array([PERSONA_NAMES.index(name) for name in rows["persona"].to_pylist()])


def _standing(rows: pa.Table) -> renewal.Standing:
    """Read where users without memory stand."""
    places = zip(*(rows[name].to_pylist() for name in ("auth", "level", "page")), strict=True)
    return renewal.Standing(
        persona=_personas(rows),
        event_gap=rows["event_gap_s"].to_numpy(),
        session_gap=rows["session_gap_s"].to_numpy(),
        state=np.array([state_of(*place) for place in places], dtype=np.int64),
        is_in_session=rows["is_in_session"].to_numpy(),
    )


def _fading_standing(rows: pa.Table) -> degrading.Standing:
    """Read where users stand whose interest can fade."""
    return degrading.Standing(
        number=rows["user_number"].to_numpy(),
        persona=_personas(rows),
        registered=_seconds(rows["registration_ts"]).to_numpy(),
        fading_days=pc.fill_null(rows["fading_days"], degrading.CONTENT).to_numpy(),
    )


def write_probabilities(out: Path, as_of: date, horizon_days: int, gap_days: int) -> pa.Table:
    """Write `truth/probabilities/as_of=…/horizon_days=…/gap_days=…` and return its rows.

    Raises:
        InputError: as `build_probabilities`; if others' files lie among those of the world.
        OSError: if the file can't be written.
    """
    read_own(out)
    rows = build_probabilities(out, as_of, horizon_days, gap_days)
    name = f"{TABLE}/as_of={as_of}/horizon_days={horizon_days}/gap_days={gap_days}"
    claim(out, [truth_file(out, name)])
    write_truth(rows, out, name)
    return rows


def describe(rows: pa.Table) -> str:
    """Say in one line how far the true probabilities part users who cancel from others.

    Raises:
        KeyError: if these are no rows of `build_probabilities`.
    """
    true = rows["cancel_probability"].to_numpy()
    return (
        f"{len(rows):,} users, {true.sum():,.1f} cancels expected "
        f"({true.mean():.2%}), best reachable ROC AUC "
        f"{expected_roc_auc(true, true):.4f}, AP {expected_average_precision(true, true):.4f}"
    )
