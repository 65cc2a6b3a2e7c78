"""How well users are ranked: the ladder of models, curves, gains, and what was unseen."""

from __future__ import annotations

from churn_spark.evaluation.metrics import gains_points, precision_recall_points, roc_points
from churn_spark.reports.data import EvaluationData
from churn_spark.reports.page import Block, Cell, Picture, Section, Table
from churn_spark.reports.pictures import (
    Curve,
    Whisker,
    draw_gains,
    draw_roc_and_pr,
    draw_whiskers,
)
from churn_spark.reports.summary import CELL_MEANINGS, CELLS
from churn_spark.reports.words import METRICS, MODEL_MEANINGS, count, in_ladder_order, model_name

_LADDER_METRICS = (
    "roc_auc",
    "average_precision",
    "capture_10",
    "capture_33",
    "lift_10",
    "f1",
    "brier",
    "log_loss",
)
_DEPTHS = {0.10: "capture_10", 0.33: "capture_33"}
_NOT_DRAWN = {"base_rate"}


def ladder_section(data: EvaluationData) -> Section:
    """Every model on the same users, from guessing to the best that is possible."""
    here = data.figures[(data.figures["cell"] == data.cell) & (data.figures["segment"] == "all")]
    models = in_ladder_order(here.loc[here["versus"].fillna("") == "", "model"].unique().tolist())
    blocks: list[Block] = []
    drawn = [model for model in models if data.figure("roc_auc", model).is_known]
    if drawn:
        panels = [
            (METRICS[metric].name, [_whisker(data, metric, model) for model in drawn])
            for metric in ("roc_auc", "average_precision", "capture_10")
        ]
        blocks.append(
            Picture(
                draw_whiskers(panels, reference=0.5),
                f"ROC AUC, average precision and share found in the top tenth of {len(drawn)} "
                "models, with intervals; the table below has the values.",
                "Dots are values, lines their 95 % intervals. Overlapping lines do not mean equal "
                "models: the paired differences below do.",
            )
        )
    blocks.append(
        Table(
            f"All models on the same rows ({CELL_MEANINGS[data.cell]}), 95 % intervals by user",
            ("Model", *(METRICS[metric].name for metric in _LADDER_METRICS)),
            tuple(
                (
                    Cell(model_name(model), MODEL_MEANINGS.get(model, "")),
                    *(data.figure(metric, model).cell for metric in _LADDER_METRICS),
                )
                for model in models
            ),
            marked=frozenset(row for row, model in enumerate(models) if model == data.primary),
        )
    )
    blocks += _paired(data)
    blocks.append(_cells(data))
    return Section("ladder", "The ladder of models", _ladder_answer(data), tuple(blocks))


def curves_section(data: EvaluationData) -> Section:
    """ROC, precision-recall and gains curves of the models that rank."""
    roc, pr, gains = [], [], []
    for model in data.models:
        rows = data.rows_of(model)
        labels, probabilities = rows["label"].to_numpy(), rows["churn_probability"].to_numpy(float)
        if model in _NOT_DRAWN or not 0 < labels.sum() < len(labels):
            continue
        roc.append(Curve(model, *roc_points(labels, probabilities)))
        _, precision_at, recall_at = precision_recall_points(labels, probabilities)
        pr.append(Curve(model, recall_at[::-1], precision_at[::-1]))
        gains.append(Curve(model, *gains_points(labels, probabilities)))
    own = data.figure("roc_auc")
    precision = data.figure("average_precision")
    if not roc:
        text = "There are no rows with both cancellers and stayers: no curve can be drawn."
        return Section("ranking", "Ranking", text, ())
    found = [
        f"the top {depth:.0%} hold {figure.text} of the cancellers ({figure.interval})".replace(
            "%", "\u202f%", 1
        )
        for depth, metric in _DEPTHS.items()
        if (figure := data.figure(metric)).is_known
    ]
    whiskers = [
        (depth, _whisker(data, metric, model))
        for depth, metric in _DEPTHS.items()
        for model in (data.primary, "rule")
        if data.figure(metric, model).is_known
    ]
    rows = data.rows_of(data.primary)
    base_rate = float(rows["label"].mean()) if len(rows) else 0.0
    blocks: tuple[Block, ...] = (
        Picture(
            draw_gains(gains, whiskers),
            "Gains curves: share of cancellers found by share of users contacted. "
            + "; ".join(found),
            "How much of the list has to be worked through to find how many cancellers. Dots and "
            "bars: measured at a tenth and at a third, with 95 % intervals. Grey: contacting at "
            "random.",
        ),
        Picture(
            draw_roc_and_pr(roc, pr, base_rate),
            f"ROC curves (area {own.text}, {own.interval}) and precision-recall curves (average "
            f"precision {precision.text}, {precision.interval}) of {len(roc)} models.",
            f"{model_name(data.primary)}: ROC AUC {own.text} ({own.interval}), average precision "
            f"{precision.text} ({precision.interval}). Grey lines are guessing; precision starts "
            "from few users on the left and is jumpy there.",
        ),
    )
    sentence = "; ".join(found)
    return Section(
        "ranking",
        "Ranking",
        f"{sentence[:1].upper()}{sentence[1:]}." if found else "Too few cancellations to tell.",
        blocks,
    )


def _whisker(data: EvaluationData, metric: str, model: str) -> Whisker:
    figure = data.figure(metric, model)
    return Whisker(model_name(model), figure.value, figure.low, figure.high, model)


def _ladder_answer(data: EvaluationData) -> str:
    lead = data.figure("roc_auc", versus="logistic_regression")
    if not lead.is_known:
        return "All models on the same users and dates, from the simplest on."
    if lead.low > 0:
        verdict = f"is ahead of logistic regression by {lead.text} of ROC AUC"
    elif lead.high < 0:
        verdict = f"is behind logistic regression, {lead.text} of ROC AUC"
    else:
        verdict = f"does not differ significantly from logistic regression: {lead.text} of ROC AUC"
    return f"{model_name(data.primary)} {verdict} (paired 95 % interval {lead.interval})."


def _paired(data: EvaluationData) -> list[Block]:
    """Differences to other models on the same users; nothing where none were measured."""
    metrics = ("roc_auc", "average_precision", "capture_10", "capture_33")
    others = in_ladder_order(
        [
            versus
            for versus in data.figures["versus"].fillna("").unique()
            if any(data.figure(metric, versus=versus).n for metric in metrics) and versus
        ]
    )
    if not others:
        return []
    return [
        Table(
            f"{model_name(data.primary)} minus each other model, paired: the same users drawn "
            "for both",
            ("Against", "Verdict on ROC AUC", *(METRICS[metric].name for metric in metrics)),
            tuple(
                (
                    Cell(model_name(versus)),
                    Cell(_verdict(data, versus)),
                    *(data.figure(metric, versus=versus).cell for metric in metrics),
                )
                for versus in others
            ),
            note="Differences of shares are in percentage points: 14 % means 14 more of 100 "
            "cancellers.",
        )
    ]


def _verdict(data: EvaluationData, versus: str) -> str:
    lead = data.figure("roc_auc", versus=versus)
    if not lead.is_known:
        return "too few"
    return "better" if lead.low > 0 else "worse" if lead.high < 0 else "no significant difference"


def _cells(data: EvaluationData) -> Table:
    """The primary model by what it had not seen."""
    metrics = ("roc_auc", "average_precision", "capture_10", "capture_33")
    rows = []
    for cell in data.cells:
        auc = data.figure("roc_auc", cell=cell)
        name = CELLS.get(cell, cell)
        rows.append(
            (
                Cell(name, CELL_MEANINGS.get(cell, "")),
                count(auc.n),
                count(auc.n_positive),
                *(data.figure(metric, cell=cell).cell for metric in metrics),
            )
        )
    return Table(
        f"{model_name(data.primary)} by which users and dates were not used for training",
        ("Rows", "n", "Cancel", *(METRICS[metric].name for metric in metrics)),
        tuple(rows),
        marked=frozenset({0}),
        note="The model has learnt from none of these rows. Nightly scores are of later dates, "
        "mostly of users that it knows.",
    )
