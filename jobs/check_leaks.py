"""Gold `snapshots` and `labels` -> what in them no forecast could have known; exit code 30 if any.

A bounded sample of users, on the newest dates whose labels are known. The features are also
built anew from session days whose future was changed: none may differ. Nothing is written.
"""

from __future__ import annotations

from datetime import date as Date

import typer
from rich.console import Console
from rich.table import Table

from churn_spark import job
from churn_spark.contracts.tables import SNAPSHOTS
from churn_spark.errors import LeakFoundError
from churn_spark.leakage.checks import find_leaks
from churn_spark.leakage.table import Finding
from churn_spark.steps.leak_table import collect_table

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    date: job.DateOption, env: job.EnvOption = "local", overrides: job.SetOption = None
) -> None:
    """Look for leaks in the feature table as of the date; exit code 30 if there are any."""
    with job.open_job("check_leaks", env, overrides) as context:
        run(context, date)


def run(context: job.JobContext, date: Date) -> None:
    """Check the newest snapshots whose labels are known by the date.

    Raises:
        MissingTableError: if there are none.
        LeakFoundError: if a check finds something; the findings have been printed.
    """
    with job.closing_line("check_leaks") as facts:
        table = collect_table(context, date)
        findings = find_leaks(table, context.config.leakage)
        n_dates, n = table.rows["as_of"].nunique(), len(table.features)
        facts.append(f"{len(findings) or 'no'} leaks found in {n} features")
        facts.append(f"{len(table.rows):,} rows of {n_dates} dates")
    if findings:
        say_findings(findings)
        raise LeakFoundError(
            f"found {len(findings)} leaks in {SNAPSHOTS.layer}/{SNAPSHOTS.name}, expected none: "
            "mend the features or labels named above before a model learns from them"
        )


def say_findings(findings: list[Finding]) -> None:
    """Print the findings, one row each."""
    listed = Table("check", "feature", "value", "limit", "what is wrong")
    for finding in findings:
        value, limit = f"{finding.value:.4g}", f"{finding.limit:.4g}"
        listed.add_row(finding.check, finding.feature, value, limit, finding.sentence)
    Console(width=110).print(listed)


if __name__ == "__main__":
    job.main(app)
