"""The stable 64-bit hash of a record, over whole columns.

Chained over the fields like Spark's `xxhash64`: a number is hashed as its eight bytes, a text as
the eight bytes of its own hash, each with the hash so far as the seed. A null is hashed like a
value that no record has. `serving.events.hashes` says the same for one record.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl
import polars_hash as plh

from churn_spark.events.rules import HASH_SEED, NO_NUMBER, NO_TEXT, NUMBERS, TEXTS

_Words = npt.NDArray[np.uint64]
_P1, _P2, _P3, _P4, _P5 = (
    np.uint64(prime)
    for prime in (
        0x9E3779B185EBCA87,
        0xC2B2AE3D27D4EB4F,
        0x165667B19E3779F9,
        0x85EBCA77C2B2AE63,
        0x27D4EB2F165667C5,
    )
)
_EIGHT: Final = np.uint64(8)


def hash_records(records: pl.DataFrame) -> pl.Series:
    """One hash per record, signed: equal for equal `NUMBERS` and `TEXTS`."""
    hashed = np.full(records.height, HASH_SEED, dtype=np.uint64)
    for name in NUMBERS:
        number = records[name].fill_null(NO_NUMBER).to_numpy()
        # Adding zero makes one zero of both.
        hashed = _hash_words((number + 0.0).view(np.uint64), hashed)
    texts = records.select(plh.col(name).nchash.xxhash64(seed=HASH_SEED) for name in TEXTS)
    for name in TEXTS:
        hashed = _hash_words(texts[name].fill_null(NO_TEXT).to_numpy(), hashed)
    return pl.Series("event_hash", hashed.view(np.int64))


def _hash_words(words: _Words, seeds: _Words) -> _Words:
    """xxHash64 of each eight bytes, each with a seed of its own."""
    lanes = _rotated(words * _P2, 31)
    lanes *= _P1
    lanes ^= seeds + (_P5 + _EIGHT)
    mixed = _rotated(lanes, 27)
    mixed *= _P1
    mixed += _P4
    for shift, prime in ((33, _P2), (29, _P3)):
        mixed ^= mixed >> np.uint64(shift)
        mixed *= prime
    mixed ^= mixed >> np.uint64(32)
    return mixed


def _rotated(words: _Words, bits: int) -> _Words:
    high = words << np.uint64(bits)
    high |= words >> np.uint64(64 - bits)
    return high
