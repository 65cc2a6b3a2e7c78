"""Events -> session days, transitions, snapshots and labels, as Spark frames."""
