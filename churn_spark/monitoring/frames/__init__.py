"""The Spark half of monitoring: users counted in bins, drift rows, facts of the feed."""
