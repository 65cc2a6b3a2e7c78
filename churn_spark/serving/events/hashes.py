"""The stable 64-bit hash of a record: it orders events that nothing else tells apart."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from xxhash import xxh64_intdigest

from churn_spark.events.rules import HASH_SEED, HASHED_NUMBERS, NO_NUMBER, NO_TEXT, TEXTS

_WORDS: Final = struct.Struct(f"<{len(HASHED_NUMBERS)}d{len(TEXTS)}Q")


def hash_record(record: Sequence[float | str | None]) -> int:
    """The `event_hash` of a record: `HASHED_NUMBERS`, then `TEXTS`; a signed 64-bit number.

    As `events.hashes` makes it for whole columns.
    """
    words = [
        *(_number_of(value) for value in record[: len(HASHED_NUMBERS)]),
        *(_hash_text(value) for value in record[len(HASHED_NUMBERS) :]),
    ]
    hashed = xxh64_intdigest(_WORDS.pack(*words), HASH_SEED)
    return hashed - 2**64 if hashed >= 2**63 else hashed


def _number_of(value: float | str | None) -> float:
    # Adding zero makes one zero of both.
    return NO_NUMBER if value is None else float(value) + 0.0


def _hash_text(value: float | str | None) -> int:
    return NO_TEXT if value is None else xxh64_intdigest(str(value).encode(), HASH_SEED)
