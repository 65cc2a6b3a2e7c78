"""Each data check at its edge, and that a sound or a young feed passes them all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_spark.config import load_config
from churn_spark.monitoring.data_quality.checks import (
    ColumnFacts,
    FeedFacts,
    check_population,
    failed_checks,
    run_checks,
)

CONFIG = load_config().checks
FEED = FeedFacts(10_000, (9_000, 11_000, 10_500, 9_800), 0.5, 10_200, 100, 50)
SONGS = ColumnFacts("songs", (20_000, 5_000), (200, 60), (1_000, 250))
OS = ColumnFacts("os", (20_000, 5_000), (200, 60), None, (400, 100))


def failures(feed: FeedFacts = FEED, *columns: ColumnFacts) -> tuple[str, ...]:
    return failed_checks(run_checks(feed, columns, CONFIG))


def test_sound_night_passes_every_check() -> None:
    results = run_checks(FEED, [SONGS, OS], CONFIG)
    assert [result.name for result in results] == [
        "volume", "freshness", "duplicates", "quarantine", "dates", "files",
        "nulls:songs", "zeros:songs", "nulls:os", "unseen:os",
    ]  # fmt: skip
    assert failed_checks(results) == ()


@pytest.mark.parametrize(
    ("changes", "failed"),
    [
        # The median is 10,150: .6 of it, less three times its root, is 5,788.
        ({"n_events": 5_788}, ()),
        ({"n_events": 5_787}, ("volume",)),
        ({"n_events": 20_602}, ()),
        ({"n_events": 20_603}, ("volume",)),
        ({"n_events": 1, "same_weekday": (9_000, 11_000), "n_duplicates": 0}, ()),
        ({"n_events": 2, "same_weekday": (9, 11, 10), "n_duplicates": 0}, ()),
        ({"n_events": 0, "same_weekday": (9, 11, 10)}, ("volume",)),
        ({"n_events": 0, "same_weekday": (0, 0, 0)}, ()),
        ({"n_events": 4, "n_duplicates": 0, "is_backfill": True}, ()),
        ({"hours_behind": 24.0}, ()),
        ({"hours_behind": 24.1}, ("freshness",)),
        ({"n_quarantined": 510}, ()),
        ({"n_quarantined": 511}, ("quarantine",)),
        # Of 10,100 that were accepted.
        ({"n_misdated": 505, "n_misdated_ever": 600}, ()),
        ({"n_misdated": 506, "n_misdated_ever": 506}, ("dates",)),
        ({"n_duplicates": 1_000}, ()),
        ({"n_duplicates": 1_001}, ("duplicates",)),
        ({"n_bytes": 1_000, "n_bytes_changed": 50}, ()),
        ({"n_bytes": 1_000, "n_bytes_changed": 51}, ("files",)),
        ({"n_lines": 0, "n_quarantined": 0, "n_duplicates": 0}, ()),
        ({"n_events": 0, "hours_behind": 30.0}, ("freshness", "volume")),
    ],
)
def test_feed_fails_beyond_its_limits(changes: dict[str, Any], failed: tuple[str, ...]) -> None:
    assert failures(replace(FEED, **changes)) == failed


@pytest.mark.parametrize(
    ("column", "failed"),
    [
        (replace(SONGS, n_null=(200, 300)), ()),
        (replace(SONGS, n_null=(200, 301)), ("nulls:songs",)),
        (replace(SONGS, n_null=(2_000, 0)), ()),
        (replace(SONGS, n_zero=(1_000, 1_250)), ()),
        (replace(SONGS, n_zero=(1_000, 1_251)), ("zeros:songs",)),
        (replace(OS, n_unseen=(400, 350)), ()),
        (replace(OS, n_unseen=(400, 351)), ("unseen:os",)),
        # Two of twelve users without a value: a sixth, and nothing unusual.
        (ColumnFacts("songs", (20_000, 12), (200, 2)), ()),
        (ColumnFacts("songs", (20_000, 0), (200, 0)), ()),
    ],
)
def test_column_fails_beyond_its_limits(column: ColumnFacts, failed: tuple[str, ...]) -> None:
    assert failures(FEED, column) == failed


GROWN = replace(SONGS, n_zero=(1_000, 2_500))
"""Half of the rows are 0, of the training rows a twentieth were."""


@pytest.mark.parametrize(
    ("zeros_before", "failed"),
    # Of the 4,000 users of the newest sound date: 47.5 %, as good as tonight; 29.5 %; 5 %.
    [(1_900, ()), (1_201, ()), (1_180, ("zeros:songs",)), (200, ("zeros:songs",))],
)
def test_share_that_has_grown_slowly_is_no_broken_feed(
    zeros_before: int, failed: tuple[str, ...]
) -> None:
    newest = replace(SONGS, n_rows=(4_000, 5_000), n_zero=(zeros_before, 2_500))
    assert failures(FEED, replace(GROWN, newest=newest)) == failed
    assert failures(FEED, GROWN) == ("zeros:songs",)


def test_share_that_is_back_at_that_of_the_training_rows_passes_though_it_has_jumped() -> None:
    newest = replace(SONGS, n_rows=(4_000, 5_000), n_zero=(0, 1_250))
    assert failures(FEED, replace(SONGS, newest=newest)) == ()


def test_sentence_says_what_was_found_and_expected() -> None:
    [volume, *_] = run_checks(replace(FEED, n_events=12), [], CONFIG)
    assert volume.sentence == (
        "12 events, expected 5,788 to 20,602: the same weekday usually has 10,150"
    )
    [*_, nulls] = run_checks(FEED, [ColumnFacts("songs", (100, 100), (1, 90))], CONFIG)
    assert nulls.sentence == (
        "90.0% of songs are null; expected at most 5 percentage points above the usual 1.0%"
    )


def test_wrong_clocks_are_counted_where_there_are_any() -> None:
    def sentence(**found: int) -> str:
        results = run_checks(replace(FEED, **found), [], CONFIG)
        return next(one.sentence for one in results if one.name == "dates")

    said = "0.0% of 10,100 events have an implausible date, expected at most 5.0%"
    assert sentence() == said
    assert sentence(n_misdated_ever=7) == f"{said}; 0 tonight, 7 in all"


@pytest.mark.parametrize(("n_users", "passed"), [(0, False), (1, True)])
def test_somebody_must_be_there_to_be_scored(n_users: int, passed: bool) -> None:
    assert check_population(n_users).passed is passed


@given(st.integers(0, 5_000), st.integers(0, 5_000))
def test_more_nulls_never_pass_where_fewer_fail(first: int, second: int) -> None:
    fewer, more = sorted((first, second))
    fails = [bool(failures(FEED, replace(SONGS, n_null=(200, n)))) for n in (fewer, more)]
    assert fails[0] <= fails[1]


def test_one_of_something_has_no_plural_in_a_sentence() -> None:
    feed = replace(FEED, n_events=1, n_lines=1, n_quarantined=0, n_duplicates=0)
    volume, _, duplicates, quarantine, *_ = run_checks(feed, (), CONFIG)
    assert volume.sentence.startswith("1 event, expected ")
    assert duplicates.sentence.startswith("0.0% of 1 event was delivered")
    assert quarantine.sentence.startswith("0.0% of 1 line is no event,")
