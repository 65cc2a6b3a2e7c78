"""One row through the trees in microseconds: LightGBM's own single-row entry points.

`Booster.predict` checks and converts its arguments for about 100 us before a tree is walked.
LightGBM's C interface has a pair of functions for one row at a time that prepare once and then
only walk; the Python package ships them in its library and doesn't expose them.
"""

from __future__ import annotations

import ctypes
import threading
import weakref
from collections.abc import Mapping
from typing import Any, Final

import lightgbm
from lightgbm import basic

from churn_spark.models.encoding import Encoding

# Private to the package, whose public classes all work on whole matrices.
_LIBRARY: Final[Any] = vars(basic)["_LIB"]
_RAW_SCORE: Final = 1
_FLOAT64: Final = 1
_ALL_ROUNDS: Final = -1
_NAN: Final = float("nan")


class SingleRowTrees:
    """The margin of one row at a time; callers in several threads wait for each other.

    Equal to `Booster.predict(..., raw_score=True)` on the matrix of `Encoding.encode`.
    """

    def __init__(self, booster: lightgbm.Booster, encoding: Encoding) -> None:
        """Prepare the row and the call once.

        Args:
            booster: kept alive by this object, as the native side refers to it.
            encoding: of the rows.
        """
        self._booster = booster
        self._columns: list[tuple[str, dict[Any, float] | None, float]] = [
            (name, *_codes(encoding.levels.get(name))) for name in encoding.features
        ]
        n_columns = len(self._columns)
        self._row = (ctypes.c_double * n_columns)()
        self._length = ctypes.c_int64()
        self._margin = ctypes.c_double()
        self._prepared = ctypes.c_void_p()
        self._lock = threading.Lock()
        basic._safe_call(
            _LIBRARY.LGBM_BoosterPredictForMatSingleRowFastInit(
                booster._handle,
                ctypes.c_int(_RAW_SCORE),
                ctypes.c_int(0),
                ctypes.c_int(_ALL_ROUNDS),
                ctypes.c_int(_FLOAT64),
                ctypes.c_int32(n_columns),
                ctypes.c_char_p(b"num_threads=1"),
                ctypes.byref(self._prepared),
            )
        )
        weakref.finalize(self, _LIBRARY.LGBM_FastConfigFree, self._prepared)
        self._arguments = (
            self._prepared,
            self._row,
            ctypes.byref(self._length),
            ctypes.byref(self._margin),
        )

    def margin(self, values: Mapping[str, Any]) -> float:
        """Log-odds before calibration of one row.

        Args:
            values: feature name -> number or level; absent or None is missing.
        """
        get = values.get
        with self._lock:
            row = self._row
            for position, (name, codes, missing) in enumerate(self._columns):
                value = get(name)
                if codes is not None:
                    row[position] = codes.get(value, missing)
                else:
                    row[position] = missing if value is None else value
            basic._safe_call(_LIBRARY.LGBM_BoosterPredictForMatSingleRowFast(*self._arguments))
            return self._margin.value


def _codes(levels: tuple[str, ...] | None) -> tuple[dict[Any, float] | None, float]:
    """Level -> code, and what a missing value becomes: the plain reading of `Encoding`."""
    if levels is None:
        return None, _NAN
    return {level: float(code) for code, level in enumerate(levels)}, float(len(levels))
