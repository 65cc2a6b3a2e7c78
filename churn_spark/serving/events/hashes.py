"""Spark's 64-bit hash of a record: it orders events that nothing else tells apart.

XXH64 as in Y. Collet's specification, chained over the fields by the seed, as Spark's `xxhash64`
does. Only ties are hashed, so plain Python is fast enough.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Final

from churn_spark.events.rules import NUMBERS

_MASK: Final = 2**64 - 1
_P1, _P2, _P3, _P4, _P5 = (
    0x9E3779B185EBCA87,
    0xC2B2AE3D27D4EB4F,
    0x165667B19E3779F9,
    0x85EBCA77C2B2AE63,
    0x27D4EB2F165667C5,
)
_SEED: Final = 42
# What a null is hashed as: values that no record has.
_NO_NUMBER, _NO_TEXT = -1.0, "\u0000"


def hash_record(record: Sequence[float | str | None]) -> int:
    """The `event_hash` of a record: `NUMBERS`, then `TEXTS`; a signed 64-bit number."""
    seed = _SEED
    for position, value in enumerate(record):
        if position < len(NUMBERS):
            number = _NO_NUMBER if value is None else float(value)
            content = struct.pack("<d", number)
        else:
            content = (_NO_TEXT if value is None else str(value)).encode("utf-8", "replace")
        seed = xxh64(content, seed)
    return seed - 2**64 if seed >= 2**63 else seed


def xxh64(content: bytes, seed: int) -> int:
    """XXH64 of some bytes, unsigned."""
    whole = len(content) // 32 * 32
    if whole:
        lanes = [seed + _P1 + _P2, seed + _P2, seed, seed - _P1]
        for words in struct.iter_unpack("<4Q", content[:whole]):
            lanes = [_round(lane, word) for lane, word in zip(lanes, words, strict=True)]
        found = sum(_rotate(lane, n) for lane, n in zip(lanes, (1, 7, 12, 18), strict=True))
        for lane in lanes:
            found = (found ^ _round(0, lane)) * _P1 + _P4
    else:
        found = seed + _P5
    return _finish((found + len(content)) & _MASK, content[whole:])


def _finish(found: int, rest: bytes) -> int:
    """Mix in what is shorter than a stripe of 32 bytes, and spread the bits."""
    words = len(rest) // 8 * 8
    for (word,) in struct.iter_unpack("<Q", rest[:words]):
        found = _rotate(found ^ _round(0, word), 27) * _P1 + _P4
    rest = rest[words:]
    if len(rest) >= 4:
        (half,) = struct.unpack("<I", rest[:4])
        found = _rotate(found ^ half * _P1, 23) * _P2 + _P3
        rest = rest[4:]
    found = _mix_bytes(found, rest) & _MASK
    found = (found ^ found >> 33) * _P2 & _MASK
    found = (found ^ found >> 29) * _P3 & _MASK
    return found ^ found >> 32


def _mix_bytes(found: int, rest: Iterable[int]) -> int:
    for byte in rest:
        found = _rotate(found ^ byte * _P5, 11) * _P1
    return found


def _round(lane: int, word: int) -> int:
    return _rotate(lane + word * _P2, 31) * _P1 & _MASK


def _rotate(value: int, n: int) -> int:
    value &= _MASK
    return (value << n | value >> 64 - n) & _MASK
