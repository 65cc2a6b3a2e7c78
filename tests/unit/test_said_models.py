"""What is said of compared models: shares of what others have, and the verdicts on them."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest
import typer
from rich.console import Console

from bench import said_models
from bench.expected_metrics import evaluate_expected
from bench.promises import judged
from bench.said_models import say_shares
from bench.tested_models import Comparison
from bench.worlds import PAGE_CHANCES, PERSONAS
from churn_spark.arrays import Floats
from churn_spark.evaluation.backtest import PRIMARY

TRUE = np.linspace(0.02, 0.4, 400)
RNG = np.random.default_rng(5)


def comparison(noise: float) -> Comparison:
    """Of a primary model whose log-odds are so far off; the references are a little off."""

    def off_by(sigma: float) -> Floats:
        log_odds = np.log(TRUE / (1 - TRUE)) + sigma * RNG.normal(size=TRUE.size)
        return 1 / (1 + np.exp(-log_odds))

    sigmas = {PRIMARY: noise, PAGE_CHANCES: 0.1, PERSONAS: 0.1}
    return {name: evaluate_expected(TRUE, off_by(sigma)) for name, sigma in sigmas.items()}


@pytest.mark.parametrize(
    ("noise", "least", "said", "is_kept"),
    [
        (0.1, 0.92, "(at least 0.92: holds)", True),
        (2.0, 0.92, "(at least 0.92: FAILS)", False),
        (2.0, None, "of the AUC above chance, 0.", True),
    ],
)
def test_share_of_the_oracle_is_a_promise_where_one_is_given(
    noise: float, least: float | None, said: str, is_kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    console = Console(record=True, width=300)
    monkeypatch.setattr(said_models, "console", console)
    figures = comparison(noise)
    main = judged(lambda: say_shares(figures, 0.0, 0.0, least))
    with nullcontext() if is_kept else pytest.raises(typer.Exit):
        main()
    told = console.export_text().splitlines()[-1]
    share = f"{figures[PRIMARY].roc_auc_share:.3f}"
    assert told.startswith(f"  against the true probabilities: {share} of the AUC above chance")
    assert said in told
    assert f"page chances, has {figures[PAGE_CHANCES].roc_auc_share:.3f} and " in told
