"""Which as-of dates a model is trained on and which it is tested on, with a gap between them."""

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
        train: whose label windows have ended by the first test date, less the gap.
        test: the newest ones.
    """

    train: tuple[date, ...]
    test: tuple[date, ...]

    @property
    def cutoff(self) -> date:
        """The first test date: nothing of it or later is trained on."""
        return self.test[0]


def split_dates(dates: Iterable[date], horizon: Horizon, n_test: int) -> DateSplit:
    """Choose the newest dates to test on and those before them to train on.

    Args:
        dates: as-of dates with known labels, in any order.
        horizon: window and gap of the labels.
        n_test: dates to test on, at least one.

    Raises:
        TooFewDatesError: if no date is left to train on.
    """
    ordered = sorted(dates)
    test = ordered[-n_test:]
    train = [day for day in ordered if test and day <= horizon.newest_learnable(test[0])]
    if not train or len(test) < n_test:
        raise TooFewDatesError(
            f"the log is too short to test on {n_test} dates: of {len(ordered)} as-of dates with "
            f"known outcomes {len(train)} end early enough to train on, needed is one. Load "
            "more of the log, or lower backtest.n_test_dates, tuning.n_dates or "
            "labels.horizon_days; the lifetime label has no dates"
        )
    return DateSplit(tuple(train), tuple(test))
