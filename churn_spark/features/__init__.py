"""Events -> session days, transitions, snapshots and labels: Spark, and Polars in `local`."""
