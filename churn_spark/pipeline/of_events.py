"""The steps that make tables of events: those of a night, from one read of the events."""

from __future__ import annotations

from typing import Final

from churn_spark.pipeline import event_days, session_days, transitions

STEPS: Final = session_days.STEP | transitions.STEP | event_days.STEP
"""Each with the table that it writes."""
