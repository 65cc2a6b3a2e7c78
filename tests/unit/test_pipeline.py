"""The use cases' declarations: complete, in an order that works, and the table of the docs."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import replace
from pathlib import Path

import pytest

from churn_spark import pipeline
from churn_spark.contracts.tables import RUNS, TABLES, TableSpec
from churn_spark.pipeline.catalogue import USE_CASES, update_page
from churn_spark.pipeline.night import STEPS
from churn_spark.pipeline.use_case import UseCase

ROOT = Path(__file__).resolve().parents[2]


def missing_inputs(steps: tuple[UseCase, ...]) -> list[tuple[str, str]]:
    """Step and table, for each table that no earlier step writes."""
    written: set[TableSpec] = set()
    missing = []
    for step in steps:
        missing += [(step.name, spec.path) for spec in step.reads if spec not in written]
        written |= set(step.writes)
    return missing


def test_every_step_of_a_night_finds_what_it_reads() -> None:
    assert missing_inputs(STEPS) == []


@pytest.mark.parametrize("position", range(1, len(STEPS)))
def test_a_night_in_another_order_lacks_something(position: int) -> None:
    # Check data, score, list, monitor and decide all need what the step before them writes.
    moved = (STEPS[position], *STEPS[:position], *STEPS[position + 1 :])
    assert {step for step, _ in missing_inputs(moved)} == {STEPS[position].name}


def test_every_table_has_a_use_case_that_writes_it() -> None:
    written = {spec.path for use_case in USE_CASES for spec in use_case.writes}
    # Every run leaves a row in this one, whatever it does.
    assert written | {RUNS.path} == {spec.path for spec in TABLES}


def test_every_use_case_is_in_the_catalogue_and_every_job_has_one() -> None:
    found = set()
    for module in pkgutil.iter_modules(pipeline.__path__):
        if module.name != "__main__":
            loaded = importlib.import_module(f"churn_spark.pipeline.{module.name}")
            if hasattr(loaded, "USE_CASE"):
                found.add(loaded.USE_CASE.name)
    assert found == {use_case.name for use_case in USE_CASES}
    jobs = {path.stem for path in (ROOT / "jobs").glob("[!_]*.py")}
    others = {"check_mapping", "demo", "reveal_truth", "serve", "simulate_events"}
    assert jobs - others == found


def test_names_of_tables_are_their_places() -> None:
    assert len({spec.path for spec in TABLES}) == len(TABLES)
    assert replace(TABLES[0], layer="gold").path == f"gold/{TABLES[0].name}"


def test_steps_in_the_docs_are_the_declared_ones() -> None:
    page = (ROOT / "docs" / "jobs.md").read_text(encoding="utf-8")
    assert page == update_page(page), "run `make docs`"


def test_page_without_its_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="found no <!-- steps"):
        update_page("# A page")
