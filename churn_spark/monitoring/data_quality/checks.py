"""Whether a night's data are sound enough to judge a model by: the verdicts, from counts.

A failed check holds the whole night: drift measured on a broken feed says nothing about the users,
and a model trained on it learns the fault. Each check compares with what is usual. Where it can't
decide it passes: a young log has no history, and the counts of a small one vary by chance.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Final

from churn_spark.config import ChecksConfig
from churn_spark.monitoring.drift.distances import compare_rates
from churn_spark.wording import count_of

_MIN_ENDS: Final = 14
_EARLY_HOURS: Final = 1.0


@dataclass(frozen=True)
class ColumnFacts:
    """Counts of one column, in the rows it is compared with and tonight.

    Those are the champion's training rows, of a field of events the week before.

    Attributes:
        column: its name.
        n_rows: rows, before and tonight.
        n_null: rows without a value.
        n_zero: rows that are 0; none for categories, and where zeros aren't counted.
        n_unseen: rows whose category the model has no level for: rare ones, nulls and those that
            it has never met; none for numbers.
        newest: the same with the newest sound date before the night in place of the training rows;
            none where there is none.
    """

    column: str
    n_rows: tuple[int, int]
    n_null: tuple[int, int]
    n_zero: tuple[int, int] | None = None
    n_unseen: tuple[int, int] | None = None
    newest: ColumnFacts | None = None


@dataclass(frozen=True)
class FeedFacts:
    """Counts of the newest day of the log.

    Attributes:
        n_events: accepted events of the newest day.
        same_weekday: accepted events of the same weekday in the weeks before, any order; each as
            large as it would be by now where the log grows.
        hours_behind: from the newest event to the night's 00:00 UTC.
        n_lines: lines of the batches that delivered the newest day, accepted or rejected.
        n_quarantined: of them, rejected.
        n_duplicates: events of the newest day that were delivered before.
        is_backfill: whether the same batches delivered more than a week before it: such a load may
            end in the middle of a day.
        n_misdated: accepted events of these batches whose date is out of place.
        n_misdated_ever: the same of all batches.
        n_bytes: of the files of the same batches.
        n_bytes_changed: of them, in files that were changed since or could not be opened.
        usual_hours_behind: of the days before, from the newest event of each to its end.
        is_holiday: whether the day is a configured holiday, which may have few events.
    """

    n_events: int
    same_weekday: tuple[float, ...]
    hours_behind: float
    n_lines: int
    n_quarantined: int
    n_duplicates: int
    is_backfill: bool = False
    n_misdated: int = 0
    n_misdated_ever: int = 0
    n_bytes: int = 0
    n_bytes_changed: int = 0
    usual_hours_behind: tuple[float, ...] = ()
    is_holiday: bool = False


@dataclass(frozen=True)
class CheckResult:
    """One check.

    Attributes:
        name: kind of check, with the column where it has one: `nulls:songs`.
        found: the measured figure.
        expected: the range it must lie in, in words.
        passed: whether it lies there.
        sentence: what was found and expected, for people.
    """

    name: str
    found: float
    expected: str
    passed: bool
    sentence: str


def run_checks(
    feed: FeedFacts, columns: Sequence[ColumnFacts], config: ChecksConfig
) -> tuple[CheckResult, ...]:
    """The results of all checks of a night, passed and failed."""
    return (
        _check_volume(feed, config),
        _check_freshness(feed, config),
        _check_share(
            "duplicates",
            ("event was delivered more than once", "events were delivered more than once"),
            (feed.n_duplicates, feed.n_events),
            config.max_duplicate_rate,
        ),
        _check_share(
            "quarantine",
            ("line is no event", "lines are no events"),
            (feed.n_quarantined, feed.n_lines),
            config.max_quarantine_rate,
        ),
        _check_dates(feed, config),
        _check_share(
            "files",
            (
                "byte is in a file that was changed after it had been read",
                "bytes are in files that were changed after they had been read",
            ),
            (feed.n_bytes_changed, feed.n_bytes),
            config.max_changed_rate,
        ),
        *(check for column in columns for check in _check_column(column, config)),
    )


def failed_checks(results: Sequence[CheckResult]) -> tuple[str, ...]:
    """Names of the checks that failed, sorted: what the policy asks for."""
    return tuple(sorted(result.name for result in results if not result.passed))


def _check_volume(feed: FeedFacts, config: ChecksConfig) -> CheckResult:
    events = count_of(feed.n_events, "event")
    if len(feed.same_weekday) < config.min_same_weekdays:
        expected = f"{count_of(config.min_same_weekdays, 'same weekday')} to compare with"
        found = len(feed.same_weekday)
        sentence = f"{events} on the last day; not judged: needs {expected}, there are {found}"
        return CheckResult("volume", feed.n_events, expected, True, sentence)
    if feed.is_backfill:
        expected = "a day that was delivered by itself"
        sentence = (
            f"{events} on the last day; not judged: it was loaded together with weeks before it "
            "and may be incomplete"
        )
        return CheckResult("volume", feed.n_events, expected, True, sentence)
    usual = median(feed.same_weekday)
    ends_early = _ends_early(feed)
    low_ratio = config.min_early_ratio if ends_early else config.min_volume_ratio
    # Three standard deviations of a count: a log of a few users halves by itself.
    jump = 3 * math.sqrt(usual)
    low = 0.0 if feed.is_holiday else max(0.0, low_ratio * usual - jump)
    high = config.max_volume_ratio * usual + jump
    expected = f"{low:,.0f} to {high:,.0f}"
    passed = low <= feed.n_events <= high and (feed.n_events > 0 or usual == 0)
    sentence = f"{events}, expected {expected}: the same weekday usually has {usual:,.0f}"
    if feed.is_holiday:
        sentence += ", and this is a holiday"
    elif ends_early:
        sentence += f", and the last event came {feed.hours_behind:.1f} hours before the day's end"
    return CheckResult("volume", feed.n_events, expected, passed, sentence)


def _ends_early(feed: FeedFacts) -> bool:
    """Whether the newest event is much older than that of any day before: a delivery was cut."""
    if len(feed.usual_hours_behind) < _MIN_ENDS:
        return False
    return feed.hours_behind > _EARLY_HOURS + 2 * max(feed.usual_hours_behind)


def _check_freshness(feed: FeedFacts, config: ChecksConfig) -> CheckResult:
    expected = f"at most {config.max_hours_behind:g} hours"
    sentence = f"the newest event is {feed.hours_behind:.1f} hours old, expected {expected}"
    passed = feed.hours_behind <= config.max_hours_behind
    return CheckResult("freshness", feed.hours_behind, expected, passed, sentence)


def _check_share(
    name: str, what: tuple[str, str], counts: tuple[int, int], allowed: float
) -> CheckResult:
    hits, rows = counts
    share = hits / rows if rows else 0.0
    expected = f"at most {allowed:.1%}"
    sentence = f"{share:.1%} of {count_of(rows, *what)}, expected {expected}"
    return CheckResult(name, share, expected, share <= allowed, sentence)


def _check_dates(feed: FeedFacts, config: ChecksConfig) -> CheckResult:
    what = "event has an implausible date", "events have an implausible date"
    n_accepted = feed.n_lines - feed.n_quarantined
    found = _check_share("dates", what, (feed.n_misdated, n_accepted), config.max_misdated_rate)
    in_all = f"; {feed.n_misdated:,} tonight, {feed.n_misdated_ever:,} in all"
    return replace(found, sentence=found.sentence + in_all) if feed.n_misdated_ever else found


def check_population(n_users: int) -> CheckResult:
    """That there is somebody to look at: no date far from the log has users."""
    expected = "at least 1 user"
    sentence = f"{count_of(n_users, 'user')} in the snapshot, expected {expected}"
    return CheckResult("population", n_users, expected, n_users > 0, sentence)


def _check_column(facts: ColumnFacts, config: ChecksConfig) -> Iterator[CheckResult]:
    for name, what, field, allowed in (
        ("nulls", "null", "n_null", config.max_null_increase),
        ("zeros", "0", "n_zero", config.max_zero_increase),
        ("unseen", "unknown to the model", "n_unseen", config.max_unseen_increase),
    ):
        n_hits = getattr(facts, field)
        if n_hits is not None:
            newest = getattr(facts.newest, field, None)
            yield _check_increase(name, what, facts, n_hits, newest, allowed, config)


def _check_increase(
    name: str,
    what: str,
    facts: ColumnFacts,
    n_hits: tuple[int, int],
    newest: tuple[int, int] | None,
    allowed: float,
    config: ChecksConfig,
) -> CheckResult:
    """Fails if the share has grown by more than is allowed, and surely not by chance.

    What has grown slowly, as shares of zeros do while a log is young, has grown from the training
    rows and not from the nights before; a feed that breaks does both.
    """
    change = compare_rates(n_hits, facts.n_rows)
    changes = [change]
    above = f"the usual {change.reference:.1%}"
    if facts.newest is not None and newest is not None:
        changes.append(compare_rates(newest, facts.newest.n_rows))
        before = f"{changes[-1].reference:.1%} on the last date that passed"
        above = f"the larger of {change.reference:.1%} in training and {before}"
    expected = f"at most {100 * allowed:g} percentage points above {above}"
    has_grown = all(c.difference > allowed and c.p_value < config.max_chance for c in changes)
    sentence = f"{change.current:.1%} of {facts.column} are {what}; expected {expected}"
    return CheckResult(f"{name}:{facts.column}", change.current, expected, not has_grown, sentence)
