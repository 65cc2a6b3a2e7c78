"""Rows and values: decisions, alerts, checks, the published champion. No rule."""
