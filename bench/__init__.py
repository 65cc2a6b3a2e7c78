"""Measurements: `make bench-simulate` and its siblings print what the docs quote."""
