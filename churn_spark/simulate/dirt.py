"""What goes wrong with lines on their way: for tests of whatever reads them."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from churn_spark.arrays import Ints
from churn_spark.simulate.draws import uniforms, user_keys
from churn_spark.simulate.settings import SimulationSettings

CLEAN: Final = 0
BROKEN: Final = 1  # a broken copy follows
TWICE: Final = 2  # the same line follows
LATE: Final = 3  # delivered a day late
_KINDS: Final = 3
_DIRT_STREAM: Final = 8
_ITEMS: Final = 1024  # events of a second that are told apart


def choose_dirt(
    settings: SimulationSettings, number: Ints, ts: Ints, item: Ints
) -> npt.NDArray[np.int8]:
    """Choose what happens to each event's line: a third of `dirty_share` for each kind.

    Args:
        settings: the world.
        number: user numbers, shape (events,).
        ts: epoch seconds.
        item: position in the session.

    Returns:
        `CLEAN`, `BROKEN`, `TWICE` or `LATE`, shape (events,).
    """
    if not settings.dirty_share:
        return np.zeros(len(ts), dtype=np.int8)
    keys = user_keys(settings.seed, _DIRT_STREAM, number)
    draws = uniforms(keys, ts.astype(np.int64) * _ITEMS + item % _ITEMS, 1)[0]
    kinds = 1 + np.floor(draws / settings.dirty_share * _KINDS)
    return np.where(draws < settings.dirty_share, kinds, CLEAN).astype(np.int8)


def soil(lines: pa.StringArray, dirt: npt.NDArray[np.int8]) -> pa.StringArray:
    """Put broken copies and repetitions behind their lines.

    Args:
        lines: each with its newline.
        dirt: what happens to each, of the same length.
    """
    touched = np.flatnonzero((dirt == BROKEN) | (dirt == TWICE))
    if not len(touched):
        return lines
    followers = [
        text[: len(text) // 2] + "\n" if dirt[row] == BROKEN else text
        for row, text in zip(touched.tolist(), lines.take(touched).to_pylist(), strict=True)
    ]
    order = np.argsort(np.concatenate([np.arange(len(lines)), touched]), kind="stable")
    return pa.concat_arrays([lines, pa.array(followers)]).take(pa.array(order))
