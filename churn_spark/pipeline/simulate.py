"""A simulated log, its parts made in this process or on Spark's workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from pyspark.sql import SparkSession

from churn_spark.errors import InputError
from churn_spark.pipeline.console import closing_line, say
from churn_spark.pipeline.context import open_job
from churn_spark.simulate.contacts import Reached
from churn_spark.simulate.population import count_blocks
from churn_spark.simulate.probabilities import describe, write_probabilities
from churn_spark.simulate.settings import Period, SimulationSettings
from churn_spark.simulate.world import (
    Runner,
    continue_log,
    read_settings,
    run_here,
    simulate_log,
)
from churn_spark.stores.contacts import read_contacts_file
from churn_spark.timeline import Horizon
from churn_spark.wording import name_some

MAX_PARTS_HERE = 4
"""A part of a simulation takes seconds, and so does starting Spark."""

_NAMED: Final = 5
Task = TypeVar("Task")
Result = TypeVar("Result")


def run(out: Path, settings: SimulationSettings, env: str, overrides: list[str] | None) -> None:
    """Simulate a new world in a folder.

    Raises:
        InputError: if the settings don't fit, or the folder holds another world.
    """
    n_parts = count_blocks(settings)
    with (
        closing_line("simulate_events") as facts,
        open_runner(n_parts, env, overrides) as runner,
    ):
        facts.append(simulate_log(settings, out, runner).describe())


def run_on(
    out: Path,
    start: date,
    days: int,
    contacts: Path | None,
    env: str,
    overrides: list[str] | None,
) -> None:
    """Let the world in a folder go on from a day, its users contacted as a file says.

    Raises:
        InputError: if there is no world in the folder, or it can't go on from that day; if a row
            of the contacts can't be read or doesn't fit the world.
    """
    reached = [] if contacts is None else read_reached(contacts)
    n_parts = count_blocks(replace(read_settings(out), days=days))
    with (
        closing_line("simulate_events") as facts,
        open_runner(n_parts, env, overrides) as runner,
    ):
        facts.append(continue_log(out, Period(start, days), runner, reached).describe())


def read_reached(file: Path) -> list[Reached]:
    """Read who was reached from a CSV of contacts; a contact made in vain does nothing.

    Raises:
        InputError: if the file can't be read, isn't one of contacts, or any row doesn't fit: a
            world has no table to put rejected rows aside.
    """
    batch = read_contacts_file(file)
    if batch.rejected:
        rows = [f"row {number}: {reason}" for number, reason in sorted(batch.rejected.items())]
        raise InputError(
            f"the contacts {file.name} can't be acted on: {name_some(rows, _NAMED, '; ')}; mend "
            "the file and give it again"
        )
    return [
        Reached(one.user_id, one.time, one.offer) for one in batch.contacts.values() if one.is_made
    ]


def reveal_truth(out: Path, day: date, horizon: Horizon) -> None:
    """Write each simulated user's true chance to cancel, and say what the best forecast reaches.

    Raises:
        InputError: if there is no world in the folder, or it doesn't know the date.
    """
    with closing_line(f"reveal_truth {day}") as facts:
        rows = write_probabilities(out, day, horizon.days, horizon.gap_days)
        facts.append(describe(rows))


@contextmanager
def open_runner(n_parts: int, env: str, overrides: list[str] | None) -> Iterator[Runner]:
    """Give what runs the parts of a job: this process where they are few, else Spark's workers.

    Raises:
        ConfigError: if the configuration doesn't fit.
        MachineError: if Java or the jars are missing where Spark is needed.
    """
    if n_parts <= MAX_PARTS_HERE:
        yield run_here
        return
    with open_job("simulate_events", env, overrides, writes=False) as context:
        yield partial(run_on_spark, context.spark)


def run_on_spark(
    spark: SparkSession, function: Callable[[Task], Result], tasks: Sequence[Task]
) -> list[Result]:
    """Run a function on every task, each a Spark task of its own."""
    say("", f"{len(tasks)} parts on {spark.sparkContext.master}")
    return spark.sparkContext.parallelize(tasks, len(tasks)).map(function).collect()
