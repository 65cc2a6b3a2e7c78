"""A rehearsed season: sixty nights through the real jobs, with a change planted in the middle.

On the night of the change every chance of cancelling grows, and the app begins to lose some of
the thumbs up. Later a challenger that ranks users upside down is let past the gate on purpose.
"""

from __future__ import annotations

import gzip
import random
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

import lightgbm
from pyspark.sql import SparkSession
from rich.console import Console

from bench import flow
from bench.alert_history import read_alerts
from bench.overrides import describe_overrides
from bench.promises import holds
from churn_spark.config import NightConfig, load_config
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.bundle import ModelBundle
from churn_spark.models.calibration import Calibration
from churn_spark.models.registry import ModelRegistry
from churn_spark.monitoring.alerts.alerts import Alert
from churn_spark.monitoring.policy.evidence import ChallengerComparison
from churn_spark.monitoring.policy.history import Entry
from churn_spark.monitoring.policy.replayed import count_differences
from churn_spark.pipeline import decide
from churn_spark.pipeline.context import JobContext
from churn_spark.pipeline.gather import Night
from churn_spark.simulate.settings import SimulationSettings
from churn_spark.simulate.world import simulate_log
from churn_spark.stores.decisions import read_entries

START = date(2018, 10, 1)
HISTORY_DAYS, CHANGE_NIGHT, BAD_NIGHT = 100, 20, 42
LEARN_LATE = ("training.history_days=49",)
"""Where the log is long enough, nothing is learnt from weeks in which windows were filling."""
# A year's joiners as a share of the users: as many as leave, so the population is a steady one.
GROWTH = 1.0
FACTOR, LOST_THUMBS = 3.0, 0.5
# From so many days after the change on, half of the newest labels of a training are of it.
LEARNT_DAYS = 7


@dataclass(frozen=True)
class Season:
    """When what happens.

    Attributes:
        first: date of the first night.
        n_nights: how many.
        change: first day of the planted change; the night after it is the first to see it.
        bad: from this night on, the first challenger is replaced by a bad one.
    """

    first: date
    n_nights: int
    change: date
    bad: date

    @property
    def learnt(self) -> date:
        """The first night whose training has learnt the change."""
        return self.change + timedelta(days=LEARNT_DAYS)

    @property
    def nights(self) -> list[date]:
        """The nights, oldest first."""
        return [self.first + timedelta(days=number) for number in range(self.n_nights)]


def plan_season(history_days: int, n_nights: int) -> Season:
    """So many nights after so many days of log."""
    first = START + timedelta(days=history_days)
    change, bad = (first + timedelta(days=night) for night in (CHANGE_NIGHT, BAD_NIGHT))
    return Season(first, n_nights, change, bad)


def overrides_of(season: Season) -> Sequence[str]:
    """What is learnt from: a log that is long enough has weeks in which windows were full."""
    return LEARN_LATE if (season.first - START).days >= HISTORY_DAYS else ()


def rehearse(
    spark: SparkSession, work: Path, season: Season, users: int, seed: int, console: Console
) -> None:
    """Live the season and say what became of each promise.

    Args:
        spark: the session.
        work: a folder.
        season: when what happens.
        users: of the simulated service.
        seed: of their log.
        console: to say it on.
    """
    history_days = (season.first - START).days
    settings = SimulationSettings(
        users=users,
        start=START,
        days=history_days + season.n_nights,
        seed=seed,
        growth=GROWTH,
        drift="label",
        drift_date=season.change,
        drift_factor=FACTOR,
        files_a_day=1,
    )
    simulate_log(settings, work / "world")
    config = load_config(
        overrides=[
            f"lakehouse={work / 'lakehouse'}",
            "spark.shuffle_partitions=4",
            *overrides_of(season),
        ]
    )
    context = JobContext(config, Lakehouse(spark, config.lakehouse))
    incoming = work / "incoming"
    incoming.mkdir(parents=True)
    started = time.monotonic()
    with planted_challenger(season.bad):
        for night in season.nights:
            deliver(work / "world" / "events", incoming, night, season.change)
            flow.nightly(context, night, str(incoming))
    seconds = time.monotonic() - started
    console.print(
        f"{season.n_nights} nights of {users:,} users, seed {seed}, after {history_days} days of "
        f"log, {describe_overrides(overrides_of(season))}, in {seconds:,.0f} s"
    )
    say_promises(context, season, console)


def deliver(events: Path, incoming: Path, night: date, change: date) -> None:
    """Bring the files of all days before the night, less the thumbs that the app loses."""
    for day in sorted(path for path in events.iterdir() if path.name < str(night)):
        target = incoming / day.name
        if target.exists():
            continue
        target.mkdir()
        for file in sorted(day.iterdir()):
            if day.name < str(change):
                shutil.copyfile(file, target / file.name)
            else:
                lose_thumbs(file, target / file.name)


def lose_thumbs(source: Path, target: Path) -> None:
    """Copy a file without a share of its thumbs up."""
    rng = random.Random(str(source.name))
    opener: Callable[..., Any] = gzip.open if source.suffix == ".gz" else open
    with opener(source, "rt", encoding="utf-8") as lines, opener(target, "wt") as kept:
        for line in lines:
            if '"Thumbs Up"' not in line or rng.random() >= LOST_THUMBS:
                kept.write(line)


@contextmanager
def planted_challenger(since: date) -> Iterator[None]:
    """Once, from a night on, put an upside-down model in the place of a challenger.

    Only what the gate is shown is false; training, decision, probation and rollback are real.
    """
    train = decide.try_challenger
    planted: list[date] = []

    def plant(
        lakehouse: Lakehouse,
        registry: ModelRegistry,
        night: Night,
        asked: Entry,
        config: NightConfig,
        facts: list[str],
    ) -> list[Entry]:
        date = night.date
        if date < since or (planted and date != planted[0]):
            return train(lakehouse, registry, night, asked, config, facts)
        planted.append(date)
        assert asked.after is not None
        champion = registry.load(asked.after.champion)
        bad = turn_upside_down(champion)
        tags = {"as_of": str(date), "planted": "upside down"}
        with registry.run("planted", tags) as run_id:
            version = registry.register(bad, run_id, champion.metrics)
        better = ChallengerComparison(version, champion.version, 0.05, 0.04, -0.01, -0.01)
        return [decide.decide_challenger(asked, better, config.policy)]

    decide.try_challenger = plant
    try:
        yield
    finally:
        decide.try_challenger = train


def turn_upside_down(champion: ModelBundle) -> ModelBundle:
    """A model that ranks first whom the champion ranks last."""
    rows = champion.baseline
    scores = rows["churn_probability"]
    data = lightgbm.Dataset(
        rows[list(champion.encoding.features)].to_numpy(dtype=float),
        (scores < scores.quantile(0.1)).to_numpy(dtype=float),
    )
    booster = lightgbm.train({"objective": "binary", "verbosity": -1, "seed": 1}, data, 30)
    return replace(
        champion,
        native_text=booster.model_to_string(),
        offset=None,
        calibration=Calibration("shift", (-0.5,)),
    )


def say_promises(context: JobContext, season: Season, console: Console) -> None:
    """Say what was decided when, and whether it is as promised."""
    entries = read_entries(context.lakehouse)
    for _, alike in groupby(entries, lambda entry: (entry.decision.kind, entry.decision.rule)):
        entry, *more = alike
        decision = entry.decision
        if decision.kind != "keep":
            nights = f", and {len(more)} nights more" if more else ""
            console.print(
                f"  {decision.night} {decision.kind} ({decision.rule}{nights}): {decision.reason}"
            )
    before = [e for e in entries if e.decision.night <= season.change]
    wrong = [e for e in before if _is(e, "retrain") and e.decision.rule != "schedule"]
    console.print(f"Before the change only scheduled retrainings: {holds(not wrong)}")
    promoted = [e for e in entries if _is(e, "promote") and e.decision.night >= season.learnt]
    planted = next((e for e in promoted if e.decision.night >= season.bad), None)
    trained = [e.decision.version for e in promoted if e is not planted]
    learnt = [e.decision.version for e in promoted if e.decision.night < season.bad]
    alerts = read_alerts(context.lakehouse)
    for what in ("cancellations:more", "drift:", "model:drifted", "performance:"):
        opened = alerts_of_change(alerts, what, season)
        first = min((a.opened for a in opened), default=None)
        keys = ", ".join(sorted({f"{a.key}, {a.severity}" for a in opened if a.opened == first}))
        days = "never" if first is None else f"{(first - season.change).days} days after ({keys})"
        # Where a model has learnt it first, none is left that could lose by it.
        is_learnt = what == "performance:" and first is None and bool(learnt)
        if is_learnt:
            days += f", as version {learnt[0]} had learnt it"
        is_kept = first is not None or is_learnt
        console.print(f"The change was found as {what.strip(':')} {days}: {holds(is_kept)}")
    console.print(
        f"Challengers promoted that have learnt the change: {trained}: {holds(bool(trained))}"
    )
    gone = next((e for e in entries if planted and puts_away(e, planted.decision.version)), None)
    if gone is None or planted is None:
        console.print(f"The planted challenger was put away never: {holds(False)}")
    else:
        n_days = (gone.decision.night - planted.decision.night).days
        is_soon = n_days <= context.config.policy.probation_days
        console.print(
            f"The planted challenger was put away {n_days} days after ({gone.decision.kind}, "
            f"{gone.decision.rule}): {holds(is_soon)}"
        )
    console.print(f"Replayed byte for byte: {holds(count_differences(entries) == 0)}")


def alerts_of_change(alerts: Iterable[Alert], what: str, season: Season) -> list[Alert]:
    """Those of a kind that the planted change has opened: the bad model opens some of its own."""
    return [
        alert
        for alert in alerts
        if alert.key.startswith(what) and season.change < alert.opened < season.bad
    ]


def puts_away(entry: Entry, version: str | None) -> bool:
    """Whether the champion was this version before a decision, and is another one since."""
    before, after = entry.before, entry.after
    return bool(before and after and before.champion == version != after.champion)


def _is(entry: Entry, kind: str) -> bool:
    return entry.decision.kind == kind
