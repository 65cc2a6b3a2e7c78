"""Spark's 64-bit hash of a record: it orders events that nothing else tells apart."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from xxhash import xxh64_intdigest

from churn_spark.events.rules import NO_NUMBER, NO_TEXT, NUMBERS

_SEED: Final = 42


def hash_record(record: Sequence[float | str | None]) -> int:
    """The `event_hash` of a record: `NUMBERS`, then `TEXTS`; a signed 64-bit number.

    Chained over the fields by the seed, as Spark's `xxhash64` does.
    """
    seed = _SEED
    for position, value in enumerate(record):
        if position < len(NUMBERS):
            content = struct.pack("<d", NO_NUMBER if value is None else float(value))
        else:
            content = (NO_TEXT if value is None else str(value)).encode("utf-8", "replace")
        seed = xxh64_intdigest(content, seed)
    return seed - 2**64 if seed >= 2**63 else seed
