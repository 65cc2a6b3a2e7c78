"""The public log that the docs walk through, as a package ships it, by the mapping shown there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from foreign_nights import listed, live, shown_mapping
from pyspark.sql import SparkSession
from sklearn.metrics import roc_auc_score

from churn_spark.contracts.tables import EVENTS, SCORES

pytestmark = pytest.mark.slow
# The log ends 90 days after the window of this date has begun: what came of the list is known.
NIGHT = date(1998, 4, 1)
WINDOW = (NIGHT + timedelta(days=1), NIGHT + timedelta(days=91))
BEFORE = (NIGHT - timedelta(days=90), NIGHT)


def sampled(shipped: Path) -> Iterator[str]:
    """The head of the file, and the purchases of every tenth customer: a tenth of the time."""
    lines = shipped.read_text("ascii").splitlines()
    yield lines[0]
    yield from (line for line in lines[1:] if line.split()[0].endswith("7"))


def bought(purchases: list[list[str]], days: tuple[date, date]) -> set[str]:
    """Who bought something within some days, the last one not among them."""
    first, end = (f"{day:%Y%m%d}" for day in days)
    return {who for who, at, *_ in purchases if first <= at < end}


@pytest.fixture
def shipped() -> Path:
    """The file in the installed package."""
    if (folder := os.environ.get("PUBLIC_LOGS")) is None:
        pytest.skip(
            "needs the package of requirements/public_logs.lock: make test-slow installs it"
        )
    return Path(folder) / "lifetimes" / "datasets" / "CDNOW_master.txt"


def test_purchases_of_the_cd_shop_become_a_list_that_is_worth_something(
    spark: SparkSession, shipped: Path, tmp_path: Path
) -> None:
    logs = tmp_path / "sales.txt"
    logs.write_text("\n".join(sampled(shipped)) + "\n", "ascii")
    purchases = [line.split() for line in logs.read_text("ascii").splitlines()[1:]]
    assert len({who for who, *_ in purchases}) > 2000
    lakehouse = live(
        spark,
        tmp_path / "lakehouse",
        logs,
        NIGHT,
        shown_mapping("number_of_cds"),
        "training.feature_sets=[report,activity,behaviour]",
    )
    assert lakehouse.read(EVENTS).count() == len(purchases)
    scores = lakehouse.read(SCORES).select("user_id", "churn_probability").collect()
    probabilities = {row["user_id"]: row["churn_probability"] for row in scores}
    assert set(probabilities) == bought(purchases, BEFORE)
    found = listed(lakehouse, ("user_id", "churn_probability"))
    assert len(found) > 10
    assert all(probabilities[user] == probability for user, probability in found)
    has_churned = np.array([who not in bought(purchases, WINDOW) for who in probabilities])
    assert roc_auc_score(has_churned, [*probabilities.values()]) > 0.6
