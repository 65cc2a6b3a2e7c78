"""Pictures bear whatever names the log has: formulas, line breaks, and names without end."""

from __future__ import annotations

import base64
from datetime import date

import pytest
from matplotlib.figure import Figure

from churn_spark.reports.canvas import as_address, as_label
from churn_spark.reports.night.overlay import Mix
from churn_spark.reports.night.pictures import Bar, draw_mix, draw_timeline
from churn_spark.reports.pictures import Whisker, draw_whiskers

ODD = [r"$\foo$", "A$$", "$", r"\frac{", "x^{", "a\nb\0c\u202e", "L" * 2000, "<b>&amp;</b>"]
DAY = date(2018, 11, 30)


def text_of(figure: Figure) -> str:
    return base64.b64decode(as_address(figure).partition(",")[2]).decode()


def test_levels_are_drawn_as_they_are_and_cut() -> None:
    shares = tuple(1 / len(ODD) for _ in ODD)
    drawn = text_of(draw_mix(Mix("location", tuple(ODD), shares, shares)))
    assert r"$\foo$" in drawn
    assert "&lt;b&gt;&amp;amp;&lt;/b&gt;" in drawn
    assert "L" * 23 + "…" in drawn
    assert "L" * 24 not in drawn


def test_segments_and_alerts_are_drawn_as_they_are_and_cut() -> None:
    whiskers = [Whisker(f"location: {name}", 0.7, 0.6, 0.8, "lightgbm") for name in ODD]
    bars = [Bar(f"data: {name}", "warning", DAY, DAY) for name in ODD]
    drawn = text_of(draw_whiskers([("ROC AUC", whiskers)], reference=0.7))
    drawn += text_of(draw_timeline(bars, [(DAY, "hold")], (DAY, DAY)))
    assert drawn.count(r"$\foo$") == 2
    assert "L" * 48 not in drawn


@pytest.mark.parametrize(
    ("text", "label"),
    [("a\n b\t", "a b"), ("\0\u202e", ""), ("12345678", "12345678"), ("123456789", "1234567…")],
)
def test_label_is_one_line_of_so_many_characters(text: str, label: str) -> None:
    assert as_label(text, 8) == label
