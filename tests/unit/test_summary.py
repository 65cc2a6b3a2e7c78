"""The closing line of an ingest adds up, and its warnings name the files."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from churn_spark.events.readings import FileNote, Status
from churn_spark.events.summary import BatchFacts, IngestSummary

REASONS = ("not JSON", "no page", "no user")


@st.composite
def batches(draw: st.DrawFn) -> list[BatchFacts]:
    facts = []
    for _ in range(draw(st.integers(1, 4))):
        parts = {
            name: draw(st.integers(0, 5_000_000)) for name in ("accepted", "anonymous", *REASONS)
        }
        lines = {"read": sum(parts.values()), **parts}
        files = notes(*draw(st.lists(st.just("read"), min_size=1, max_size=9)))
        facts.append(BatchFacts(files, lines, {}))
    return facts


def notes(*statuses: Status) -> list[FileNote]:
    return [FileNote(f"{number}.json", 1, 0, one) for number, one in enumerate(statuses)]


def facts(n_files: int = 1, **lines: int) -> BatchFacts:
    return BatchFacts(notes(*["read"] * n_files), lines, {})


@given(batches=batches())
def test_line_adds_up(batches: list[BatchFacts]) -> None:
    text = IngestSummary(batches).describe()
    numbers = [int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*\d|\d", text)]
    n_files, read, accepted, anonymous, quarantined, *reasons = numbers
    assert n_files == sum(len(batch.files) for batch in batches)
    assert read == accepted + anonymous + quarantined
    assert quarantined == sum(reasons)


def test_line_when_several_files_have_rejected_lines() -> None:
    one = facts(2, read=1500, accepted=1400, anonymous=90, blank=0, not_json=10)
    two = facts(1, read=5, accepted=0, anonymous=0, blank=2, not_json=3)
    assert IngestSummary([one, two]).describe() == (
        "3 files: read 1,505 = accepted 1,400 + not signed in 90 + rejected 15 "
        "(blank 2, not_json 13)"
    )


def test_line_when_nothing_is_rejected() -> None:
    summary = IngestSummary([facts(1, read=3, accepted=2, anonymous=1, blank=0)])
    assert summary.describe() == "1 file: read 3 = accepted 2 + not signed in 1 + rejected 0"


def test_line_when_the_files_are_empty() -> None:
    summary = IngestSummary([facts(2)])
    assert summary.describe() == "2 files: read 0 = accepted 0 + not signed in 0 + rejected 0"


def test_line_when_there_is_no_new_file() -> None:
    assert IngestSummary([]).describe() == "no new file"


def test_lines_leave_zeros_out() -> None:
    assert IngestSummary([facts(read=2, accepted=2, blank=0)]).lines == {"read": 2, "accepted": 2}


def test_no_warning_when_every_file_is_loaded_whole() -> None:
    assert IngestSummary([facts(read=1, accepted=1)]).warnings() == []


def test_warning_names_each_broken_file_and_why() -> None:
    one = BatchFacts(notes("read", "read"), {}, {"a.json.gz": "unexpected end"})
    two = BatchFacts(notes("read"), {}, {"b.json.gz": "not in gzip format"})
    assert IngestSummary([one, two]).warnings() == [
        "a.json.gz can't be read to its end: unexpected end. Whole lines before that are loaded: "
        "deliver it again under a new name; events already loaded count once",
        "b.json.gz can't be read to its end: not in gzip format. Whole lines before that are "
        "loaded: deliver it again under a new name; events already loaded count once",
    ]


def test_warning_names_each_file_that_was_changed() -> None:
    (warning,) = IngestSummary([], changed=["a.json"]).warnings()
    assert warning.startswith("a.json was changed after it was read; its new content is not loaded")


def test_one_warning_counts_the_ignored_files() -> None:
    (warning,) = IngestSummary([], ignored=["a.csv", "b.txt"]).warnings()
    assert warning == (
        "left out, by the endings of their names: 2 in the folder, the first is a.csv"
    )


def test_warnings_come_broken_changed_ignored() -> None:
    broken = BatchFacts(notes("read"), {}, {"a.json": "cut"})
    found = IngestSummary([broken], changed=["b.json"], ignored=["c.csv"]).warnings()
    assert [text.split()[0] for text in found] == ["a.json", "b.json", "left"]
