"""What the model of fading knows, and what it says of users."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np

from churn_spark.arrays import Floats
from churn_spark.contracts.survival import SURVIVAL_DAYS
from churn_spark.models.fading.clock import WeeklyClock
from churn_spark.models.fading.filtering import filter_lives, forecast_staying
from churn_spark.models.fading.lives import build_lives
from churn_spark.models.fading.parameters import Parameters
from churn_spark.models.fading.visits import Visits
from churn_spark.timeline import Horizon, day_start_millis


@dataclass(frozen=True)
class Forecast:
    """What the model says of users; all of length users.

    Attributes:
        cancel_probability: of a cancellation in the horizon, given none in the gap.
        survival: chance to be still subscribed so many days after the gap as `SURVIVAL_DAYS`
            has, given that at its end, shape (users, days).
        fading: chance that the user's interest is fading as of the date.
    """

    cancel_probability: Floats
    survival: Floats
    fading: Floats


@dataclass(frozen=True)
class FadingModel:
    """A fitted model.

    Attributes:
        parameters: how users fade and cancel.
        profile: what multiplies the chances to cancel on each day of the billing cycle, shape
            (30,).
        clock: measures pauses.
        log_start: first date of the log: what came before it wasn't seen.
        fitted_before: it was fitted to what was known before this date.
    """

    parameters: Parameters
    profile: Floats
    clock: WeeklyClock
    log_start: date
    fitted_before: date

    def forecast(
        self, visits: Visits, registered: Floats, as_of: date, horizon: Horizon
    ) -> Forecast:
        """Say how likely users cancel after a date, and whether they fade.

        Args:
            visits: of users who haven't cancelled, known before the date.
            registered: of each user, epoch seconds, NaN where unknown.
            as_of: the date.
            horizon: window and gap.
        """
        start, now = (day_start_millis(day) / 1000.0 for day in (self.log_start, as_of))
        stays = np.full(len(registered), np.nan)
        lives = build_lives(visits, registered, stays, start, now, self.clock)
        filtered = filter_lives(lives, self.parameters, self.profile)
        days = [horizon.gap_days + later for later in (horizon.days, *SURVIVAL_DAYS)]
        staying = forecast_staying(
            lives, filtered, self.parameters, self.profile, horizon.gap_days, days
        )
        return Forecast(1.0 - staying[:, 0], staying[:, 1:], filtered.fading)

    def to_json(self) -> str:
        """Write everything the model knows as text."""
        return json.dumps(
            asdict(self), default=lambda v: v.tolist() if isinstance(v, np.ndarray) else str(v)
        )

    @classmethod
    def from_json(cls, text: str) -> FadingModel:
        """Read what `to_json` has written.

        Raises:
            KeyError: if a part is missing.
        """
        found: dict[str, Any] = json.loads(text)
        return cls(
            parameters=Parameters(**found["parameters"]),
            profile=np.array(found["profile"]),
            clock=WeeklyClock(np.array(found["clock"]["activity"])),
            log_start=date.fromisoformat(found["log_start"]),
            fitted_before=date.fromisoformat(found["fitted_before"]),
        )
