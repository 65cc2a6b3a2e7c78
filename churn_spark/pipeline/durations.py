"""How long the steps of jobs have taken, by what earlier runs have left."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from statistics import median
from typing import Final

from churn_spark.contracts.tables import RUNS
from churn_spark.lakehouse.tables import Lakehouse

_RUNS: Final = 5
"""Of a step so many of its newest runs count: an older one was of a shorter log."""


def read_durations(lakehouse: Lakehouse) -> Mapping[str, float]:
    """Step -> seconds, in the middle of its newest runs; nothing where none are known."""
    runs = lakehouse.read_rows(RUNS, None, ["started_ts", "steps"]).sort_values("started_ts")
    found: dict[str, list[float]] = defaultdict(list)
    for steps in runs["steps"].dropna():
        for step, seconds in json.loads(steps).items():
            found[step].append(seconds)
    return {step: median(seconds[-_RUNS:]) for step, seconds in found.items()}
