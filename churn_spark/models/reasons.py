"""A reason for a score: its fields, as the tables keep them, and its words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from churn_spark.contracts.features.parts import find_feature
from churn_spark.contracts.features.spec import Feature
from churn_spark.models.words import Value, describe, describe_kind

Direction = Literal["raises", "lowers"]


@dataclass(frozen=True)
class Reason:
    """One feature's part in a user's risk.

    Attributes:
        feature: its declaration.
        contribution: to the margin, in log-odds; never 0.
        value: the user's, as people know it.
        typical: median or most frequent level of the training rows.
    """

    feature: Feature
    contribution: float
    value: Value
    typical: Value

    @property
    def direction(self) -> Direction:
        """Whether it raises or lowers the risk."""
        return "raises" if self.contribution > 0 else "lowers"

    @property
    def text(self) -> str:
        """The value beside the typical one: `visited Downgrade 4 times (median: 0)`."""
        return describe(self.feature, self.value, self.typical)

    @property
    def sentence(self) -> str:
        """The whole of it: `visited Downgrade 4 times (median: 0): raises the risk`."""
        return f"{self.text}: {self.direction} the risk"

    @property
    def kind(self) -> str:
        """The sentence without its values, the same text for all reasons of its kind."""
        return f"{describe_kind(self.feature, self.value)}: {self.direction} the risk"

    def fields(self) -> dict[str, Any]:
        """The reason as the columns `reason_fields` keep it."""
        value, level = _split(self.value)
        typical, typical_level = _split(self.typical)
        return {
            "feature": self.feature.name,
            "direction": self.direction,
            "contribution": self.contribution,
            "value": value,
            "typical": typical,
            "level": level,
            "typical_level": typical_level,
        }


def read_reason(fields: Mapping[str, Any]) -> Reason | None:
    """The reason of stored fields; none where its feature is no longer declared."""
    declared = find_feature(fields["feature"])
    if declared is None:
        return None
    value, typical = (
        fields[number] if fields[level] is None else fields[level]
        for number, level in (("value", "level"), ("typical", "typical_level"))
    )
    return Reason(declared, fields["contribution"], value, typical)


def read_reasons(several: Sequence[Mapping[str, Any]] | None) -> list[Reason | None]:
    """The reasons of a row; empty where it keeps none, or only their sentences."""
    return [] if several is None else [read_reason(fields) for fields in several]


def _split(value: Value) -> tuple[float | None, str | None]:
    """A value as number and level, of which the other is null; unknown is neither."""
    if isinstance(value, str):
        return None, value
    number = float("nan") if value is None else float(value)
    return (None if math.isnan(number) else number), None
