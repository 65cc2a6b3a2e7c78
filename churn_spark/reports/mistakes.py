"""Where the model is wrong: misses and false alarms beside the right answers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from churn_spark.evaluation.examples import Example, choose_examples, letter_examples
from churn_spark.evaluation.mistakes import (
    ALARMS_AGAINST_LEFT_ALONE,
    FALSE_ALARM,
    FOUND,
    LEFT_ALONE,
    MISSED,
    MISSED_AGAINST_FOUND,
    ErrorAnalysis,
    analyse_errors,
)
from churn_spark.models.reasons import read_reasons
from churn_spark.reports.data import EvaluationData, by_numbers
from churn_spark.reports.page import Block, Cell, Heading, Picture, Section, Table, Text
from churn_spark.reports.pictures import draw_timeline
from churn_spark.reports.words import SEGMENT_NAMES, count, measured, percent
from churn_spark.wording import count_of

OUTCOMES = {
    FOUND: "found: flagged and cancelled",
    MISSED: "missed: cancelled without being flagged",
    FALSE_ALARM: "false alarm: flagged and stayed",
    LEFT_ALONE: "left alone: neither flagged nor cancelled",
}


def mistakes_section(data: EvaluationData) -> Section:
    """The mistakes at the card's threshold."""
    rows = data.primary_rows
    if rows.empty:
        text = "There are no rows of the primary model to look at."
        return Section("mistakes", "Mistakes", text, ())
    threshold = data.card.threshold
    numeric = [
        name
        for name in data.features.columns
        if name not in ("as_of", "user_id") and pd.api.types.is_numeric_dtype(data.features[name])
    ]
    with_kinds = rows.assign(first_reason=rows["reason_fields"].map(_first_kind))
    found = analyse_errors(with_kinds, threshold, list(SEGMENT_NAMES), numeric)
    meanings = dict(zip(data.importance["feature"], data.importance["meaning"], strict=True))
    examples = letter_examples(choose_examples(rows, threshold), data.timelines)
    blocks: list[Block] = [
        Text(
            f"A user is flagged from a probability of {threshold:.3g} upwards "
            f"({data.card.threshold_reason}). Flagging more users trades misses for false alarms; "
            "the cost section weighs one against the other."
        ),
        _counts(found),
        Heading("Which users"),
        _segments(found),
        Heading("Which behaviour"),
        _differences(
            found,
            meanings,
            MISSED_AGAINST_FOUND,
            "Missed cancellers compared with those found",
        ),
        _differences(
            found,
            meanings,
            ALARMS_AGAINST_LEFT_ALONE,
            "False alarms compared with stayers who were not flagged",
        ),
        Heading("Which reasons"),
        _reasons(found),
        Heading("A few whole examples"),
        *_examples(examples),
    ]
    return Section("mistakes", "Mistakes", _answer(found, meanings), tuple(blocks))


def _first_kind(several: Sequence[Mapping[str, Any]] | None) -> str | None:
    """The kind of a row's first reason; none where it has none, or only sentences."""
    first = next(iter(read_reasons(several)), None)
    return None if first is None else first.kind


def _answer(found: ErrorAnalysis, meanings: dict[str, str]) -> str:
    counts = found.counts
    n_cancels, n_flagged = counts[FOUND] + counts[MISSED], counts[FOUND] + counts[FALSE_ALARM]
    if not n_cancels:
        return "Nobody cancelled in these rows: there is nothing to miss."
    text = (
        f"At the chosen threshold the model misses {counts[MISSED]:,} of "
        f"{count_of(n_cancels, 'cancellation')}, and of {count_of(n_flagged, 'user')} it flags "
        f"{count_of(counts[FALSE_ALARM], 'stays', 'stay')}."
    )
    missed = found.differences[found.differences["comparison"] == MISSED_AGAINST_FOUND]
    if len(missed) and not missed["low"].iloc[0] <= 0 <= missed["high"].iloc[0]:
        first = missed.iloc[0]
        feature = str(first["feature"])
        return (
            f"{text} Those it misses differ most from those it finds in "
            f"{meanings.get(feature, feature)}: {first['mean_wrong']:,.3g} against "
            f"{first['mean_right']:,.3g} on average."
        )
    return text


def _counts(found: ErrorAnalysis) -> Table:
    total = sum(found.counts.values())
    return Table(
        "What became of the rows",
        ("Outcome", "Rows", "Share"),
        tuple(
            (Cell(OUTCOMES[name]), count(n), Cell(percent(n / total, 1), tone="number"))
            for name, n in found.counts.items()
        ),
    )


def _segments(found: ErrorAnalysis) -> Table:
    order = list(SEGMENT_NAMES)
    return Table(
        "Misses among cancellers and false alarms among stayers, by segment, 95 % intervals",
        ("Segment", "Users", "Cancel", "Missed", "Stay", "False alarms"),
        tuple(
            (
                Cell(f"{SEGMENT_NAMES[row['segment']]}: {row['value']}"),
                count(row["n_users"]),
                count(row["n_cancels"]),
                measured(row["miss_rate"], row["miss_low"], row["miss_high"], "percent"),
                count(row["n_stays"]),
                measured(row["alarm_rate"], row["alarm_low"], row["alarm_high"], "percent"),
            )
            for row in sorted(
                found.segments.to_dict("records"),
                key=lambda row: (order.index(row["segment"]), by_numbers(row["value"])),
            )
        ),
        note="Where many cancel, many are flagged: a segment with few misses tends to have many "
        "false alarms.",
    )


def _differences(
    found: ErrorAnalysis, meanings: dict[str, str], comparison: str, caption: str
) -> Table | Text:
    own = found.differences[found.differences["comparison"] == comparison]
    if own.empty:
        return Text(f"{caption}: too few of one kind to compare.")
    rows = []
    for row in own.to_dict("records"):
        is_chance = row["low"] <= 0 <= row["high"]
        rows.append(
            (
                Cell(meanings.get(row["feature"], row["feature"].replace("_", " "))),
                _plain(row["mean_wrong"]),
                _plain(row["mean_right"]),
                Cell(
                    f"{row['difference']:+.2f}".replace("-", "−"),
                    f"{row['low']:+.2f} to {row['high']:+.2f}".replace("-", "−"),
                    "number",
                ),
                Cell("not significant" if is_chance else "higher" if row["low"] > 0 else "lower"),
            )
        )
    sides = (
        ("Mean, missed", "Mean, found")
        if comparison == MISSED_AGAINST_FOUND
        else ("Mean, false alarms", "Mean, not flagged")
    )
    return Table(
        caption,
        ("Feature", *sides, "Difference in standard deviations", "Reading"),
        tuple(rows),
        note="The largest differences of all features are shown, so some are large at random. "
        "Features that the model uses differ here by design, because users are flagged by them.",
    )


def _reasons(found: ErrorAnalysis) -> Table | Text:
    """Kinds of first reasons, each with its share of every outcome; the most frequent first."""
    shares = found.reasons.pivot_table(index="reason", columns="outcome", values="share")
    if shares.empty:
        return Text("The evaluation kept no reasons with their fields.")
    shares = shares.reindex(columns=list(OUTCOMES)).fillna(0.0)
    shares = shares.loc[shares.max(axis=1).sort_values(ascending=False, kind="stable").index]
    return Table(
        "First reasons: share of the rows of each outcome",
        ("Reason", *(name.partition(":")[0].capitalize() for name in OUTCOMES.values())),
        tuple(
            (Cell(str(reason)), *(Cell(percent(share), tone="number") for share in row))
            for reason, row in zip(shares.index, shares.to_numpy(), strict=True)
        ),
        note="Numbers are left out of the reasons. A reason that is frequent among false alarms "
        "and rare among found cancellers misleads.",
    )


def _examples(examples: tuple[Example, ...]) -> list[Block]:
    if not examples:
        return [Text("There is no mistake to show.")]
    blocks: list[Block] = [
        Text(
            "Letters stand for users; no id and no date is shown. Each line is the four weeks "
            "before the prediction: bars are songs a day, squares adverts, triangles visits to the "
            "Downgrade page."
        )
    ]
    most_songs = max((day.n_songs for e in examples for day in e.days), default=0) or 1
    for example in examples:
        reasons = f" Reasons: {'; '.join(example.reasons)}." if example.reasons else ""
        blocks.append(
            Picture(
                draw_timeline(example, most_songs),
                _in_words(example),
                f"User {example.letter}, {OUTCOMES[example.outcome]}. The model said "
                f"{percent(example.churn_probability, 1)}. {_in_words(example)}{reasons}",
            )
        )
    return blocks


def _in_words(example: Example) -> str:
    days = example.days
    if not days:
        return "No activity in the four weeks."
    totals = (
        count_of(sum(day.n_sessions for day in days), "session"),
        count_of(sum(day.n_songs for day in days), "song"),
        count_of(sum(day.n_adverts for day in days), "advert"),
        count_of(
            sum(day.n_downgrades for day in days), "visit to Downgrade", "visits to Downgrade"
        ),
    )
    counts = ", ".join(totals)
    return f"Active on {len(days)} of 28 days: {counts}."


def _plain(value: float) -> Cell:
    if not math.isfinite(value):
        return Cell("too few", tone="number quiet")
    return Cell(f"{value:,.4g}".replace("-", "−"), tone="number")
