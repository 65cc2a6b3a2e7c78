"""The stable 64-bit hash of a record: it orders events that nothing else tells apart."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from xxhash import xxh64_intdigest

from churn_spark.events.rules import HASH_SEED, NO_NUMBER, NO_TEXT, NUMBERS


def hash_record(record: Sequence[float | str | None]) -> int:
    """The `event_hash` of a record: `NUMBERS`, then `TEXTS`; a signed 64-bit number.

    Chained over the fields by the seed, as `events.hashes` does it for whole columns.
    """
    seed = HASH_SEED
    for position, value in enumerate(record):
        if position < len(NUMBERS):
            # Adding zero makes one zero of both.
            content = struct.pack("<d", NO_NUMBER if value is None else float(value) + 0.0)
        else:
            content = struct.pack("<Q", _hash_text(value))
        seed = xxh64_intdigest(content, seed)
    return seed - 2**64 if seed >= 2**63 else seed


def _hash_text(value: float | str | None) -> int:
    return NO_TEXT if value is None else xxh64_intdigest(str(value).encode(), HASH_SEED)
