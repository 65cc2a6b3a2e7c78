"""The table `data_checks`: what a night's data were checked for, and which nights failed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from churn_spark.contracts.tables import DATA_CHECKS
from churn_spark.errors import MissingTableError
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.monitoring.data_quality.checks import CheckResult


def read_checks(lakehouse: Lakehouse, night: date) -> tuple[CheckResult, ...]:
    """The checks of a night, by name; empty where it was not checked."""
    rows = lakehouse.collect_rows(DATA_CHECKS, {"run_date": [night]})
    found = (CheckResult(r.name, r.found, r.expected, r.passed, r.sentence) for r in rows)
    return tuple(sorted(found, key=lambda check: check.name))


def require_checks(lakehouse: Lakehouse, night: date) -> tuple[CheckResult, ...]:
    """The checks of a night, by name.

    Raises:
        MissingTableError: if it was not checked; `check_data` does that.
    """
    if found := read_checks(lakehouse, night):
        return found
    raise MissingTableError(
        f"found no rows as of {night} in {DATA_CHECKS.path}, expected some: run `check_data` "
        "for this date, or `nightly`, which runs all jobs"
    )


def write_checks(lakehouse: Lakehouse, night: date, results: Sequence[CheckResult]) -> None:
    """Replace the checks of a night."""
    rows = [(night, r.name, float(r.found), r.expected, r.passed, r.sentence) for r in results]
    lakehouse.replace_rows(rows, DATA_CHECKS, {"run_date": [night]})


def read_failed_nights(lakehouse: Lakehouse) -> frozenset[date]:
    """The nights on which a check failed and that were not mended since; one date a night."""
    failed = lakehouse.collect_rows(DATA_CHECKS, {"passed": [False]}, ["run_date"])
    return frozenset(row.run_date for row in failed)
