"""Bronze `events` -> silver `transitions`: only the dates that new events touch."""

from __future__ import annotations

import typer

from churn_spark import job
from churn_spark.contracts.tables import EVENTS, TRANSITIONS
from churn_spark.features.transitions import build_transitions, dates_to_read, dates_to_rebuild

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    env: job.EnvOption = "local",
    overrides: job.SetOption = None,
    date: job.OptionalDateOption = None,
) -> None:
    """Rebuild the dates whose events changed. A date argument changes nothing."""
    with job.open_job("build_transitions", env, overrides) as context:
        run(context)


def run(context: job.JobContext) -> None:
    """Rebuild the dates that were touched since the last run, and those after them."""
    with job.closing_line("build_transitions") as facts:
        touched = job.find_touched_dates(context, TRANSITIONS)
        rebuilt = dates_to_rebuild(touched.dates)
        events = context.lakehouse.read(EVENTS)
        transitions = build_transitions(
            events.filter(events.event_date.isin(dates_to_read(rebuilt)))
        )
        context.lakehouse.replace(
            transitions.filter(transitions.event_date.isin(rebuilt)),
            TRANSITIONS,
            {"event_date": rebuilt},
            note=touched.note,
        )
        facts.append(touched.describe())


if __name__ == "__main__":
    job.main(app)
