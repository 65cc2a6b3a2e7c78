"""How a feature's value follows from a user's past: one class for each kind, stated once."""

from churn_spark.contracts.features.formulas.counts import Decayed, Kinds, Last, Sum, Week
from churn_spark.contracts.features.formulas.formula import Formula
from churn_spark.contracts.features.formulas.movement import Slope, Spread, Trend
from churn_spark.contracts.features.formulas.pace import OwnPace, PauseSurvival, Slowdown
from churn_spark.contracts.features.formulas.rates import (
    Exposure,
    IfLevel,
    Rate,
    Ratio,
    Silence,
    Surprise,
)
from churn_spark.contracts.features.formulas.rhythm import (
    Cycle,
    CycleAhead,
    CycleBegins,
    DaysSince,
    GapSpread,
    HoursSince,
    LongestGap,
    RelativeGap,
)

__all__ = [
    "Cycle", "CycleAhead", "CycleBegins", "DaysSince", "Decayed", "Exposure", "Formula",
    "GapSpread", "HoursSince", "IfLevel", "Kinds", "Last", "LongestGap", "OwnPace",
    "PauseSurvival", "Rate", "Ratio", "RelativeGap", "Silence", "Slope", "Slowdown", "Spread",
    "Sum", "Surprise", "Trend", "Week",
]  # fmt: skip
