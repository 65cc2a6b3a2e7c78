"""The evaluation of one backtest as one HTML page that needs nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from churn_spark.reports.calibration import calibration_section, segments_section
from churn_spark.reports.card import ModelCard, card_section
from churn_spark.reports.data import EvaluationData
from churn_spark.reports.explanation import importance_section, list_section
from churn_spark.reports.html import draw_page
from churn_spark.reports.leaving import leaving_section
from churn_spark.reports.mistakes import mistakes_section
from churn_spark.reports.money import costs_section
from churn_spark.reports.page import Block, Caution, Facts, Page, Section
from churn_spark.reports.ranking import curves_section, ladder_section
from churn_spark.reports.staying import (
    MAY_BE_KEPT,
    describe_staying,
    draw_staying,
    tabulate_staying,
)
from churn_spark.reports.summary import (
    CELL_MEANINGS,
    answer,
    cautions,
    key_figures,
    sentences,
)
from churn_spark.reports.words import METRICS, dates_in_words
from churn_spark.wording import count_of

_PANELS: Final = (("By subscription", "level="), ("By time since registration", "tenure_band="))


def render_evaluation(data: EvaluationData) -> str:
    """The evaluation as HTML text: style and pictures inside, no script, nothing loaded."""
    return draw_page(build_page(data))


def build_page(data: EvaluationData) -> Page:
    """What the page says, before it is drawn."""
    card, auc = data.card, data.figure("roc_auc")
    return Page(
        title="Churn model evaluation",
        subtitle=f"Model: {card.model_version}. Tested as of {dates_in_words(card.test_dates)} on "
        f"{count_of(auc.n, 'row')}, one for each user and date ({CELL_MEANINGS[data.cell]}); "
        f"{count_of(auc.n_positive, 'cancels', 'cancel')}.",
        answer=answer(data),
        sentences=sentences(data),
        key_figures=key_figures(data),
        cautions=cautions(data),
        sections=(
            ladder_section(data),
            _each_once(curves_section(data), card),
            *((leaving_section(data, card.leaving),) if card.leaving else ()),
            *((_staying_section(data),) if data.staying else ()),
            *(
                _each_once(make(data), card)
                for make in (
                    calibration_section,
                    segments_section,
                    mistakes_section,
                    costs_section,
                )
            ),
            importance_section(data),
            list_section(data),
            card_section(card),
            _reading_section(),
        ),
        footer=f"Run {card.run_id}. Made from the tables of the backtest; the same tables give "
        "the same page.",
    )


def _each_once(section: Section, card: ModelCard) -> Section:
    """The section, which takes the rows as they are, with a word on that where figures don't."""
    if not card.is_weighted:
        return section
    caution = Caution(
        "Contacts may have changed outcomes. Metrics leave out whom a list named and count the "
        "withheld for them; curves, shares and costs of this section count each remaining row "
        "once, so they show fewer users of high risk than there are."
    )
    return replace(section, blocks=(caution, *section.blocks))


def _staying_section(data: EvaluationData) -> Section:
    everybody, *parts = data.staying
    who = f"first seen as of {dates_in_words(data.card.test_dates)}"
    blocks: list[Block] = [
        *([MAY_BE_KEPT] if data.are_contacted else []),
        draw_staying(data.staying, _PANELS, who),
        tabulate_staying([everybody], f"Still there after so many days, of users {who}"),
    ]
    if parts:
        caption = "The same of parts of the users"
        blocks.append(tabulate_staying(parts, caption, "By subscription and registration"))
    answer = describe_staying(everybody, who)
    return Section("staying", "How long users stay", answer, tuple(blocks))


def _reading_section() -> Section:
    return Section(
        "reading",
        "How to read the figures",
        "Every figure is followed by its 95 % interval, from drawing users with replacement: a "
        "user comes with all of its rows. “Too few” stands where there are not enough "
        "cancellations for a figure.",
        (Facts(tuple((metric.name, metric.meaning) for metric in METRICS.values())),),
    )
