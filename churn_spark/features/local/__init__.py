"""Session days -> snapshots in one process, with Polars: the same rows as Spark's windows give."""
