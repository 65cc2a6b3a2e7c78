"""What is written down is what the code says."""

from __future__ import annotations

from pathlib import Path

from churn_spark.contracts.features.spec import describe_features
from churn_spark.contracts.tables.__main__ import describe_tables

ROOT = Path(__file__).resolve().parents[2]


def test_data_flow_page_is_the_one_that_the_schemas_give() -> None:
    page = (ROOT / "docs" / "data-flow.md").read_text(encoding="utf-8")
    assert page == describe_tables(), "run `make docs`"


def test_features_page_is_the_one_that_the_declarations_give() -> None:
    page = (ROOT / "docs" / "features.md").read_text(encoding="utf-8")
    assert page == describe_features(), "run `make docs`"
