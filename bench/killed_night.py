"""One night in a process of its own, killed without warning at a step of it.

    python -m bench.killed_night LAKEHOUSE EVENTS NIGHT STEPS_FILE [STEP SECONDS [OVERRIDE...]]

A step is a write: to a table, to the registry, or of a file (pages, the published champion). The
steps are appended to a file as they end; one that is made of others comes after them. With a name,
the process group is killed that many seconds into the step, or at its end if it ends before; an
empty name is none. Overrides are of the configuration, `section.key=value`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from functools import wraps
from pathlib import Path
from typing import Any

from bench import flow
from churn_spark.contracts.tables import TableSpec
from churn_spark.lakehouse.files import Files
from churn_spark.lakehouse.small_tables import SmallTables
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.registry import ModelRegistry
from churn_spark.pipeline import ingest_batch, rollups
from churn_spark.pipeline.context import open_job

WRITES = (
    (Lakehouse, "append"),
    (Lakehouse, "replace"),
    (SmallTables, "replace_rows"),
    (ingest_batch, "append_files"),
    (rollups, "replace_partitions"),
    (Files, "write"),
    (Files, "exchange"),
    (Files, "delete"),
    (ModelRegistry, "register"),
    (ModelRegistry, "assign_alias"),
    (ModelRegistry, "set_champion"),
)
# What is learnt doesn't matter here, that it is learnt twice or half does.
LIGHT = (
    "training.feature_sets=[report,behaviour]",
    "training.baseline_sets=[report]",
    "training.max_weeks=3",
    "behaviour.n_classes=[3]",
    "behaviour.n_starts=1",
    "lightgbm.max_rounds=20",
    "spark.shuffle_partitions=2",
)


@dataclass(frozen=True)
class Step:
    """One write of a night.

    Attributes:
        name: the method and the table, and which time of the night it is.
        seconds: it took.
    """

    name: str
    seconds: float


def read_steps(path: Path) -> list[Step]:
    """The steps that ended, in their order."""
    return [Step(**json.loads(line)) for line in path.read_text().splitlines()]


def watch_writes(steps: Path, fatal: str | None, seconds: float) -> None:
    """Note every write from now on, and die at the fatal one."""
    seen: Counter[str] = Counter()

    def watch(kind: Any, method: str) -> None:
        write: Callable[..., Any] = getattr(kind, method)

        @wraps(write)
        def noted(*arguments: Any, **named: Any) -> Any:
            specs = [a for a in (*arguments, *named.values()) if isinstance(a, TableSpec)]
            what = " ".join([method, *(spec.name for spec in specs)])
            seen[what] += 1
            name = f"{what} {seen[what]}"
            if name == fatal:
                threading.Timer(seconds, die).start()
            started = time.monotonic()
            result = write(*arguments, **named)
            with steps.open("a") as file:
                file.write(json.dumps(asdict(Step(name, time.monotonic() - started))) + "\n")
            if name == fatal:
                die()
            return result

        setattr(kind, method, noted)

    for kind, method in WRITES:
        watch(kind, method)


def die() -> None:
    """Kill this process and the JVM below it."""
    os.killpg(os.getpgid(0), signal.SIGKILL)


def main(
    lakehouse: str,
    events: str,
    night: str,
    steps: str,
    fatal: str = "",
    seconds: str = "0",
    *overrides: str,
) -> None:
    """Do the night."""
    watch_writes(Path(steps), fatal or None, float(seconds))
    settings = [f"lakehouse={lakehouse}", *LIGHT, *overrides]
    with open_job("nightly", "local", settings) as context:
        flow.nightly(context, date.fromisoformat(night), events)


if __name__ == "__main__":
    main(*sys.argv[1:])
