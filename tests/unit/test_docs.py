"""What is written down is what the code says."""

from __future__ import annotations

from pathlib import Path

from churn_spark.contracts.features.__main__ import describe_features
from churn_spark.contracts.tables.__main__ import describe_tables
from scripts.architecture import ROOT as CHECKOUT
from scripts.architecture import draw_layers, read_layers, update_page

ROOT = Path(__file__).resolve().parents[2]


def test_data_flow_page_is_the_one_that_the_schemas_give() -> None:
    page = (ROOT / "docs" / "data-flow.md").read_text(encoding="utf-8")
    assert page == describe_tables(), "run `make docs`"


def test_features_page_is_the_one_that_the_declarations_give() -> None:
    page = (ROOT / "docs" / "features.md").read_text(encoding="utf-8")
    assert page == describe_features(), "run `make docs`"


def test_layers_in_the_architecture_are_those_of_the_contract() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert page == update_page(page), "run `make docs`"


def test_every_room_of_the_package_is_in_a_layer() -> None:
    package = CHECKOUT / "churn_spark"
    rooms = {path.parent.name for path in package.glob("*/__init__.py")}
    rooms |= {path.stem for path in package.glob("[!_]*.py")}
    named = [room for layer in read_layers() for room in layer]
    assert {room.removeprefix("churn_spark.") for room in named} == rooms | {"bench", "jobs"}
    assert len(named) == len(set(named))


def test_drawn_layers_are_boxes_of_one_width() -> None:
    drawn = draw_layers([["jobs"], ["churn_spark.reports", "churn_spark.serving"]]).splitlines()
    assert len({len(line) for line in drawn}) == 1
    assert [word in drawn[3] for word in ("reports", "serving", "|")] == [True] * 3
