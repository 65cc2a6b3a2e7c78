"""Events -> session days, transitions, snapshots, labels: Spark frames, and Polars in `local`."""
