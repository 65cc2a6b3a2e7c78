"""What is said of who leaves, where churn is no cancel."""

from __future__ import annotations

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from churn_spark.churn_words import (
    describe_prediction,
    in_words,
    meaning,
    page_in_words,
    speaking_of,
)
from churn_spark.pipeline.console import closing_line
from churn_spark.reports.canvas import as_address
from churn_spark.reports.html import draw_page
from churn_spark.reports.page import Page, Section
from churn_spark.reports.page import Text as Paragraph
from churn_spark.serving.page_parts import sign_in_page

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("churn", "said"),
    [
        ("cancel", "12 cancels; who cancelled, is cancelling or may cancel. Cancellers: 3 %"),
        ("inactivity", "12 churns; who churned, is churning or may churn. Leavers: 3 %"),
        ("lapse", "12 lapses; who lapsed, is lapsing or may lapse. Leavers: 3 %"),
    ],
)
def test_sentences_say_what_churn_is(churn: str, said: str) -> None:
    with speaking_of(churn):
        assert (
            in_words("12 cancels; who cancelled, is cancelling or may cancel. Cancellers: 3 %")
            == said
        )
        assert bool(meaning()) is (churn != "cancel")
    assert in_words("cancels") == "cancels"


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ({"gap_days": 1}, "The chance to cancel in the 14 days that begin 1 day after the list's"),
        ({"gap_days": 0}, "The chance to cancel in the 14 days that begin on the list's date."),
        (
            {"gap_days": 2, "churn": "inactivity"},
            "The chance to churn in the 14 days that begin 2 days after the list's date: churned "
            "is who has no event in that time.",
        ),
        ({"kind": "lifetime"}, "Whether a user has ever cancelled: this describes the past."),
    ],
)
def test_prediction_is_said_by_its_label(label: dict[str, object], said: str) -> None:
    assert describe_prediction({"kind": "horizon", "horizon_days": 14} | label).startswith(said)


def test_names_of_pages_columns_and_keys_stay() -> None:
    text = "visits of Cancel, Cancellation Confirmation, n_cancels, costs.missed_cancel, `cancel`"
    with speaking_of("lapse"):
        assert in_words(text) == text
        assert in_words("a cancellation costs 10, two cancellations 20.") == (
            "a departure costs 10, two departures 20."
        )
        tags = '<a class="cancel" href="#cancels">cancels</a><p aria-label="who cancels">'
        expected = '<a class="cancel" href="#cancels">lapses</a><p aria-label="who lapses">'
        assert page_in_words(tags) == expected


def test_lines_pages_and_pictures_are_said_so(capsys: pytest.CaptureFixture[str]) -> None:
    figure = Figure()
    figure.subplots().set_xlabel("share of cancellers")
    section = Section("a", "Who cancels", "They cancelled.", (Paragraph("No cancellation."),))
    page = Page(
        title="Cancels", subtitle="of cancels", answer="", sentences=(), key_figures=(),
        cautions=(), sections=(section,), footer="",
    )  # fmt: skip
    with speaking_of("inactivity"):
        with closing_line("train_model") as facts:
            facts.append("3 cancels")
        as_address(figure)
        drawn = draw_page(page)
        signed = sign_in_page("").decode()
    assert "3 churns" in capsys.readouterr().out
    assert "share of leavers" in [text.get_text() for text in figure.findobj(Text)]
    assert "cancel" not in drawn.lower().replace("class=", "")
    assert "Who is about to churn" in signed
