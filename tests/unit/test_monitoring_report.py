"""The page of a night: what it says, what it must never hold, and that a browser draws it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from html import escape
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from night_builders import (
    CONFIG,
    FAILED,
    LAST,
    NAMES,
    build_before_any_model,
    build_first_night,
    build_nights,
)
from nights import any_history
from pages import pictures_of, read, run_chromium

from bench.ks_samples import count_bins
from churn_spark.monitoring.drift.comparisons import code_reference
from churn_spark.monitoring.drift.ks import build_reference, compare
from churn_spark.monitoring.policy.history import Entry
from churn_spark.monitoring.policy.policy import PREDICTION
from churn_spark.monitoring.policy.policy_state import Decision
from churn_spark.monitoring.policy.told import name_decision
from churn_spark.reports.night import words
from churn_spark.reports.night.data import HISTORY_DAYS, NightData, rank_features
from churn_spark.reports.night.decision import alerts_section
from churn_spark.reports.night.drift import features_section, history_section
from churn_spark.reports.night.overlay import REST, Overlay, build_mix, build_overlay
from churn_spark.reports.night.page import build_page, render_night
from churn_spark.reports.night.performance import performance_section, verdict
from churn_spark.reports.night.summary import answer, cautions, key_figures, sentences
from churn_spark.reports.night.timeline import timeline_section
from churn_spark.reports.page import Caution, Gallery, Table

MAX_BYTES = 1_000_000
SMALL = NAMES[:12]


@pytest.fixture(scope="module")
def data() -> NightData:
    """90 nights of all columns; in the last weeks the users change and the model gets worse."""
    return build_nights(drop=0.06)


@pytest.fixture(scope="module")
def page(data: NightData) -> str:
    return render_night(data)


@pytest.fixture(scope="module")
def held() -> NightData:
    return build_nights(5, names=SMALL, failed_last=True)


def tables(section: Any) -> list[Table]:
    return [block for block in section.blocks if isinstance(block, Table)]


def with_last_decision(data: NightData, kind: Any, rule: str, version: str | None) -> NightData:
    """The nights with one more decision at their end, whose state has the version as champion."""
    last = data.entries[-1]
    assert last.after is not None
    after = last.after if version is None else replace(last.after, champion=version, breached=())
    entry = Entry(
        9, Decision(LAST, kind, rule, "why", version), last.after, None, after, last.policy
    )
    return replace(data, entries=(*data.entries, entry))


def test_page_is_well_formed_and_has_every_section(page: str) -> None:
    reader = read(page)
    assert reader.open == []
    assert reader.headings == [
        "Churn model monitoring",
        "The decision of this run",
        "Data checks",
        "Open alerts",
        "Feature drift",
        "Distributions",
        "The last 90 daily runs",
        "All features at once",
        "Performance",
        "What happened",
        "How to read it",
    ]
    anchors = {attributes.get("id") for _, attributes in reader.tags}
    links = [str(attributes["href"]) for attributes in reader.all("a")]
    assert all(link.removeprefix("#") in anchors for link in links)


def test_page_of_all_features_and_90_nights_is_small_and_loads_nothing(
    data: NightData, page: str
) -> None:
    assert set(data.history["feature"]) == {*NAMES, "churn_probability"}
    assert data.history["run_date"].nunique() == HISTORY_DAYS
    assert all(f">{name}<" in page for name in NAMES)
    assert 200_000 < len(page.encode()) < MAX_BYTES
    assert not re.search(r"https?:|//[a-z]|@import|url\(|<script", page, re.IGNORECASE)
    for picture in pictures_of(page):
        bare = re.sub(r'xmlns(:xlink)?="[^"]*"|<!DOCTYPE[^>]*>', "", picture)
        assert "http" not in bare


def test_prediction_that_can_not_be_compared_is_not_said_to_have_no_drift() -> None:
    data = build_nights(3, names=SMALL, moving={}, n_windows=0)
    figures = ["statistic", "lower_bound"]
    history = data.history.copy()
    history.loc[history["feature"] == PREDICTION, figures] = np.nan
    [gallery] = history_section(replace(data, history=history)).blocks
    assert isinstance(gallery, Gallery)
    own, *features = [picture.caption for picture in gallery.pictures]
    assert own == (
        "the prediction: not yet comparable: needs a log of 35 days without a gap, and training "
        "rows of its last quarter."
    )
    assert all(caption.endswith("; no drift.") for caption in features)


def test_every_picture_has_a_text_and_every_table_a_caption(page: str) -> None:
    reader = read(page)
    # Distributions and history of the prediction and six features, five metrics, the timeline.
    assert len(reader.all("img")) == 7 + 7 + 5 + 1
    assert all(len(str(image["alt"])) > 20 for image in reader.all("img"))
    assert len(reader.all("table")) == len(reader.all("caption"))


def test_page_is_the_same_when_rows_come_in_another_order() -> None:
    data = build_nights(4, names=SMALL)
    frames = ("alerts", "drift", "history", "performance")
    shuffled = {name: getattr(data, name).sample(frac=1, random_state=1) for name in frames}
    assert render_night(replace(data, **shuffled)) == render_night(data)


def test_texts_are_escaped(held: NightData) -> None:
    check = replace(FAILED, sentence="<script>alert(1)</script>")
    page = render_night(replace(held, checks=(check,)))
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_every_decision_that_the_policy_takes_has_words_of_its_own() -> None:
    met: dict[tuple[str, str], Decision] = {}
    for seed in range(200):
        for _, _, _, decision, _ in any_history(Random(seed)):
            met[decision.kind, decision.rule] = decision
    for rule in ("first", "human", "replaced"):
        met["promote", rule] = Decision(LAST, "promote", rule, "", "2")
    met["reject", "unfit"] = Decision(LAST, "reject", "unfit", "", "2")
    met["keep", "released"] = Decision(LAST, "keep", "released", "")
    assert len(met) >= 15
    for decision in met.values():
        text = words.explain_rule(decision, CONFIG.policy)
        assert text != decision.rule
        assert text.endswith(".")
        assert words.headline(decision, "1").endswith(".")
        assert name_decision(decision.kind, decision.rule) != decision.kind


def test_answer_of_a_quiet_night_comes_with_its_rule() -> None:
    quiet = build_nights(3, names=SMALL, moving={}, n_windows=0)
    assert answer(quiet) == "Nothing to do: the model is kept."
    assert sentences(quiet)[:2] == (
        "No confirmed loss of performance, no confirmed drift, and the last training is recent.",
        "Found in this run: performance not measured yet, no drift that asks for a retraining, "
        "next "
        "scheduled training in 5 days.",
    )
    assert cautions(quiet) == ()
    assert "No alert is open." in render_night(quiet)


def test_what_waits_for_a_human_is_said_with_the_command(data: NightData) -> None:
    assert answer(data) == "No retraining until a person has looked."
    (waits,) = [text for text in cautions(data) if text.startswith("Waits for a person: ")]
    assert data.state is not None
    assert str(data.state.waits_for_human) in waits
    assert f"retrain_if_needed --date {LAST} --release REASON" in waits


def test_held_night_shows_the_failed_check_and_the_drift_of_the_night_before(
    held: NightData,
) -> None:
    assert answer(held) == "Drift was not judged: the data failed their checks."
    failed, older, *_ = cautions(held)
    assert failed == f"1 check failed: {FAILED.sentence}."
    night = LAST - timedelta(days=1)
    assert older.startswith("Drift was not measured in this run.")
    assert f"is of {night}" in older
    assert features_section(held).answer.startswith(f"As of {night}: ")
    assert key_figures(held)[1].value == "1 failed"


def test_night_with_too_few_users_shows_drift_that_was_not_judged() -> None:
    few = build_nights(3, names=SMALL, n_rows=150, n_windows=0)
    assert (
        answer(few) == "Nothing to do: the model is kept. There are too few users to judge drift."
    )
    assert cautions(few)[-1].startswith("Drift was measured but not judged")
    assert few.moved == {}
    assert "<img" in render_night(few)


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (build_first_night, "No outcome is known yet"),
        (build_before_any_model, "There is no model yet"),
        (lambda: replace(build_before_any_model(), entries=()), "No decision was taken"),
        (
            lambda: replace(build_first_night(), entries=(), checks=()),
            "No decision is stored for this run.",
        ),
    ],
)
def test_page_is_written_when_there_is_little_to_show(build: Any, expected: str) -> None:
    page = render_night(build())
    assert expected in page
    assert read(page).headings[-1] == "How to read it"


def test_promotion_tonight_keeps_the_memory_of_the_baseline_that_is_shown(data: NightData) -> None:
    moved = data.moved
    assert moved
    promoted = with_last_decision(data, "promote", "challenger", "99")
    assert promoted.champion == "99"
    assert promoted.moved == moved
    (told,) = [text for text in cautions(promoted) if "went into use after" in text]
    assert f"training rows of version {data.reference_version}" in told


def test_moved_since_is_the_first_of_the_nights_in_a_row(data: NightData) -> None:
    for name, (since, was_before) in data.moved.items():
        nights = [e for e in data.entries if e.after and e.after.champion == data.champion]
        expected = nights[-1].decision.night
        for entry in reversed(nights):
            assert entry.after is not None
            if name not in entry.after.breached:
                break
            expected = entry.decision.night
        assert (since, was_before) == (expected, False)
    # Where the memory is older than what is read, it says so.
    newest = replace(data, entries=data.entries[-2:])
    assert newest.moved == dict.fromkeys(data.moved, (newest.entries[0].decision.night, True))
    assert "before 2018-11-30" in render_night(newest)


def test_features_are_ranked_by_importance_times_drift_and_trending_ones_apart(
    data: NightData,
) -> None:
    rows = data.judged
    weights = [row["importance"] * row["statistic"] for row in rows]
    assert weights == sorted(weights, reverse=True)
    assert not any(row["is_trending"] for row in rows)
    assert {row["feature"] for row in data.trending} >= {"tenure_days", "num_sessions"}
    assert len(rows) + len(data.trending) == len(NAMES)
    drift = pd.DataFrame(
        {
            "comparison": "training",
            "slice": ["all", "all", "all", "level=paid"],
            "feature": ["a", "b", "c", "a"],
            "importance": [0.1, 0.5, 0.4, 1.0],
            "statistic": [0.9, 0.2, 0.1, 1.0],
        }
    )
    assert rank_features(drift)["feature"].tolist() == ["b", "a", "c"]


def test_tables_name_unit_place_and_parts_of_what_has_moved(data: NightData) -> None:
    (name,) = data.moved
    row = next(row for row in data.judged if row["feature"] == name)
    moved, *_, slices = tables(features_section(data))
    (line,) = moved.marked
    cells = moved.rows[line]
    assert cells[0].text == name
    assert cells[2].text == f"{row['statistic']:.3f}"
    assert cells[3].text == (
        "higher: the share of users with at most 6 songs/session is 12 percentage points "
        "smaller than "
        "in training"
    )
    assert cells[5].text.endswith(" songs/session")
    assert slices.header == ("Group", "Users", name)
    assert [row[0].text for row in slices.rows][:4] == [
        "All users",
        "Subscription: free",
        "Subscription: paid",
        "Time since registration: up to 30 days",
    ]


def test_share_of_the_importance_is_the_policys(data: NightData) -> None:
    share = data.movement.share
    assert f"{100 * share:.1f}\u202f% of feature importance" in render_night(data)
    importance = {row["feature"]: row["importance"] for row in data.judged}
    expected = sum(importance[name] for name in data.moved) / sum(importance.values())
    assert share == pytest.approx(expected)


def test_pictures_are_of_the_prediction_first_and_of_what_has_moved(data: NightData) -> None:
    assert [shape.feature for shape in data.shapes] == ["churn_probability", *data.shown]
    assert set(data.shown[: len(data.moved)]) == set(data.moved)
    texts = pictures_of(render_night(data))
    shapes = data.shapes
    gaps = [one for one in shapes if isinstance(one, Overlay) and np.isfinite(one.location)]
    assert sum(bool(re.search(r">KS 0\.\d{3}<", text)) for text in texts) == len(gaps) > 1
    assert sum(">upper threshold<" in text and ">lower threshold<" in text for text in texts) == 7


def test_guess_without_labels_is_shown_with_its_remark(data: NightData) -> None:
    blocks = performance_section(data).blocks
    assert isinstance(blocks[-1], Caution)
    assert "never decides anything" in blocks[-1].text
    measured, *_, guess = tables(performance_section(data))
    assert guess.caption.startswith("Estimate without outcomes")
    assert [row[4].text for row in measured.rows] == ["significantly worse"] * 5 + [
        "for information only"
    ]
    without = replace(data, performance=data.performance[data.performance["basis"] == "labels"])
    assert not any(isinstance(block, Caution) for block in performance_section(without).blocks)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "not significantly worse"),
        ({"difference_high": -0.03}, "significantly worse"),
        ({"difference_high": -0.03, "n_positive": 199}, "too few: under 200 cancellations"),
        ({"difference_high": None}, "nothing to compare with"),
        ({"metric": "brier"}, "for information only"),
    ],
)
def test_verdict_on_a_metric_is_the_policys(changes: dict[str, Any], expected: str) -> None:
    row = {
        "metric": "roc_auc",
        "window_start": LAST,
        "window_end": LAST + timedelta(days=1),
        "difference": -0.05,
        "difference_low": -0.07,
        "difference_high": -0.01,
        "n_positive": 500.0,
    }
    assert verdict({**row, **changes}, CONFIG.policy) == expected


def test_cancels_are_those_that_were_and_what_they_tell_stands_beside(data: NightData) -> None:
    changed = data.performance.assign(n_positive=9, n_cancels=25)
    section = performance_section(replace(data, performance=changed))
    told = "25 have cancelled, which count as 9 of equal weight. "
    assert told in section.answer
    by_group = tables(section)[1]
    assert by_group.rows[0][2].text == "25"
    assert by_group.rows[0][2].detail == "count as 9 of equal weight"
    older = replace(data, performance=changed.assign(n_cancels=None))
    assert " 9 have cancelled. " in performance_section(older).answer


@pytest.mark.parametrize(
    ("limited_to", "whose"),
    [
        ([], "the 700 users of {}"),
        (["held_out"], "the 700 users of {} that the model was not fitted on"),
        (
            ["held_out", "untouched"],
            "the 700 users of {} that the model was not fitted on and whose outcome no contact may "
            "have changed",
        ),
        (["untouched", "sample"], "a sample of 700 users of {} whose outcome no contact may have "
         "changed"),
        (None, "the 700 users of {}"),
    ],
)  # fmt: skip
def test_figures_say_whose_they_are(
    data: NightData, limited_to: list[str] | None, whose: str
) -> None:
    rows = data.performance.assign(n_rows=700)
    # As they are read back.
    limits = None if limited_to is None else np.array(limited_to, dtype=object)
    rows = rows.assign(limited_to=pd.Series([limits] * len(rows), rows.index, dtype=object))
    section = performance_section(replace(data, performance=rows))
    window = rows[rows["basis"] == "labels"]["window_start"].max()
    assert section.answer.startswith(f"Of {whose.format(window)}, ")
    newest, *_, guessed = tables(section)
    assert newest.caption == (
        f"The newest window with known outcomes: {whose.format(window)}; 95 % intervals"
    )
    night = rows[rows["basis"] == "expected"]["window_start"].max()
    assert guessed.caption == f"Estimate without outcomes for {whose.format(night)}"


def test_open_alerts_are_listed_with_the_most_severe_first(data: NightData) -> None:
    (table,) = tables(alerts_section(data))
    severities = [row[1].text for row in table.rows]
    assert severities == sorted(severities, key=["critical", "warning", "info"].index)
    assert len(severities) == data.open_alerts["key"].nunique() > 1
    assert table.rows[0][2].text == str(data.open_alerts["opened"].min())


def test_timeline_has_every_event_newest_first_and_names_few_alerts_of_a_night(
    data: NightData,
) -> None:
    section = timeline_section(data)
    rows = [row for table in tables(section) for row in table.rows]
    nights = [row[0].text for row in rows]
    assert nights == sorted(nights, reverse=True)
    decided = [entry.decision for entry in data.entries]
    told = [row[1].text for row in rows]
    for kind in ("retrain", "promote", "reject"):
        names = [name_decision(one.kind, one.rule) for one in decided if one.kind == kind]
        assert names
        assert all(told.count(name) == names.count(name) for name in names)
    assert any(row[2].text.endswith(" and 1 more") for row in rows)
    assert "13 retrainings requested" in section.answer


samples = st.lists(st.sampled_from([0.0, 1.0, 1.5, 2.0, 7.0, float("inf")]), min_size=1)


@given(before=samples, now=samples)
def test_overlay_marks_the_gap_that_the_test_found(before: list[float], now: list[float]) -> None:
    baseline = build_reference(np.array(before))
    cells = count_bins(baseline, np.array(now))
    shape, found = build_overlay("x", baseline, cells), compare(baseline, cells, 0)
    assert shape is not None
    low, high = shape.ends
    assert abs(low - high) == pytest.approx(found.statistic)
    # Two places with gaps of the same size may be told apart by rounding.
    assert np.isnan(shape.location) == np.isnan(found.location)
    for value, old, new in zip(
        shape.values[1::2], shape.before[1::2], shape.now[1::2], strict=True
    ):
        assert old == pytest.approx(np.mean(np.array(before) <= value))
        assert new == pytest.approx(np.mean(np.array(now) <= value))


def test_overlay_of_many_values_is_thinned_and_keeps_the_widest_gap() -> None:
    values = np.random.default_rng(1).lognormal(size=20_000)
    baseline = build_reference(values)
    cells = count_bins(baseline, values[values < 3.3333])
    shape, found = build_overlay("x", baseline, cells), compare(baseline, cells, 0)
    assert shape is not None
    assert 200 < len(shape.values) <= 2 * (2 * 100 + 1)
    assert shape.location == found.location
    assert shape.location in shape.values
    assert shape.values[0] > values.min()
    assert shape.values[-1] < values.max()
    assert np.all(np.diff(shape.values) >= 0)
    assert np.all(np.diff(shape.now) >= 0)


def test_overlay_needs_values_on_both_sides() -> None:
    baseline = build_reference(np.array([1.0]))
    assert build_overlay("x", baseline, np.zeros(3, dtype=np.int64)) is None
    assert (
        build_mix("x", code_reference(np.zeros(3), 1), np.zeros(5, dtype=np.int64), ["a"]) is None
    )


def test_mix_shows_the_levels_that_moved_most_and_sums_up_the_rest() -> None:
    levels = [f"level {n}" for n in range(12)]
    before = code_reference(np.arange(130) % 13, 12)
    now = count_bins(before, np.repeat(np.arange(13), [30, *[10] * 11, 20]))
    shape = build_mix("place", before, now, levels)
    assert shape is not None
    assert shape.levels[:2] == ("level 0", "unknown to the model")
    assert shape.levels[-1] == REST
    assert len(shape.levels) == 9
    assert sum(shape.before) == pytest.approx(1)
    assert sum(shape.now) == pytest.approx(1)
    assert shape.now[0] == pytest.approx(30 / 160)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1.0, "days", "1 day"),
        (2.5, "visits", "2.5 visits"),
        (0.0764, "days", "0.076 days"),
        (1234.5, "songs", "1,234 songs"),
        (1.0, "times", "1 times"),
        (7200.0, "seconds", "2 hours"),
        (0.042, "share", "4.2\u202f%"),
        (-3.0, "sessions/week", "−3 sessions/week"),
        (float("nan"), "days", "–"),
    ],
)
def test_amounts_have_their_unit(value: float, unit: str, text: str) -> None:
    assert words.amount(value, unit) == text


@pytest.mark.parametrize(
    ("direction", "statistic", "expected"),
    [
        (
            "higher",
            0.117,
            "higher: the share of users with at most 3 visits is 12 percentage points sm",
        ),
        (
            "lower",
            0.034,
            "lower: the share of users with at most 3 visits is 3.4 percentage points la",
        ),
        ("none", 0.0, "the same"),
    ],
)
def test_place_says_who_is_where(direction: str, statistic: float, expected: str) -> None:
    assert words.place(direction, statistic, 3.0, "visits").startswith(expected)


def test_subtitle_tells_version_and_age() -> None:
    first = replace(build_first_night(), trained=date(2018, 11, 19))
    text = build_page(first).subtitle
    expected = "Model version 1, trained as of 2018-11-19: 12 days old"
    assert text == f'Daily run ("night") of {LAST}. {expected}.'


def test_browser_shows_the_headings_without_a_complaint(
    chromium: str, tmp_path: Path, page: str
) -> None:
    found = read(run_chromium(chromium, tmp_path, page, "--dump-dom"))
    assert found.headings == read(page).headings


@pytest.mark.parametrize("width", [400, 1200])
def test_page_is_never_wider_than_the_window(
    chromium: str, tmp_path: Path, page: str, width: int
) -> None:
    # Its own policy lets no script run, so the copy that measures itself goes without. A frame,
    # since no window of Chromium is narrower than 500.
    script = "parent.document.title = `${document.documentElement.scrollWidth} of ${innerWidth}`"
    measuring = re.sub(r"<meta http-equiv.*?>", "", page) + f"<script>{script}</script>"
    frame = f'<iframe style="border: 0; width: {width}px" srcdoc="{escape(measuring)}"></iframe>'
    drawn = run_chromium(chromium, tmp_path, frame, "--dump-dom", "--window-size=1400,2000")
    assert f"<title>{width} of {width}</title>" in drawn


def test_renewed_champion_is_not_called_better() -> None:
    renewal = Decision(LAST, "promote", "challenger", "AUC -0.0004, not significantly worse", "3")
    assert words.headline(renewal, "3") == "Version 3 takes over."
    assert "or no worse than a champion" in words.explain_rule(renewal, CONFIG.policy)
