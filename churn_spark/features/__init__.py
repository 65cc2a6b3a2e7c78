"""Events -> session days, transitions, snapshots and labels: Spark frames, and Polars in `local`."""
