"""The monitoring of one night as one HTML page that needs nothing else."""

from __future__ import annotations

from churn_spark.reports.html import draw_page
from churn_spark.reports.night.data import NightData
from churn_spark.reports.night.decision import alerts_section, checks_section, decision_section
from churn_spark.reports.night.drift import features_section, history_section, shapes_section
from churn_spark.reports.night.effect import effect_sections
from churn_spark.reports.night.joint import joint_section
from churn_spark.reports.night.lengths import lengths_sections
from churn_spark.reports.night.performance import performance_section
from churn_spark.reports.night.summary import answer, cautions, key_figures, sentences, subtitle
from churn_spark.reports.night.survival import survival_sections
from churn_spark.reports.night.timeline import timeline_section
from churn_spark.reports.page import Facts, Page, Section


def render_night(data: NightData) -> str:
    """The night as HTML text: style and pictures inside, no script, nothing loaded."""
    return draw_page(build_page(data))


def build_page(data: NightData) -> Page:
    """What the page says, before it is drawn."""
    return Page(
        title="Churn model monitoring",
        subtitle=subtitle(data),
        answer=answer(data),
        sentences=sentences(data),
        key_figures=key_figures(data),
        cautions=cautions(data),
        sections=(
            decision_section(data),
            checks_section(data),
            alerts_section(data),
            features_section(data),
            shapes_section(data),
            history_section(data),
            joint_section(data),
            performance_section(data),
            *effect_sections(data),
            *lengths_sections(data),
            *survival_sections(data),
            timeline_section(data),
            _reading_section(),
        ),
        footer=f"Night of {data.night}. Made from the monitoring tables, which hold counts and no "
        "users; the same tables give the same page.",
    )


def _reading_section() -> Section:
    return Section(
        "reading",
        "How to read it",
        "Drift says that the users, or the feed, are not those the model learnt from. It does not "
        "say that the model has become worse: only labels can.",
        (
            Facts(
                (
                    (
                        "D",
                        "the largest difference between two distributions, in the share of users "
                        "up to some value: D 0.10 at 3 visits means that 10 of 100 users more, or "
                        "fewer, have 3 visits or less",
                    ),
                    (
                        "Surely",
                        "the lower end of a 95 % interval: with few users chance alone moves D, "
                        "so the policy asks what D surely is",
                    ),
                    (
                        "Moved",
                        "entered at the upper threshold and not yet below the lower one, so that "
                        "a figure near one line doesn't raise an alarm every night",
                    ),
                    (
                        "Importance",
                        "share of what moves the champion's scores; what it hardly looks at may "
                        "move without harm",
                    ),
                    (
                        "Not yet comparable",
                        "the log is too young, had a gap, or was too young when the model was "
                        "trained: windows weren't full then, so a difference would tell how long "
                        "the log is; it counts nowhere",
                    ),
                    (
                        "By construction",
                        "totals since registration grow for everybody; they are shown and never "
                        "judged",
                    ),
                    (
                        "Reference",
                        "the champion's metric on the users that it was validated on, before it "
                        "came into use",
                    ),
                )
            ),
        ),
    )
