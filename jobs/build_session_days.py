"""Bronze `events` -> silver `session_days`: only the dates that new events touch."""

from __future__ import annotations

import typer

from churn_spark import job
from churn_spark.contracts.tables import EVENTS, SESSION_DAYS
from churn_spark.features.session_days import build_session_days

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    env: job.EnvOption = "local",
    overrides: job.SetOption = None,
    date: job.OptionalDateOption = None,
) -> None:
    """Rebuild the dates whose events changed. A date argument changes nothing."""
    with job.open_job("build_session_days", env, overrides) as context:
        run(context)


def run(context: job.JobContext) -> None:
    """Rebuild the dates that were touched since the last run.

    The events' version that the table was built from is noted in its own commits, so a run
    that is killed leaves either the old rows and the old note or the new of both.
    """
    with job.closing_line("build_session_days") as facts:
        touched = job.find_touched_dates(context, SESSION_DAYS)
        events = context.lakehouse.read(EVENTS)
        context.lakehouse.replace(
            build_session_days(events.filter(events.event_date.isin(touched.dates))),
            SESSION_DAYS,
            {"event_date": touched.dates},
            note=touched.note,
        )
        facts.append(touched.describe())


if __name__ == "__main__":
    job.main(app)
