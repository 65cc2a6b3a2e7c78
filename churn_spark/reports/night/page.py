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
        footer=f"Run of {data.night}. Made from the monitoring tables, which hold counts and no "
        "users; the same tables give the same page.",
    )


def _reading_section() -> Section:
    return Section(
        "reading",
        "How to read it",
        "Drift means that the users, or the data delivered, differ from those the model was "
        "trained on. It does not mean that the model has become worse: only known outcomes "
        '(labels) tell that. A "night" is one daily run of the pipeline.',
        (
            Facts(
                (
                    (
                        "KS distance (D)",
                        "the Kolmogorov-Smirnov distance, the largest difference between two "
                        "cumulative distributions: 0.10 at 3 visits means that the share of users "
                        "with at most 3 visits differs by 10 percentage points",
                    ),
                    (
                        "At least",
                        "the lower end of a 95 % interval. With few users a distance can be "
                        "random, so decisions rest on this lower end",
                    ),
                    (
                        "Drifted",
                        "the lower end has reached the upper threshold and the distance has not "
                        "fallen below the lower one since, so that a figure near one threshold "
                        "doesn't raise an alarm in every run",
                    ),
                    (
                        "Champion, challenger",
                        "the model in use, and a newly trained one that may replace it",
                    ),
                    (
                        "Importance",
                        "the feature's share of all contributions to the predictions; drift of a "
                        "feature with little importance is harmless",
                    ),
                    (
                        "Not yet comparable",
                        "the log is too short, had a gap, or was too short when the model was "
                        "trained: a difference would only tell how long the log is, so it is not "
                        "judged",
                    ),
                    (
                        "Time-dependent, not judged",
                        "totals since registration grow for everybody, and some values follow the "
                        "calendar; they are shown and never judged",
                    ),
                    (
                        "Reference",
                        "the model's metric on the users that it was validated on, before it went "
                        "into use",
                    ),
                )
            ),
        ),
    )
