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
    excuse,
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
        # The median is 10,150: half of it, less three times its root, is 4,773.
        ({"n_events": 4_773}, ()),
        ({"n_events": 4_772}, ("volume",)),
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


def test_sentence_says_what_was_found_and_expected() -> None:
    [volume, *_] = run_checks(replace(FEED, n_events=12), [], CONFIG)
    assert volume.sentence == (
        "12 events, expected 4,773 to 20,602: the same weekday usually has 10,150"
    )
    [*_, nulls] = run_checks(FEED, [ColumnFacts("songs", (100, 100), (1, 90))], CONFIG)
    assert nulls.sentence == "90.0% of songs are null, expected at most 5.0% above 1.0%"


def test_wrong_clocks_are_counted_where_there_are_any() -> None:
    def sentence(**found: int) -> str:
        results = run_checks(replace(FEED, **found), [], CONFIG)
        return next(one.sentence for one in results if one.name == "dates")

    said = "0.0% of 10,100 events have a date out of place, expected at most 5.0%"
    assert sentence() == said
    assert sentence(n_misdated_ever=7) == f"{said}; 0 tonight, 7 in all"


@pytest.mark.parametrize(("n_users", "passed"), [(0, False), (1, True)])
def test_somebody_must_be_there_to_be_scored(n_users: int, passed: bool) -> None:
    assert check_population(n_users).passed is passed


def test_column_passes_where_it_is_as_on_the_night_of_the_training() -> None:
    """A young log: of its first weeks 5 % are 0, of all that come a half."""
    tonight = replace(SONGS, n_null=(200, 3_000), n_zero=(1_000, 2_500))
    failed = run_checks(FEED, [tonight, OS], CONFIG)
    assert failed_checks(failed) == ("nulls:songs", "zeros:songs")
    then = ColumnFacts("songs", (20_000, 4_000), (200, 40), (1_000, 2_100))
    excused = excuse(failed, [tonight.since(then), OS.since(OS)], CONFIG)
    assert failed_checks(excused) == ("nulls:songs",)
    zeros = next(one for one in excused if one.name == "zeros:songs")
    assert zeros.sentence == "50.0% of songs are 0, expected at most 20.0% above 52.5%"
    # All else stays what it was, and without a night to compare with all does.
    assert [one for one in excused if one != zeros] == [
        one for one in failed if one.name != "zeros:songs"
    ]
    assert excuse(failed, [], CONFIG) == failed


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
