"""What a search prints: the parameters that mattered, and the best trials."""

from __future__ import annotations

import optuna
from rich.console import Console
from rich.table import Table

from churn_spark.arrays import Values
from churn_spark.models.search.search import (
    candidates_of,
    importances,
)
from churn_spark.models.search.tuning import (
    Choice,
    paired_gain,
)

_N_SHOWN = 5


def show_trials(study: optuna.Study, choice: Choice, n_rows: Values, seed: int) -> None:
    """Print what mattered, and the best trials against the present parameters."""
    candidates = candidates_of(study)
    present = next(candidate for candidate in candidates if candidate.is_present)
    shares = importances(study, seed)
    mattered = Table("parameter", "matters", "present", "best", title="What mattered")
    for name in sorted(present.parameters, key=lambda name: (-shares.get(name, 0.0), name)):
        share = f"{shares[name]:.0%}" if shares else "too few trials"
        values = (f"{c.parameters[name]:.4g}" for c in (present, candidates[0]))
        mattered.add_row(name, share, *values)
    best = Table("trial", "gain, nats a row", "loss", "AUC", "trees", title="The best trials")
    shown = candidates[:_N_SHOWN]
    for candidate in shown if present in shown else [*shown, present]:
        gain, error = paired_gain(candidate.result, present.result, n_rows)
        mark = " (present)" if candidate.is_present else ""
        chosen = " (chosen)" if candidate.number == choice.candidate.number else ""
        best.add_row(
            f"{candidate.number}{mark}{chosen}",
            "" if candidate.is_present else f"{gain:+.2e} ± {error:.1e}",
            f"{candidate.result.loss:.5f}",
            f"{candidate.result.auc:.3f}",
            str(candidate.result.rounds),
        )
    console = Console()
    console.print(mattered)
    console.print(best)
