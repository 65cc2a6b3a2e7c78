"""What is said of compared models, beside what is promised of them."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from bench.expected_metrics import ExpectedMetrics
from bench.promises import holds
from bench.tested_models import Comparison
from bench.worlds import PAGE_CHANCES, PERSONAS
from churn_spark.evaluation.backtest import PRIMARY
from churn_spark.evaluation.bootstrap import bootstrap_by_user
from churn_spark.pipeline.backtest_models import BacktestResult

RULES = "true rules"
"""Whoever knows the rules by which interest fades, and reads the log."""
_COLUMNS = (
    *("model", "AUC", "share", "AP", "share", "of personas'"),
    *("at 10 %", "at 33 %", "error", "slope"),
)
_CAPTION = (
    "share: of the AUC above chance and of the AP that the true probabilities reach; of personas': "
    "the same against who knows every user's persona; at 10 %, at 33 %: cancels found among the "
    "users ranked highest; error, slope: of the calibration"
)
console = Console(width=118)


def shares_of(one: ExpectedMetrics, best: ExpectedMetrics) -> tuple[float, float]:
    """What a model has of the AUC above chance, and of the AP, of another."""
    auc = (one.roc_auc - 0.5) / (best.roc_auc - 0.5)
    return auc, one.average_precision / best.average_precision


def say_comparison(title: str, figures: Comparison) -> None:
    """Print the models with their shares of what the truth reaches."""
    table = Table(*_COLUMNS, title=title, caption=_CAPTION)
    reference = figures.get(PERSONAS)
    for name, one in figures.items():
        shares = shares_of(one, reference) if reference else ()
        table.add_row(
            name, f"{one.roc_auc:.4f}", f"{one.roc_auc_share:.3f}",
            f"{one.average_precision:.4f}", f"{one.average_precision_share:.3f}",
            ", ".join(f"{share:.3f}" for share in shares),
            f"{one.capture_10:.3f}", f"{one.capture_33:.3f}", f"{one.calibration_error:.4f}",
            f"{one.calibration_slope:.3f}",
        )  # fmt: skip
    console.print(table)


def say_shares(
    figures: Comparison,
    least_auc: float,
    least_precision: float,
    least_of_oracle: float | None = None,
) -> None:
    """Compare the primary model with what is promised of it.

    Against who knows every user's persona; and against the true probabilities, which are out of
    reach of whatever reads the log. Beside these stands how near the same inference comes to them
    when it is told the true page chances.

    Args:
        figures: of all models.
        least_auc: of the AUC above chance of who knows every user's persona.
        least_precision: of their AP.
        least_of_oracle: of the AUC above chance of the true probabilities; none: not promised.
    """
    one, told = figures[PRIMARY], figures[PAGE_CHANCES]
    auc, precision = shares_of(one, figures[PERSONAS])
    console.print(
        f"  against who knows every user's persona: {auc:.3f} of the AUC above chance (at least "
        f"{least_auc}: {holds(auc >= least_auc)}), {precision:.3f} of the AP (at least "
        f"{least_precision}: {holds(precision >= least_precision)})"
    )
    share, promise = one.roc_auc_share, ""
    if least_of_oracle is not None:
        promise = f" (at least {least_of_oracle}: {holds(share >= least_of_oracle)})"
    console.print(
        f"  against the true probabilities: {share:.3f} of the AUC above chance{promise}, "
        f"{one.average_precision_share:.3f} of the AP; the product's own inference, told the true "
        f"page chances, has {told.roc_auc_share:.3f} and {told.average_precision_share:.3f}"
    )


def say_reached(figures: Comparison, least_auc: float, least_precision: float) -> None:
    """Compare the primary model with who knows the rules by which interest fades."""
    auc, precision = shares_of(figures[PRIMARY], figures[RULES])
    console.print(
        f"  against who knows how interest fades, but must read users off the log: {auc:.3f} of "
        f"the AUC above chance (at least {least_auc}: {holds(auc >= least_auc)}), {precision:.3f} "
        f"of the AP (at least {least_precision}: {holds(precision >= least_precision)})"
    )


def say_calibration(one: ExpectedMetrics) -> None:
    """Compare the primary model's calibration with what is promised."""
    slope, error = one.calibration_slope, one.calibration_error
    console.print(
        f"  calibration error {error:.4f} (at most .006: {holds(error <= 0.006)}), slope "
        f"{slope:.3f} (.95 to 1.05: {holds(0.95 <= slope <= 1.05)})"
    )


def say_paired(tested: BacktestResult, seed: int) -> None:
    """LightGBM minus logistic regression and minus the rule, on outcomes, by user bootstrap."""
    rows = tested.rows
    is_test = rows["cell"].isin(["future", "both"]).to_numpy()
    chosen = {
        name: tested.probabilities[name][is_test]
        for name in (PRIMARY, "logistic_regression", "rule", "behaviour")
        if name in tested.probabilities
    }
    drawn = bootstrap_by_user(
        rows["label"].to_numpy(dtype=float)[is_test],
        chosen,
        rows["user_id"].to_numpy()[is_test],
        thresholds=dict.fromkeys(chosen, 0.5),
        n_replicas=400,
        seed=seed,
    )
    for reference in list(chosen)[1:]:
        difference = drawn.differences(reference)[PRIMARY]["roc_auc"]
        promise = f": {holds(difference.low > 0)}" if reference == "logistic_regression" else ""
        console.print(f"  AUC on outcomes, LightGBM minus {reference}: {difference}{promise}")
