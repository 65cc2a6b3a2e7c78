"""Whether probabilities mean what they say, for everybody and for each part of the users."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from churn_spark.evaluation.reliability import N_BINS, reliability_bins, wilson_interval
from churn_spark.reports.data import EvaluationData
from churn_spark.reports.page import Block, Cell, Picture, Section, Table
from churn_spark.reports.pictures import Whisker, draw_reliability, draw_whiskers
from churn_spark.reports.words import METRICS, SEGMENT_NAMES, count, measured, model_name, number

_CALIBRATION_METRICS = (
    "calibration_error",
    "calibration_slope",
    "calibration_intercept",
    "brier",
    "log_loss",
)


def calibration_section(data: EvaluationData) -> Section:
    """Predicted against observed shares."""
    rows = data.primary_rows
    blocks: list[Block] = []
    if rows["label"].sum():
        labels, probabilities = rows["label"].to_numpy(), rows["churn_probability"].to_numpy(float)
        # About ten cancellers to each: fewer have intervals as wide as the picture.
        n_bins = int(np.clip(labels.sum() // 10, 4, N_BINS))
        bins = reliability_bins(labels, probabilities, rows["user_id"].to_numpy(), n_bins)
        n_bins = len(bins.n)
        inside = int(np.sum((bins.low <= bins.predicted) & (bins.predicted <= bins.high)))
        blocks.append(
            Picture(
                draw_reliability(bins, probabilities),
                f"Observed against predicted shares in {n_bins} groups of equal size; {inside} "
                "of the intervals hold the diagonal.",
                f"Each dot is one of {n_bins} groups of equal size, with its 95 % interval; on "
                f"the dashed line predicted and observed are equal. {inside} of {n_bins} "
                "intervals hold it. Below: how many users have which probability.",
            )
        )
    models = [
        model
        for model in data.models
        if any(data.figure(metric, model).n for metric in _CALIBRATION_METRICS)
    ]
    blocks.append(
        Table(
            "Calibration of every model, 95 % intervals by user",
            ("Model", *(METRICS[metric].name for metric in _CALIBRATION_METRICS)),
            tuple(
                (
                    Cell(model_name(model)),
                    *(data.figure(metric, model).cell for metric in _CALIBRATION_METRICS),
                )
                for model in models
            ),
            marked=frozenset(row for row, model in enumerate(models) if model == data.primary),
        )
    )
    return Section("calibration", "Calibration", _calibration_answer(rows), tuple(blocks))


def segments_section(data: EvaluationData) -> Section:
    """Each part of the users apart: how many cancel, what was predicted, how well it ranks."""
    parts = list(data.segments())
    if not parts:
        text = "The evaluation has no figures by segment."
        return Section("segments", "Segments", text, ())
    known = [part for part in parts if data.figure("roc_auc", segment="=".join(part)).is_known]
    overall = data.figure("roc_auc")
    blocks: list[Block] = []
    if known:
        whiskers = []
        for segment, value in known:
            figure = data.figure("roc_auc", segment=f"{segment}={value}")
            name = f"{SEGMENT_NAMES[segment]}: {value}"
            whiskers.append(Whisker(name, figure.value, figure.low, figure.high, data.primary))
        blocks.append(
            Picture(
                draw_whiskers([("ROC AUC", whiskers)], reference=overall.value),
                f"ROC AUC with interval in {len(known)} segments against {overall.text} for all.",
                f"Dashed: all users, {overall.text}. Segments with too few cancellations are "
                "left out here and marked in the table.",
            )
        )
    blocks.append(_segment_table(data, parts))
    return Section("segments", "Segments", _segments_answer(data, parts), tuple(blocks))


def _calibration_answer(rows: pd.DataFrame) -> str:
    if not len(rows):
        return "There are no rows to compare."
    observed, predicted = float(rows["label"].mean()), float(rows["churn_probability"].mean())
    n_users = rows["user_id"].nunique()
    low, high = wilson_interval(observed * n_users, n_users)
    verdict = "within" if low <= predicted <= high else "outside"
    return (
        f"On average the model expected {100 * predicted:.1f} of 100 users to cancel, {verdict} "
        f"the interval of what happened: {100 * observed:.1f} ({100 * low:.1f} to "
        f"{100 * high:.1f})."
    )


def _segment_table(data: EvaluationData, parts: list[tuple[str, str]]) -> Table:
    rows, table = data.primary_rows, []
    for segment, value in parts:
        name = f"{segment}={value}"
        part = rows[rows[segment].fillna("unknown").astype(str) == value]
        auc = data.figure("roc_auc", segment=name)
        observed, predicted = (
            float(part[column].mean()) if len(part) else math.nan
            for column in ("label", "churn_probability")
        )
        n_users = part["user_id"].nunique()
        low, high = wilson_interval(observed * n_users, n_users)
        table.append(
            (
                Cell(f"{SEGMENT_NAMES[segment]}: {value}"),
                count(auc.n),
                count(auc.n_positive),
                measured(observed, float(low), float(high), "percent"),
                Cell(number(predicted, "percent"), tone="number"),
                auc.cell,
                data.figure("average_precision", segment=name).cell,
                data.figure("capture_10", segment=name).cell,
            )
        )
    return Table(
        f"{model_name(data.primary)} in each segment, 95 % intervals",
        (
            "Segment",
            "Rows",
            "Cancel",
            "Share that cancels",
            "Predicted",
            *(METRICS[m].name for m in ("roc_auc", "average_precision", "capture_10")),
        ),
        tuple(table),
        note="The top tenth is that of the segment's own ranking. Gender is here to see whether "
        "the model serves all alike; it is an input only where that was switched on.",
    )


def _segments_answer(data: EvaluationData, parts: list[tuple[str, str]]) -> str:
    overall = data.figure("roc_auc")
    known = {
        f"{SEGMENT_NAMES[segment]}: {value}": data.figure("roc_auc", segment=f"{segment}={value}")
        for segment, value in parts
    }
    known = {name: figure for name, figure in known.items() if figure.is_known}
    if not known or not overall.is_known:
        return "Too few cancellations in the segments to compare them."
    apart = [
        f"{name} ({figure.text}, {figure.interval})"
        for name, figure in known.items()
        if not figure.low <= overall.value <= figure.high
    ]
    if not apart:
        return (
            f"In none of the {len(known)} segments with enough cancellations does the interval of "
            f"the ROC AUC leave out the value for all, {overall.text}."
        )
    return (
        f"Away from the ROC AUC of all users, {overall.text}: {'; '.join(apart)}. "
        f"Of {len(known)} intervals one in twenty misses by chance."
    )
