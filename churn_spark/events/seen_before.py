"""The listed files that a run has to look at: all but those that are as they were noted."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import pyarrow as pa

from churn_spark.events.files import ListedFile
from churn_spark.events.readings import NOT_LOADED


def leave_out_settled(
    files: Sequence[ListedFile], known: pa.Table
) -> tuple[list[ListedFile], pa.Table]:
    """The files that aren't listed just as they were noted last, and all that is noted of them.

    Most files of a log were read long ago and have stayed the same. They are left out here, column
    by column: a note as Python keeps it takes more than a kilobyte.

    Args:
        files: as listed.
        known: the table `FILES`.
    """
    notes = pl.DataFrame(known)
    newest = notes.lazy().sort("ingest_batch").unique("source_file", keep="last")
    settled = newest.filter(~pl.col("status").fill_null("read").is_in(NOT_LOADED)).select(
        "source_file", "size_bytes", pl.col("modified_ts").dt.epoch("ms").alias("modified")
    )
    columns = {
        "source_file": pl.Series([file.path for file in files], dtype=pl.String),
        "size_bytes": pl.Series([file.size_bytes for file in files], dtype=pl.Int64),
        "modified": pl.Series([file.modified for file in files], dtype=pl.Int64),
    }
    listed = pl.LazyFrame(columns).with_row_index("place")
    left = listed.join(settled, list(columns), "anti").sort("place").collect()
    of_left = notes.lazy().join(left.lazy(), "source_file", "semi").collect()
    return [files[place] for place in left["place"]], of_left.to_arrow()
