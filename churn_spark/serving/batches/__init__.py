"""Many rows at once: JSON, Arrow or Parquet in; a probability or the problems out, per row.

Each format is looked through before it is unfolded: what would take more memory than the limit
is refused by what it says of itself, page by page, message by message, row by row.
"""

from __future__ import annotations

from churn_spark.serving.batches.answers import (
    Answers,
    answer_batch,
    read_batch,
    write_arrow,
    write_json,
)
from churn_spark.serving.batches.batch import ARROW, PARQUET, Batch, BatchLimits

__all__ = [
    "ARROW",
    "PARQUET",
    "Answers",
    "Batch",
    "BatchLimits",
    "answer_batch",
    "read_batch",
    "write_arrow",
    "write_json",
]
