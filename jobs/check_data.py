"""Bronze and gold tables of a date -> `data_checks`: whether the night may be judged at all."""

from __future__ import annotations

from datetime import date as Date

import typer

from churn_spark import job
from churn_spark.contracts.tables import DATA_CHECKS, EVENTS, QUARANTINE, SNAPSHOTS
from churn_spark.decision_log import champion_at
from churn_spark.lakehouse.schema import struct_of
from churn_spark.models.registry import ModelRegistry
from churn_spark.monitoring.data_quality.checks import CheckResult, failed_checks, run_checks
from churn_spark.monitoring.frames.feed import (
    read_event_facts,
    read_feed_facts,
    read_snapshot_facts,
)

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    date: job.DateOption, env: job.EnvOption = "local", overrides: job.SetOption = None
) -> None:
    """Check the newest day of the log and the snapshot; exit with 30 if a check fails."""
    with job.open_job("check_data", env, overrides) as context:
        failed = [check for check in run(context, date) if not check.passed]
    if failed:
        raise typer.Exit(job.HELD_EXIT_CODE)


def run(context: job.JobContext, date: Date) -> tuple[CheckResult, ...]:
    """Replace the checks of the date.

    The snapshot's columns are held against the rows of a model that was there before the night:
    the night of the first training has none, run again or not.
    """
    config, lakehouse = context.config, context.lakehouse
    with job.closing_line("check_data") as facts:
        registry = ModelRegistry(config.registry, config.lakehouse)
        version = champion_at(lakehouse, registry, date)
        events = lakehouse.read(EVENTS)
        start = job.log_span(context).start
        feed = read_feed_facts(events, lakehouse.read(QUARANTINE), start, date)
        columns = read_event_facts(events, date)
        if version is not None and registry.trained_on(version)["as_of"] < str(date):
            snapshot = job.read_as_of(lakehouse, SNAPSHOTS, date)
            columns += read_snapshot_facts(snapshot, registry.load(version))
        results = run_checks(feed, columns, config.checks)
        rows = [(date, r.name, float(r.found), r.expected, r.passed, r.sentence) for r in results]
        frame = context.spark.createDataFrame(rows, struct_of(DATA_CHECKS))
        lakehouse.replace(frame, DATA_CHECKS, {"run_date": [date]})
        failed = failed_checks(results)
        facts.append(f"{len(results) - len(failed)} of {len(results)} checks passed")
        facts.extend(check.sentence for check in results if not check.passed)
    return results


if __name__ == "__main__":
    job.main(app)
