"""The stable 64-bit hash of a record, over whole columns.

A record is hashed as 18 words of eight bytes: its numbers as doubles, its texts by their own
hashes. A null stands for a value that no record has. `serving.events.hashes` says the same for one
record.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
import polars_hash as plh
import pyarrow as pa

from churn_spark.events.rules import HASH_SEED, HASHED_NUMBERS, NO_NUMBER, NO_TEXT, TEXTS

_WORDS: Final = len(HASHED_NUMBERS) + len(TEXTS)


def hash_records(records: pl.DataFrame) -> pl.Series:
    """One hash per record, signed: equal for equal `HASHED_NUMBERS` and `TEXTS`."""
    n = records.height
    numbers = records.select(pl.col(name).fill_null(NO_NUMBER) for name in HASHED_NUMBERS)
    texts = records.select(
        plh.col(name).nchash.xxhash64(seed=HASH_SEED).fill_null(NO_TEXT) for name in TEXTS
    )
    # Adding zero makes one zero of both.
    columns = [*(column.to_numpy() + 0.0 for column in numbers), *(c.to_numpy() for c in texts)]
    words = np.ascontiguousarray(np.stack([column.view(np.uint64) for column in columns]).T)
    offsets = np.arange(n + 1, dtype=np.int64) * words.itemsize * _WORDS
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(words)]
    rows = pl.DataFrame({"row": pa.Array.from_buffers(pa.large_binary(), n, buffers)})
    hashed = rows.select(plh.col("row").nchash.xxhash64(seed=HASH_SEED)).to_series()
    return pl.Series("event_hash", hashed.to_numpy().view(np.int64))
