"""One file per use case: reads once, decides on values, writes once."""
