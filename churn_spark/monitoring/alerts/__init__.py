"""Findings of a night -> alerts that open, change and end, and who is notified."""
