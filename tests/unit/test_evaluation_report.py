"""The evaluation page: what it says, what it must never hold, and that a browser draws it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from pages import pictures_of, read, run_chromium
from report_builders import build_evaluation

from churn_spark.errors import InputError
from churn_spark.evaluation.bootstrap import METRIC_NAMES
from churn_spark.evaluation.examples import choose_examples
from churn_spark.reports.card import ModelCard
from churn_spark.reports.data import EvaluationData, by_numbers, in_cell
from churn_spark.reports.evaluation import build_page, render_evaluation
from churn_spark.reports.explanation import list_section
from churn_spark.reports.html import draw_page
from churn_spark.reports.mistakes import mistakes_section
from churn_spark.reports.money import costs_section
from churn_spark.reports.page import Caution, Cell
from churn_spark.reports.pictures import Curve, thinned
from churn_spark.reports.ranking import ladder_section
from churn_spark.reports.summary import answer, cautions, key_figures, sentences
from churn_spark.reports.timelines import read_timelines
from churn_spark.reports.words import METRICS, interval, measured, number
from tests.local_lakehouse import open_local

MAX_BYTES = 2_000_000


@pytest.fixture(scope="module")
def data() -> EvaluationData:
    return build_evaluation(2000)


@pytest.fixture(scope="module")
def page(data: EvaluationData) -> str:
    return render_evaluation(data)


def with_figure(data: EvaluationData, metric: str, **changes: Any) -> EvaluationData:
    """The evaluation with other values for the primary model's headline figure."""
    model, versus = changes.pop("model", "lightgbm"), changes.pop("versus", "")
    figures = data.figures.copy()
    chosen = (figures["cell"] == "both") & (figures["segment"] == "all")
    for column, value in (("model", model), ("versus", versus), ("metric", metric)):
        chosen &= figures[column] == value
    assert chosen.sum() == 1
    figures.loc[chosen, list(changes)] = list(changes.values())
    return replace(data, figures=figures)


def without_rows(data: EvaluationData) -> EvaluationData:
    return replace(
        data,
        predictions=data.predictions.head(0),
        figures=data.figures.head(0),
        importance=data.importance.head(0),
        timelines=data.timelines.head(0),
    )


def test_page_is_well_formed_and_has_every_section(page: str) -> None:
    reader = read(page)
    assert reader.open == []
    assert reader.headings == [
        "Churn model evaluation",
        "The ladder of models",
        "Ranking",
        "Calibration",
        "Segments",
        "Mistakes",
        "Costs",
        "Which features matter",
        "A look at the list",
        "Model card",
        "How to read the figures",
    ]
    anchors = {attributes.get("id") for _, attributes in reader.tags}
    links = [str(attributes["href"]) for attributes in reader.all("a")]
    assert len(links) == 12
    assert all(link.removeprefix("#") in anchors for link in links)


def test_page_is_small_and_loads_nothing(page: str) -> None:
    assert 100_000 < len(page.encode()) < MAX_BYTES
    assert not re.search(r"https?:|//[a-z]|@import|url\(|<script", page, re.IGNORECASE)
    for _, attributes in read(page).tags:
        for name in ("src", "href"):
            assert str(attributes.get(name, "#")).startswith(("#", "data:"))
    for picture in pictures_of(page):
        # Namespaces are names; nothing fetches them.
        bare = re.sub(r'xmlns(:xlink)?="[^"]*"|<!DOCTYPE[^>]*>', "", picture)
        assert "http" not in bare


def test_no_user_id_is_anywhere_in_the_page(data: EvaluationData, page: str) -> None:
    users = set(data.predictions["user_id"])
    for text in (page, *pictures_of(page)):
        assert not users & set(re.findall(r"uid\w+", text))
        assert "uid7" not in text


def test_every_picture_has_a_text_and_every_table_a_caption(page: str) -> None:
    reader = read(page)
    assert len(reader.all("img")) >= 12
    assert all(len(str(image["alt"])) > 20 for image in reader.all("img"))
    assert len(reader.all("table")) == len(reader.all("caption")) >= 10
    assert all(header.get("scope") in ("row", "col") for header in reader.all("th"))


def test_page_is_the_same_when_rows_come_in_another_order(data: EvaluationData, page: str) -> None:
    shuffled = {
        name: getattr(data, name).sample(frac=1, random_state=1)
        for name in ("predictions", "figures", "importance", "features", "timelines")
    }
    assert render_evaluation(replace(data, **shuffled)) == page


def test_texts_are_escaped(data: EvaluationData) -> None:
    empty = build_page(without_rows(data))
    page = draw_page(replace(empty, answer="<script>alert(1)</script>"))
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_answer_comes_first_with_rule_and_chance(data: EvaluationData) -> None:
    changed = with_figure(data, "capture_10", value=0.36, low=0.33, high=0.39)
    changed = with_figure(changed, "capture_10", model="rule", value=0.22, low=0.2, high=0.24)
    assert answer(changed) == (
        "The model finds 36 of 100 cancellers among the tenth of users it ranks highest; the "
        "simple rule finds 22, a random choice 10."
    )


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.02, 0.26, "interval +2.0 to +26): significantly better."),
        (-0.03, 0.26, "no significant difference"),
        (-0.2, -0.03, "use the rule"),
    ],
)
def test_lead_over_the_rule_is_judged_by_its_interval(
    data: EvaluationData, low: float, high: float, expected: str
) -> None:
    middle = (low + high) / 2
    changed = with_figure(data, "capture_10", versus="rule", value=middle, low=low, high=high)
    assert expected in sentences(changed)[0]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.9, 1.1, "No evidence"),
        (0.5, 0.9, "Its probabilities are too extreme"),
        (1.1, 1.5, "are too moderate"),
    ],
)
def test_probabilities_are_judged_by_the_interval_of_their_slope(
    data: EvaluationData, low: float, high: float, expected: str
) -> None:
    changed = with_figure(data, "calibration_slope", value=(low + high) / 2, low=low, high=high)
    assert expected in sentences(changed)[-1]


def test_wide_interval_and_few_cancellations_are_said(data: EvaluationData) -> None:
    changed = with_figure(data, "roc_auc", low=0.6, high=0.8, n_positive=31)
    few, wide = cautions(changed)
    assert few.startswith("Only 31 cancellations stand behind")
    assert wide.startswith("The interval of the ROC AUC, 0.600 to 0.800, is too wide")
    assert cautions(data) == ()


def test_retrospective_and_simulated_evaluations_say_so() -> None:
    found = cautions(build_evaluation(300, kind="lifetime", is_simulated=True))
    assert found[0].startswith("Retrospective. ")
    assert found[-1].startswith("The log is simulated")


def test_chance_is_weighted_as_the_figure_beside_it(data: EvaluationData) -> None:
    own = data.figure("average_precision")
    measured_rate = with_figure(data, "average_precision", model="base_rate", value=0.1234)
    assert key_figures(measured_rate)[3].beside.endswith("random 0.123")
    nan = float("nan")
    unknown = with_figure(data, "average_precision", model="base_rate", value=nan)
    share = f"random {own.n_positive / own.n:.3f}"
    assert key_figures(unknown)[3].beside.endswith(share)


def test_sections_that_count_rows_once_say_so_where_contacts_were_made() -> None:
    small = build_evaluation(300)
    weighted = replace(small, card=small.card.model_copy(update={"is_weighted": True}))

    def warned(data: EvaluationData) -> list[str]:
        return [
            section.anchor
            for section in build_page(data).sections
            for block in section.blocks
            if isinstance(block, Caution) and "Contacts may have changed" in block.text
        ]

    assert warned(small) == []
    assert warned(weighted) == ["ranking", "calibration", "segments", "mistakes", "costs"]


def test_rows_are_named_by_what_the_model_had_not_seen(page: str) -> None:
    assert "new users, training dates" in page
    assert "The model has learnt from none of these rows." in page


def test_missing_figure_is_called_too_few(data: EvaluationData) -> None:
    nan = float("nan")
    changed = with_figure(data, "capture_10", value=nan, low=nan, high=nan)
    assert answer(changed).startswith("There are too few cancellations")
    found = key_figures(changed)[0]
    assert (found.value, found.interval) == ("too few", "too few")
    ladder: Any = ladder_section(changed).blocks[1]
    texts = {row[0].text: row[3].text for row in ladder.rows}
    assert texts["LightGBM"] == "too few"
    assert texts["Simple rule"].endswith("%")


def test_page_is_written_when_there_is_nothing_to_show(data: EvaluationData) -> None:
    page = render_evaluation(without_rows(data))
    assert read(page).headings[-1] == "How to read the figures"
    assert "too few cancellations" in page


def test_page_is_written_when_nobody_cancels(data: EvaluationData) -> None:
    small = build_evaluation(300)
    nobody = small.predictions.assign(label=0)
    page = render_evaluation(replace(small, predictions=nobody))
    assert "Nobody cancelled in these rows" in page


def test_page_says_so_where_there_is_no_mistake_and_no_hit(tmp_path: Path) -> None:
    small = build_evaluation(300, threshold=1.0)
    nobody = replace(small, predictions=small.predictions.assign(label=0))
    chosen = choose_examples(nobody.primary_rows, nobody.card.threshold)
    assert chosen.empty
    timelines = read_timelines(open_local(tmp_path), chosen[["as_of", "user_id"]])
    assert [*timelines.columns] == [*small.timelines.columns]
    page = render_evaluation(replace(nobody, timelines=timelines))
    assert "There is no mistake to show." in page


def test_mistakes_name_what_sets_the_missed_apart(data: EvaluationData) -> None:
    found = mistakes_section(data).answer
    assert "Those it misses differ most from those it finds in expected sessions a day" in found


def test_savings_with_a_certain_offer_are_called_upper_bounds(data: EvaluationData) -> None:
    doubtful = replace(data, costs=data.costs.model_copy(update={"offer_success": 0.3}))
    found = [
        [block.text for block in costs_section(case).blocks if isinstance(block, Caution)]
        for case in (data, doubtful)
    ]
    assert "every saving here is an upper bound" in found[0][0]
    assert found[1] == []


def test_list_shows_the_riskiest_of_the_newest_date_by_letter(data: EvaluationData) -> None:
    table: Any = list_section(data).blocks[0]
    rows = data.primary_rows
    newest = rows[rows["as_of"] == date(2018, 11, 12)]
    highest = sorted(newest["churn_probability"], reverse=True)[:8]
    assert [row[0].text for row in table.rows] == list("NOPQRSTU")
    assert [row[1].text for row in table.rows] == [f"{100 * p:.1f}\u202f%" for p in highest]


@pytest.mark.parametrize(
    ("value", "style", "text"),
    [
        (0.7714, "score", "0.771"),
        (-0.0001, "score", "0.000"),
        (-0.02, "score", "−0.020"),
        (0.00361, "error", "0.0036"),
        (0.355, "percent", "36\u202f%"),
        (-0.05, "percent", "−5\u202f%"),
        (float("nan"), "percent", "too few"),
        (float("inf"), "score", "too few"),
    ],
)
def test_number_is_written_in_the_style_of_its_metric(value: float, style: str, text: str) -> None:
    assert number(value, style) == text


def test_interval_names_its_unit_once_and_is_empty_when_an_end_is_missing() -> None:
    assert interval(0.33, 0.39, "percent") == "33 to 39\u202f%"
    assert interval(0.33, float("nan"), "percent") == ""
    assert measured(0.3, float("nan"), 0.4, "percent") == Cell(
        "30\u202f%", "interval: too few", "number"
    )


def test_bands_are_ordered_by_their_numbers() -> None:
    bands = ["over 90 days", "30 to 90 days", "under 30 days", "unknown"]
    assert sorted(bands, key=by_numbers) == [bands[3], bands[2], bands[1], bands[0]]


def test_test_cell_is_all_rows_of_later_dates() -> None:
    cells = pd.DataFrame({"cell": ["both", "future", "new users", "training"]})
    assert in_cell(cells, "test").tolist() == [True, True, False, False]
    assert in_cell(cells, "both").tolist() == [True, False, False, False]


def test_model_card_survives_json_and_lists_what_does_not_fit(data: EvaluationData) -> None:
    assert ModelCard.from_json(data.card.model_dump_json()) == data.card
    text = data.card.model_dump_json().replace('"horizon_days"', '"horizon"')
    with pytest.raises(InputError, match=r"horizon_days: Field required; horizon: Extra inputs"):
        ModelCard.from_json(text)


def test_browser_shows_the_headings_without_a_complaint(
    chromium: str, tmp_path: Path, page: str
) -> None:
    found = read(run_chromium(chromium, tmp_path, page, "--dump-dom"))
    assert found.headings == read(page).headings


def test_browser_complains_when_a_page_wants_more_than_itself(
    chromium: str, tmp_path: Path, page: str
) -> None:
    greedy = page.replace("</main>", '<img src="other.png" alt=""></main>')
    with pytest.raises(AssertionError, match="CONSOLE"):
        run_chromium(chromium, tmp_path, greedy, "--dump-dom")


@pytest.mark.parametrize("width", [400, 1400])
def test_browser_draws_text_and_pictures(
    chromium: str, tmp_path: Path, page: str, width: int
) -> None:
    target = tmp_path / "page.png"
    run_chromium(chromium, tmp_path, page, f"--screenshot={target}", f"--window-size={width},3000")
    pixels = np.asarray(matplotlib.image.imread(target))[..., :3]
    ink = (pixels.min(axis=2) < 0.5).mean(axis=1)
    # Ink in every part of the page, and nowhere a wall of it.
    parts = pd.Series(ink).groupby(np.arange(len(ink)) // 300).mean()
    # Chromium's own windows are at least some 500 pixels wide.
    assert pixels.shape[0] == 3000
    assert width <= pixels.shape[1] <= max(width, 520)
    assert parts.between(0.0005, 0.3).all()


def test_report_names_exactly_the_figures_that_are_measured() -> None:
    assert set(METRICS) == set(METRIC_NAMES)


def test_long_curve_is_thinned_and_keeps_its_ends() -> None:
    x = np.linspace(0, 1, 5_000) ** 3
    thin_x, thin_y = thinned(Curve("lightgbm", x, 1 - x))
    assert 300 < len(thin_x) <= 401
    assert (thin_x[0], thin_x[-1], thin_y[0], thin_y[-1]) == (0, 1, 1, 0)
    assert np.diff(thin_x).max() < 0.004
    assert len(thinned(Curve("lightgbm", x[:400], x[:400]))[0]) == 400
    # Recall ends in equal values, precision falls on: its last is kept.
    assert thinned(Curve("lightgbm", np.minimum(2 * x, 1), 1 - x))[1][-1] == 0
