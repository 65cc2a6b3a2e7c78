"""What a run keeps of its validation, as files for MLflow: curves and errors, without ids."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from churn_spark.evaluation.metrics import Metrics, outcomes, precision_recall_points
from churn_spark.evaluation.treated import weights_in

_DIGITS: Final = 3


def write_validation_files(
    folder: Path, rows: pd.DataFrame, metrics: Metrics, listed: Sequence[str], title: str
) -> None:
    """Write the precision-recall curve, the metrics and the errors of one model.

    Args:
        folder: an existing one.
        rows: validation rows with `as_of`, `label`, `churn_probability`, and `weight` where they
            don't count once each; their numbers coarse.
        metrics: of these rows.
        listed: columns of `rows` to show with each error; no ids among them.
        title: of the picture.
    """
    labels, probabilities = rows["label"].to_numpy(), rows["churn_probability"].to_numpy()
    weights = weights_in(rows)
    (folder / "metrics.json").write_text(json.dumps(asdict(metrics), indent=1), encoding="utf-8")
    thresholds, precision, recall = precision_recall_points(labels, probabilities, weights)
    curve = pd.DataFrame({"threshold": thresholds, "precision": precision, "recall": recall})
    curve.to_csv(folder / "precision_recall.csv", index=False)
    base_rate = float(np.average(labels, weights=weights))
    _draw_precision_recall(curve, metrics, base_rate, title, folder / "precision_recall.png")
    outcome = outcomes(labels, probabilities, metrics.threshold)
    errors = rows.assign(outcome=outcome)[["outcome", "as_of", "churn_probability", *listed]]
    errors = errors.round({"churn_probability": _DIGITS})
    for kind in ("false positive", "false negative"):
        chosen = errors[errors["outcome"] == kind].sort_values(
            "churn_probability", ascending=kind == "false negative"
        )
        chosen.to_csv(folder / f"{kind.replace(' ', '_')}s.csv", index=False)


def _draw_precision_recall(
    curve: pd.DataFrame, metrics: Metrics, base_rate: float, title: str, path: Path
) -> None:
    figure = Figure(figsize=(5.5, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.step(curve["recall"], curve["precision"], where="post", color="#1f5a99")
    axes.axhline(base_rate, color="#888888", linestyle="--", linewidth=1)
    axes.annotate(
        f"base rate {base_rate:.3f}", (1, base_rate), ha="right", va="bottom", color="#555555"
    )
    axes.plot(metrics.recall, metrics.precision, "o", color="#c0392b")
    axes.set(
        xlabel="recall",
        ylabel="precision",
        xlim=(0, 1.02),
        ylim=(0, 1.05),
        title=f"{title}: average precision {metrics.average_precision:.3f}",
    )
    figure.savefig(path, dpi=120)
