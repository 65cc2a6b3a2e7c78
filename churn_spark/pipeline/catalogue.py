"""All use cases, and the table of them in the docs."""

from __future__ import annotations

from churn_spark.contracts.tables import TableSpec
from churn_spark.pipeline import (
    backtest,
    check_leaks,
    doctor_lakehouse,
    erase_user,
    extract_rejected,
    freshness,
    maintain,
    night,
    query,
    record_contacts,
    register_tables,
    replay,
    report,
    status,
    tune,
)
from churn_spark.pipeline.use_case import UseCase

USE_CASES = (
    *night.STEPS,
    night.USE_CASE,
    record_contacts.USE_CASE,
    replay.USE_CASE,
    backtest.USE_CASE,
    report.USE_CASE,
    status.USE_CASE,
    query.USE_CASE,
    doctor_lakehouse.USE_CASE,
    freshness.USE_CASE,
    register_tables.USE_CASE,
    check_leaks.USE_CASE,
    extract_rejected.USE_CASE,
    erase_user.USE_CASE,
    maintain.USE_CASE,
    tune.USE_CASE,
)
"""Those of a night first, in their order."""

BEGIN = "<!-- steps: written by `make docs` from churn_spark/pipeline -->"
END = "<!-- /steps -->"


def find_use_case(job: str) -> UseCase | None:
    """The use case of a job; none where the job works on no tables of its own, as the demo."""
    return next((one for one in USE_CASES if one.name == job), None)


def describe_use_cases() -> str:
    """The use cases as a Markdown table: what each reads, writes and does."""
    rows = "\n".join(_row(use_case) for use_case in USE_CASES)
    return f"| step | reads | writes | in one line |\n| --- | --- | --- | --- |\n{rows}"


def update_page(text: str) -> str:
    """A page with the table between its marks written anew.

    Raises:
        ValueError: if the marks are not there.
    """
    before, _, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"found no {BEGIN} ... {END}, expected both in the page")
    return f"{before}{BEGIN}\n{describe_use_cases()}\n{END}{after}"


def _row(use_case: UseCase) -> str:
    reads = _names(use_case.takes, (*use_case.reads, *use_case.reads_if_there))
    writes = _names(use_case.leaves, use_case.writes)
    return f"| `{use_case.name}` | {reads} | {writes} | {use_case.summary} |"


def _names(words: tuple[str, ...], tables: tuple[TableSpec, ...]) -> str:
    names = [f"`{spec.name}`" for spec in dict.fromkeys(tables)]
    return ", ".join([*names, *words]) or "nothing"
