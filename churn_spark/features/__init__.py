"""Events -> session days, transitions, snapshots and labels: by Polars, and by Spark beyond."""
