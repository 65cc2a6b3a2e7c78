"""Nights killed at each of their steps and done again: the same tables, pages and decision."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from shutil import copytree, rmtree

import polars as pl
from deltalake import DeltaTable
from mlflow import MlflowClient
from rich.console import Console

from bench.killed_night import Step, read_steps
from bench.processes import run_watched
from bench.promises import holds
from churn_spark.config import load_config
from churn_spark.contracts.champion import POINTER, Published
from churn_spark.contracts.tables import DECISIONS, RUNS
from churn_spark.simulate.settings import SimulationSettings
from churn_spark.simulate.world import simulate_log

USERS = 300
# Other in every run, whatever the night has decided: drawn, or a hash of files' names, which are.
_RANDOM_COLUMNS = {"run_id", "made_of", "snapshots_of", "labels_of"}
_WEEK = timedelta(days=7)


@dataclass(frozen=True)
class KilledNights:
    """A small world and the lakehouse in which its nights are lived and killed.

    Attributes:
        work: folder of both.
        settings: of the world.
        overrides: of the configuration, beside those that make a night light.
    """

    work: Path
    settings: SimulationSettings = field(default_factory=lambda: SimulationSettings(users=USERS))
    overrides: tuple[str, ...] = ()

    @property
    def lakehouse(self) -> Path:
        """Where all nights run: MLflow keeps whole paths, so it can't be lived in elsewhere."""
        return self.work / "lakehouse"

    @property
    def nights(self) -> tuple[date, date]:
        """One that trains the first model, and one a week later that trains a challenger."""
        last = self.settings.start + timedelta(days=self.settings.days)
        return last - _WEEK, last

    def simulate(self) -> None:
        """Make the log; nothing of it is delivered yet."""
        simulate_log(self.settings, self.work / "world")

    def prepare(self) -> None:
        """Make the log, and load all of it but the day before the first night."""
        self.simulate()
        self.deliver(self.nights[0] - timedelta(days=1))
        where = f"lakehouse={self.lakehouse}"
        logs = "--events", str(self.work / "incoming")
        run_watched("jobs.ingest_events", *logs, "--set", where)
        run_watched("jobs.build_session_days", "--set", where)
        run_watched("jobs.build_transitions", "--set", where)

    def deliver(self, end: date) -> None:
        """Bring the files of all days before a date."""
        for day in (self.work / "world" / "events").iterdir():
            if day.name < str(end):
                copytree(day, self.work / "incoming" / day.name, dirs_exist_ok=True)

    def live(self, night: date, fatal: Step | None = None, share: float = 1.0) -> bool:
        """Do a night, up to some share of a step; returns whether it came to its end.

        Raises:
            SystemExit: if it failed by itself, with what it wrote to its standard error.
        """
        steps = self.work / "steps.jsonl"
        steps.unlink(missing_ok=True)
        arguments = [str(self.lakehouse), str(self.work / "incoming"), str(night)]
        death = [fatal.name, str(fatal.seconds * share)] if fatal else ["", "0"]
        arguments += [str(steps), *death, *self.overrides]
        process = subprocess.run(
            [sys.executable, "-m", "bench.killed_night", *arguments],
            check=False,
            capture_output=True,
            text=True,
            start_new_session=True,
        )
        if process.returncode not in (0, -signal.SIGKILL):
            raise SystemExit(f"the night of {night} failed:\n{process.stderr}")
        return process.returncode == 0

    def keep(self) -> None:
        """Keep the lakehouse as it is."""
        rmtree(self.work / "kept", ignore_errors=True)
        if self.lakehouse.exists():
            copytree(self.lakehouse, self.work / "kept")

    def restore(self) -> None:
        """Make the lakehouse what it was when it was kept."""
        rmtree(self.lakehouse, ignore_errors=True)
        if (self.work / "kept").exists():
            copytree(self.work / "kept", self.lakehouse)

    def content(self) -> dict[str, str]:
        """What each table and page holds, what the registry and the pointer say: digests, words."""
        found = {
            f"{log.parent.parent.name}/{log.parent.name}": _digest(log.parent)
            for log in sorted(self.lakehouse.glob("*/*/_delta_log"))
            # What a run took is never the same, and a killed one says nothing.
            if log.parent.name != RUNS.name
        }
        # A night that was killed may leave a part of one, under a name of its own.
        for page in sorted((self.lakehouse / "reports").glob("*.html")):
            found[f"reports/{page.name}"] = hashlib.sha256(page.read_bytes()).hexdigest()[:16]
        pointer = self.lakehouse / POINTER
        published = (
            Published.from_json(pointer.read_bytes()).version if pointer.exists() else "none"
        )
        return found | {"registry": " ".join(self._registry()), "published champion": published}

    def judged_challengers(self) -> list[str]:
        """What became of the challengers that any night has tried."""
        decisions = DeltaTable(str(self.lakehouse / DECISIONS.layer / DECISIONS.name)).to_pandas()
        tried = decisions[decisions["rule"] == "challenger"]
        return [f"version {row.version}: {row.kind}" for row in tried.itertuples()]

    def n_versions(self) -> int:
        """How many versions of the model are in the registry."""
        name = load_config().registry.model_name
        return len(self._client().search_model_versions(f"name = '{name}'"))

    def _client(self) -> MlflowClient:
        # The file is another one each time it was put back: no connection to it may be kept.
        os.environ.setdefault("MLFLOW_SQLALCHEMYSTORE_POOLCLASS", "NullPool")
        uri = f"sqlite:///{self.lakehouse}/mlflow/mlflow.db"
        return MlflowClient(uri, uri)

    def _registry(self) -> Iterator[str]:
        client, config = self._client(), load_config().registry
        model = client.get_registered_model(config.model_name)
        yield f"aliases {sorted(model.aliases.items())} tags {sorted(model.tags.items())}"
        versions = client.search_model_versions(f"name = '{config.model_name}'")
        yield f"versions {sorted(version.version for version in versions)}"
        experiment = client.get_experiment_by_name(config.experiment)
        assert experiment is not None
        runs = client.search_runs([experiment.experiment_id])
        yield f"runs {sorted((run.info.run_name, run.info.status) for run in runs)}"


def _digest(table: Path) -> str:
    """The same for the same rows in any order."""
    found = DeltaTable(str(table)).to_pandas()
    kept = pl.from_pandas(found.drop(columns=[*_RANDOM_COLUMNS.intersection(found.columns)]))
    hashes = kept.hash_rows().sort().to_numpy()
    return f"{len(hashes)} rows {hashlib.sha256(hashes.tobytes()).hexdigest()[:16]}"


def everywhere(steps: Iterable[Step]) -> Iterator[tuple[Step, float]]:
    """Every step in its middle, and at its end where the next step isn't a table's commit."""
    for step in steps:
        yield step, 0.5
        if not step.name.startswith(("append", "replace")):
            yield step, 2.0


def find_differences(
    world: KilledNights,
    night: date,
    choose: Callable[[list[Step]], Iterable[tuple[Step, float]]] = everywhere,
    tell: Callable[[str], None] = print,
) -> tuple[int, list[str]]:
    """Kill a night at one step after the other, let it end, and compare with one undisturbed.

    Each start finds what the kill before has left and dies a step later. Where it gets to its
    end, because the step was done and isn't repeated, the night begins anew.

    Args:
        world: as it is before the night.
        night: its date.
        choose: from all steps, those to die at in their order, and after which share of their
            usual time.
        tell: called with a line for every kill.

    Returns:
        How often it was killed, and what was different afterwards; the lakehouse has the night.
    """
    world.deliver(night)
    world.keep()
    world.live(night)
    steps, expected = read_steps(world.work / "steps.jsonl"), world.content()
    world.restore()
    n_kills = 0
    different: set[str] = set()
    for step, share in choose(steps):
        if world.live(night, step, share):
            different.update(differences_of(expected, world.content()))
            world.restore()
            tell(f"{night} {step.name}: ran through, {sorted(different) or 'nothing differs'}")
        else:
            n_kills += 1
            tell(f"{night} {step.name}: killed {'in the middle' if share < 1 else 'at the end'}")
    world.live(night)
    different.update(differences_of(expected, world.content()))
    return n_kills, sorted(f"{night}: {name}" for name in different)


def differences_of(expected: dict[str, str], found: dict[str, str]) -> list[str]:
    """The names of what isn't in both the same, sorted."""
    return sorted(name for name in expected | found if expected.get(name) != found.get(name))


def say_kills(work: Path, console: Console) -> None:
    """Kill a first night and a night with a challenger at every write, and say what differs."""
    world = KilledNights(work)
    world.prepare()
    n_kills: list[int] = []
    different: list[str] = []
    for night in world.nights:
        kills, found = find_differences(world, night)
        n_kills, different = [*n_kills, kills], different + found
    judged = world.judged_challengers()
    console.print(
        f"Killed {sum(n_kills)} times, each time a step later, in all writes of a first night and "
        f"of one with a challenger ({', '.join(judged)}: {holds(len(judged) == 1)}); at last the "
        f"same tables, pages, registry and decision: {holds(all(n_kills) and not different)}"
    )
    for line in different:
        console.print(f"  {line}")
