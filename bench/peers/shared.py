"""What the scripts share: the features they compute, the model, the drift tests, the stopwatch.

They read clean logs only: no quarantine, no duplicates, no exactly-once, no history kept, no
behaviour model, no calibration, no explanations, no policy. One more night is all of it again.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import lightgbm
import numpy as np
import pandas as pd
from scipy.stats import ks_2samp

from bench.processes import START, CpuMeter, age_s
from churn_spark.config import load_config

KEY: Final = ["as_of", "user_id"]
PAGES: Final = {
    "songs": "NextSong", "thumbs_up": "Thumbs Up", "thumbs_down": "Thumbs Down",
    "friends": "Add Friend", "downgrades": "Downgrade", "submit_downgrades": "Submit Downgrade",
    "settings": "Settings", "adverts": "Roll Advert",
}  # fmt: skip
"""Column of a user's day -> the page that it counts."""
TOTALS: Final = {
    "total_songs_played": "songs", "num_thumbs_up": "thumbs_up",
    "num_thumbs_down": "thumbs_down", "num_sessions": "sessions",
    "num_friends_added": "friends", "num_downgrades": "downgrades",
    "num_submit_downgrades": "submit_downgrades",
}  # fmt: skip
"""Feature -> the column that it sums over all days before the date."""
WINDOWS: Final = {
    "sessions": (1, 3, 7, 14, 28), "songs": (1, 3, 7, 14, 28), "active_days": (7, 14, 28),
    "downgrades": (7, 28), "settings": (28,), "adverts": (7, 28), "thumbs_down": (7, 28),
}  # fmt: skip
"""Column -> the windows, in days before the date, that it is summed over."""
LISTENED_DAYS: Final = (7, 28)
CATEGORIES: Final = ["last_subscription_level", "gender", "location", "os", "browser"]
NUMBERS: Final = [
    "tenure_days", "hours_since_last_event", "total_listen_time", "avg_songs_per_session",
    *TOTALS, *(f"{name}_{n}d" for name, days in WINDOWS.items() for n in days),
    *(f"listen_hours_{n}d" for n in LISTENED_DAYS),
]  # fmt: skip
_PARAMETERS: Final = {
    "objective": "binary", "learning_rate": 0.05, "num_leaves": 15, "min_data_in_leaf": 50,
    "seed": 1, "deterministic": True, "force_row_wise": True, "verbosity": -1,
}  # fmt: skip
_ROUNDS: Final = 400
_MICROS_PER_HOUR: Final = 3_600_000_000


@dataclass(frozen=True)
class Task:
    """What a script is asked to do.

    Attributes:
        events: all files of the log.
        out: folder that it writes into.
        night: date to score.
        dates: all as-of dates, the night among them.
        active_days: days before a date in which a user of the population has an event.
        gap_days: days after a date before a cancellation counts.
        end_days: days after a date at which it counts no longer.
    """

    events: list[str]
    out: Path
    night: date
    dates: list[date]
    active_days: int
    gap_days: int
    end_days: int

    @classmethod
    def of_arguments(cls, arguments: Sequence[str]) -> Task:
        """`EVENTS OUT NIGHT DATE...`: a file or a folder, a folder, dates."""
        events, out, night, *dates = arguments
        below = sorted(path for path in Path(events).rglob("*.json*") if path.is_file())
        Path(out).mkdir(parents=True)
        days = sorted({date.fromisoformat(day) for day in (night, *dates)})
        files = [str(path) for path in below] or [events]
        learning = load_config().learning
        gap_days = learning.labels.gap_days
        return cls(
            files,
            Path(out),
            date.fromisoformat(night),
            days,
            learning.snapshots.active_days,
            gap_days,
            gap_days + learning.labels.horizon_days,
        )


@dataclass
class Stopwatch:
    """Wall seconds of each stage, and CPU seconds of this process and what it has started.

    All before the first stage is the stage `start`, as the nights beside have it: Python, the
    libraries, and the JVM or the server of an engine.
    """

    steps: list[dict[str, str | float]] = field(default_factory=list)
    meter: CpuMeter = field(default_factory=CpuMeter)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure the block."""
        wall, cpu = age_s(), self.meter.read()
        if not self.steps:
            self.steps.append({"name": START, "wall_s": wall, "cpu_s": cpu})
        yield
        self.steps.append(
            {"name": name, "wall_s": age_s() - wall, "cpu_s": self.meter.read() - cpu}
        )


def finish(task: Task, features: pd.DataFrame, watch: Stopwatch) -> None:
    """Train, score and test for drift, and print the stages as JSON.

    Args:
        task: what was asked.
        features: a row per as-of date and user, with `label`, null where it isn't known.
        watch: has measured the stages before.
    """
    rows = features.assign(as_of=pd.to_datetime(features["as_of"]))
    is_tonight = rows["as_of"] == pd.Timestamp(task.night)
    closes = rows["as_of"] + timedelta(days=task.end_days)
    known = rows[(closes <= pd.Timestamp(task.night)) & rows["label"].notna()]
    tonight = rows[is_tonight]
    levels = {name: sorted(known[name].dropna().unique()) for name in CATEGORIES}
    with watch.stage("train"):
        data = lightgbm.Dataset(_matrix(known, levels), known["label"].to_numpy(dtype=float))
        trees = lightgbm.train(_PARAMETERS, data, _ROUNDS)
    with watch.stage("score"):
        chances = np.asarray(trees.predict(_matrix(tonight, levels)))
        scores = tonight[KEY].assign(churn_probability=chances)
        scores.to_parquet(task.out / "scores.parquet", index=False)
    with watch.stage("drift"):
        tests = [_test(known[name], tonight[name]) for name in NUMBERS]
        pd.DataFrame(tests, index=NUMBERS).to_parquet(task.out / "drift.parquet")
    sys.stdout.write(json.dumps(watch.steps) + "\n")


def threads() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def _matrix(rows: pd.DataFrame, levels: dict[str, list[str]]) -> pd.DataFrame:
    values = rows[NUMBERS].astype("float64")
    for name in CATEGORIES:
        values[name] = pd.Categorical(rows[name], categories=levels[name])
    return values


def _test(before: pd.Series, now: pd.Series) -> dict[str, float]:
    known_before, known_now = (part.dropna().to_numpy(dtype=float) for part in (before, now))
    found = ks_2samp(known_before, known_now, method="asymp")
    return {"distance": found.statistic, "p_value": found.pvalue}
