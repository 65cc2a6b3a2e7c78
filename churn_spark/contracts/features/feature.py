"""What a feature is: a column, where its value comes from, and words for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, fields
from typing import Final, Literal

from churn_spark.contracts.features.formulas import Formula
from churn_spark.contracts.features.history import LATE_ROWS, Need, need_of

DataType = Literal["long", "double", "string"]

_NOT_USED: Final[Mapping[str, str | float]] = {
    "source": "", "per": "", "days": 0, "scale": 1.0, "prior": 0.0, "prior_weight": 0.0,
    "level": "",
}  # fmt: skip
"""What a definition says of the parameters that a formula doesn't have."""

_WORDS: Final = ("meaning", "phrase", "is_risk")
"""Attributes that only say the value to people: a better sentence makes no other feature."""


@dataclass(frozen=True)
class Feature:
    """One column of what is known about a user as of a date D.

    Attributes:
        name: column name.
        data_type: `long`, `double` (numeric) or `string` (categorical).
        meaning: one line for people.
        unit: of the value; empty for categories.
        phrase: how a reason names the value; `{value}` and `{typical}` are filled in.
        is_trending: grows with time for everybody, so its distribution drifts by construction.
        is_sensitive: reported for fairness, a model input only when switched on.
        is_risk: the phrase itself says that more of it is a risk; where a model has learnt the
            opposite, it is no reason that anybody would understand.
    """

    name: str
    data_type: DataType
    meaning: str
    unit: str
    phrase: str
    is_trending: bool = False
    is_sensitive: bool = False
    is_risk: bool = False

    @property
    def moves_by_construction(self) -> bool:
        """Whether its distribution differs from night to night though nobody acts otherwise."""
        return self.is_trending

    @property
    def need(self) -> Need:
        """What must be there of the log before its distribution can be compared."""
        return LATE_ROWS

    @property
    def is_numeric(self) -> bool:
        """Whether the value is a number rather than a category."""
        return self.data_type != "string"

    @property
    def tells_instant(self) -> bool:
        """Whether its fraction is the time of day at which the user did something."""
        return False

    @property
    def follows_one_date(self) -> bool:
        """Whether time alone changes it: it counts from a single past date."""
        return False

    @property
    def n_phases(self) -> int:
        """So many whole numbers it can be whose size is no amount; 0 where it is one."""
        return 0

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        """Least and largest value that can be; none where there is no limit."""
        if not self.is_numeric:
            return None, None
        return 0.0, 1.0 if self.unit in ("share", "probability") else None

    @property
    def definition(self) -> Mapping[str, str | float]:
        """What its values follow from, of which fingerprints are taken: all but its words."""
        names = (field.name for field in fields(Feature) if field.name not in _WORDS)
        return {**_NOT_USED, **{name: getattr(self, name) for name in names}}


@dataclass(frozen=True)
class LogFeature(Feature):
    """A feature that follows from the log, by a formula over the user's days before D."""

    _: KW_ONLY
    formula: Formula

    @property
    def moves_by_construction(self) -> bool:
        """Totals grow, and some formulas follow the calendar."""
        return self.is_trending or self.formula.follows_calendar

    @property
    def need(self) -> Need:
        """As far as its formula looks back."""
        return need_of(self.formula.window)

    @property
    def tells_instant(self) -> bool:
        """As its formula does."""
        return self.formula.tells_instant

    @property
    def follows_one_date(self) -> bool:
        """As its formula does."""
        return self.formula.follows_one_date

    @property
    def n_phases(self) -> int:
        """As its formula has."""
        return self.formula.n_phases

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        """None where the formula may go below 0."""
        return (None, None) if self.formula.is_signed else super().bounds

    @property
    def definition(self) -> Mapping[str, str | float]:
        """With that of the formula."""
        return {**super().definition, **self.formula.definition}


@dataclass(frozen=True)
class ForecastFeature(Feature):
    """A feature that a model of users' behaviour, the champion's own, forecasts as of D."""

    @property
    def definition(self) -> Mapping[str, str | float]:
        """Its source is the model's forecast of the same name."""
        return {**super().definition, "aggregate": "forecast", "source": self.name}
