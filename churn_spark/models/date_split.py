"""Which as-of dates are learnt from and which are judged on: out of time, with a gap between."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from churn_spark.errors import TooFewDatesError
from churn_spark.timeline import Horizon


@dataclass(frozen=True)
class DateSplit:
    """The as-of dates of a backtest, or of every fold of a search.

    Attributes:
        learnt: whose label windows have ended before the first judged date, less the gap.
        judged: the newest ones.
    """

    learnt: tuple[date, ...]
    judged: tuple[date, ...]

    @property
    def cutoff(self) -> date:
        """The first judged date: nothing of it or later is learnt from."""
        return self.judged[0]


def split_dates(dates: Iterable[date], horizon: Horizon, n_judged: int) -> DateSplit:
    """Choose the newest dates to judge on and those before to learn from.

    Args:
        dates: as-of dates with known labels, in any order.
        horizon: window and gap of the labels.
        n_judged: dates to judge on, at least one.

    Raises:
        TooFewDatesError: if no date is left to learn from.
    """
    ordered = sorted(dates)
    judged = ordered[-n_judged:]
    learnt = [day for day in ordered if judged and day <= horizon.newest_learnable(judged[0])]
    if not learnt or len(judged) < n_judged:
        raise TooFewDatesError(
            f"found {len(ordered)} as-of dates with known labels, and {len(learnt)} of them end "
            f"before the newest {n_judged} to judge on; expected at least one: load more of the "
            "log, or lower backtest.n_test_dates, tuning.n_dates or labels.horizon_days; the "
            "lifetime label has no dates"
        )
    return DateSplit(tuple(learnt), tuple(judged))
