"""What the behaviour model knows, and what it says of users."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np

from churn_spark.arrays import Floats
from churn_spark.contracts.survival import SURVIVAL_DAYS
from churn_spark.models.behaviour.calendar import Calendar
from churn_spark.models.behaviour.forecast import staying_chances, survival
from churn_spark.models.behaviour.mixture import Mixture, class_log_weights
from churn_spark.models.behaviour.outcomes import Sessions
from churn_spark.models.behaviour.visits import (
    SESSION_PAUSE_DAYS,
    VisitPrior,
    rate_log_weights,
)
from churn_spark.timeline import SECONDS_PER_DAY, Horizon, day_start_millis

# Nobody's rate is known from less time than this.
_MIN_EXPOSURE_DAYS = 0.05


@dataclass(frozen=True)
class Evidence:
    """What is known of users as of a date; all of length users.

    Attributes:
        log_likelihoods: of their transitions given each class, shape (users, classes).
        visits: so far.
        visit_days: time within them.
        registered: epoch seconds; NaN where unknown.
        level: index into `cells.LEVELS`.
    """

    log_likelihoods: Floats
    visits: Floats
    visit_days: Floats
    registered: Floats
    level: Floats


@dataclass(frozen=True)
class Forecast:
    """What the model says of users; all of length users.

    Attributes:
        cancel_probability: of a cancellation in the horizon, given none in the gap.
        survival: chance to be still subscribed so many days after the gap as `SURVIVAL_DAYS`
            has, given that at its end, shape (users, days).
        visits_a_week: expected rate of visits.
        cancel_per_visit: expected chance that a visit ends in a cancellation.
        class_weights: posterior shares of the classes, shape (users, classes).
    """

    cancel_probability: Floats
    survival: Floats
    visits_a_week: Floats
    cancel_per_visit: Floats
    class_weights: Floats


@dataclass(frozen=True)
class BehaviourModel:
    """A fitted model.

    Attributes:
        mixture: the classes of listeners.
        sessions: what becomes of a visit, by class and level.
        prior: of the users' rates of visits.
        calendar: counts days of exposure.
        log_start: first date of the log: what came before it wasn't seen.
        fitted_before: it was fitted to what was known before this date.
    """

    mixture: Mixture
    sessions: Sessions
    prior: VisitPrior
    calendar: Calendar
    log_start: date
    fitted_before: date

    def exposure(
        self, registered: Floats, ends: Floats, visits: Floats, visit_days: Floats
    ) -> Floats:
        """Give the days in which a visit could have begun.

        From the later of registration and log start on, less the visits and the pause after
        each.

        Args:
            registered: epoch seconds, NaN where unknown.
            ends: epoch seconds.
            visits: how many.
            visit_days: time within them.
        """
        start = day_start_millis(self.log_start) / 1000.0
        begins = np.fmin(np.fmax(registered, start), ends)
        days = self.calendar.days(begins, ends) - visit_days - visits * SESSION_PAUSE_DAYS
        found: Floats = np.maximum(days, _MIN_EXPOSURE_DAYS)
        return found

    def exposure_of(self, evidence: Evidence, as_of: date) -> Floats:
        """The same of users as of a date."""
        now = day_start_millis(as_of) / 1000.0
        ends = np.full(len(evidence.visits), now)
        return self.exposure(evidence.registered, ends, evidence.visits, evidence.visit_days)

    def survivals(self, as_of: date, days: Iterable[int]) -> list[Floats]:
        """Chance to be still subscribed some days after the date; see `survival`."""
        now = day_start_millis(as_of) / 1000.0
        rates, _ = self.prior.grid()
        ends = (np.array(now + several * SECONDS_PER_DAY) for several in days)
        exposures = (float(self.calendar.days(np.array(now), end)) for end in ends)
        return [survival(self.sessions, rates, exposure) for exposure in exposures]

    def forecast(self, evidence: Evidence, as_of: date, horizon: Horizon) -> Forecast:
        """Say how likely users cancel, and why: how often they come, what a visit leads to."""
        exposure = self.exposure_of(evidence, as_of)
        classes = np.exp(class_log_weights(self.mixture, evidence.log_likelihoods))
        rate_weights = np.exp(rate_log_weights(self.prior, evidence.visits, exposure))
        rates, _ = self.prior.grid()
        begin, *later = self.survivals(
            as_of, (horizon.gap_days + days for days in (0, horizon.days, *SURVIVAL_DAYS))
        )
        staying = staying_chances(classes, rate_weights, begin, later, evidence.level)
        by_level = self.sessions.ends[:, :, 2].T[evidence.level.astype(np.int64)]
        return Forecast(
            cancel_probability=1.0 - staying[:, 0],
            survival=staying[:, 1:],
            visits_a_week=7.0 * rate_weights @ rates,
            cancel_per_visit=(classes * by_level).sum(axis=1),
            class_weights=classes,
        )

    def to_json(self) -> str:
        """Write everything the model knows as text."""
        return json.dumps(
            asdict(self), default=lambda v: v.tolist() if isinstance(v, np.ndarray) else str(v)
        )

    @classmethod
    def from_json(cls, text: str) -> BehaviourModel:
        """Read what `to_json` has written.

        Raises:
            KeyError: if a part is missing.
        """
        found: dict[str, Any] = json.loads(text)
        mixture, sessions = found["mixture"], found["sessions"]
        arrays = {name: np.array(mixture[name]) for name in ("shares", "log_chances")}
        return cls(
            mixture=Mixture(**(mixture | arrays)),
            sessions=Sessions(np.array(sessions["ends"]), np.array(sessions["days"])),
            prior=VisitPrior(**found["prior"]),
            calendar=Calendar(**found["calendar"]),
            log_start=date.fromisoformat(found["log_start"]),
            fitted_before=date.fromisoformat(found["fitted_before"]),
        )
