"""Events -> session days and transitions by Polars, snapshots and labels by Spark."""
