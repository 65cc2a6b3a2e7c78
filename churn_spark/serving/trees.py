"""One row through the trees in microseconds: LightGBM's own single-row entry points.

`Booster.predict` checks and converts its arguments for about 100 us before a tree is walked.
LightGBM's C interface has a pair of functions for one row at a time that prepare once and then
only walk; the Python package ships them in its library and doesn't expose them. So they are used
with the versions they are tested with, and `Booster.predict` with any other.
"""

from __future__ import annotations

import ctypes
import threading
import weakref
from collections.abc import Callable, Mapping
from typing import Any, Final

import lightgbm
import numpy as np
from lightgbm import basic

from churn_spark.models.encoding import Encoding

TESTED_FROM, TESTED_BELOW = (4, 7), (4, 8)
"""Versions of LightGBM whose private parts are the ones used here."""
_RAW_SCORE: Final = 1
_FLOAT64: Final = 1
_ALL_ROUNDS: Final = -1
_NAN: Final = float("nan")
_FUNCTIONS: Final = (
    "LGBM_BoosterPredictForMatSingleRowFastInit",
    "LGBM_BoosterPredictForMatSingleRowFast",
    "LGBM_FastConfigFree",
)
Row = ctypes.Array[ctypes.c_double]


class SingleRowTrees:
    """The margin of one row at a time; callers in several threads wait for each other.

    Equal to `Booster.predict(..., raw_score=True)` on the matrix of `Encoding.encode`.

    Attributes:
        is_fast: whether LightGBM's single-row functions are used.
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
        self._row: Row = (ctypes.c_double * len(self._columns))()
        self._lock = threading.Lock()
        self.is_fast = has_fast_walk(booster, lightgbm.__version__)
        walk = self._prepare_fast() if self.is_fast else _prepare_plain(booster, self._row)
        self._walk: Callable[[], float] = walk

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
            return self._walk()

    def _prepare_fast(self) -> Callable[[], float]:
        library: Any = vars(basic)["_LIB"]
        check: Any = vars(basic)["_safe_call"]
        length, margin, prepared = ctypes.c_int64(), ctypes.c_double(), ctypes.c_void_p()
        check(
            library.LGBM_BoosterPredictForMatSingleRowFastInit(
                vars(self._booster)["_handle"],
                ctypes.c_int(_RAW_SCORE),
                ctypes.c_int(0),
                ctypes.c_int(_ALL_ROUNDS),
                ctypes.c_int(_FLOAT64),
                ctypes.c_int32(len(self._row)),
                ctypes.c_char_p(b"num_threads=1"),
                ctypes.byref(prepared),
            )
        )
        weakref.finalize(self, library.LGBM_FastConfigFree, prepared)
        predict = library.LGBM_BoosterPredictForMatSingleRowFast
        arguments = (prepared, self._row, ctypes.byref(length), ctypes.byref(margin))

        def walk() -> float:
            check(predict(*arguments))
            return margin.value

        return walk


def has_fast_walk(booster: lightgbm.Booster, version: str) -> bool:
    """Whether this LightGBM is one that was tested, and has its private parts."""
    major, minor = version.split(".")[:2]
    is_tested = TESTED_FROM <= (int(major), int(minor)) < TESTED_BELOW
    # The library finds its functions when they are asked for.
    library = vars(basic).get("_LIB")
    return (
        is_tested
        and "_safe_call" in vars(basic)
        and "_handle" in vars(booster)
        and all(hasattr(library, name) for name in _FUNCTIONS)
    )


def _prepare_plain(booster: lightgbm.Booster, row: Row) -> Callable[[], float]:
    """The same by the public way, on the same row."""
    matrix = np.ctypeslib.as_array(row).reshape(1, -1)

    def walk() -> float:
        return float(np.asarray(booster.predict(matrix, raw_score=True, num_threads=1))[0])

    return walk


def _codes(levels: tuple[str, ...] | None) -> tuple[dict[Any, float] | None, float]:
    """Level -> code, and what a missing value becomes: the plain reading of `Encoding`."""
    if levels is None:
        return None, _NAN
    return {level: float(code) for code, level in enumerate(levels)}, float(len(levels))
