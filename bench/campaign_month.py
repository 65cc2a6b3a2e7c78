"""A month of a campaign, rehearsed: lists, contacts by file and service, their effect, the page.

    python -m bench.campaign_month [--nights N] [--users N] [--seed N] [--work DIR]

Each night is killed once, at a write drawn by lot, and done again. The team calls those listed and
tells of each call four times; the simulator lets a call act from the next day on. In the end lists,
contacts, effect and page are compared with counts made by hand from the simulator's truth and from
what the team knows. Then the month is lived once more on the same log, undisturbed and each call
told once: all tables must be the same.
"""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from shutil import rmtree
from typing import Annotated, Any, Final

import typer
from deltalake import DeltaTable
from rich.console import Console

from bench import flow
from bench.built_lakehouse import BuiltLakehouse
from bench.killed_night import LIGHT, Step, read_steps
from bench.kills import KilledNights
from bench.month_contacts import Team
from bench.month_counts import Lived, faults_of_contacts, faults_of_effect, faults_of_lists
from bench.promises import holds, judged
from bench.same_lakehouse import say_tables
from churn_spark.contracts.tables import CONTACTS, EFFECT, RETENTION_LISTS, TableSpec
from churn_spark.pipeline import record_contacts
from churn_spark.pipeline.context import open_job
from churn_spark.pipeline.simulate import read_reached
from churn_spark.simulate.settings import Period, SimulationSettings
from churn_spark.simulate.truth import read_truth
from churn_spark.simulate.world import continue_log

_FIRST: Final = date(2018, 11, 26)
"""A Monday, so that the first week of lists is a whole one."""
_OVERRIDES: Final = ("retention_list.capacity=40", "retention_list.control_share=0.3")

_FEWEST: Final = 22
"""Nights until the labels of the first week of lists are known."""

console = Console(highlight=False, width=110)


@dataclass
class Month:
    """A world, its nights, and the team that works from their lists.

    Attributes:
        world: with its lakehouse.
        n_nights: how many.
        lots: where a night is killed.
        team: that calls.
        kills: the write that each night was killed at.
    """

    world: KilledNights
    n_nights: int
    lots: random.Random
    team: Team
    kills: list[str] = field(default_factory=list)

    @classmethod
    def begin(cls, work: Path, n_nights: int, users: int, seed: int) -> Month:
        """Make the world up to the first night."""
        start = SimulationSettings().start
        settings = SimulationSettings(users=users, days=(_FIRST - start).days, seed=seed)
        world = KilledNights(work, settings, _OVERRIDES)
        world.simulate()
        team = Team(world.lakehouse, work, random.Random(f"{seed} calls"))
        return cls(world, n_nights, random.Random(f"{seed} kills"), team)

    @property
    def log(self) -> Path:
        """Folder of the simulated world."""
        return self.world.work / "world"

    @property
    def nights(self) -> list[date]:
        """Their dates."""
        return [_FIRST + timedelta(days=n) for n in range(self.n_nights)]

    def rehearse(self) -> Iterator[str]:
        """Live the month; a line for each night."""
        self.world.deliver(self.nights[0])
        self.world.live(self.nights[0])
        steps = self._steps()
        self.world.restore()
        for night in self.nights:
            self.world.deliver(night)
            steps = self._live_killed(night, steps)
            line = f"{night} killed at {self.kills[-1]}"
            if night != self.nights[-1]:
                self.team.call(night, self._listed(night))
                way = self.team.tell(night)
                self._let_act(night)
                line += f", {len(self.team.made[night])} calls, told by {way}"
            yield line

    def _live_killed(self, night: date, steps: list[Step]) -> list[Step]:
        """Do a night that is killed once; returns its steps.

        Where it has no such write it has run through, and is done anew with one of its own.
        """
        self.world.keep()
        while True:
            fatal, share = self.lots.choice(steps), self.lots.choice((0.5, 2.0))
            if not self.world.live(night, fatal, share):
                break
            steps = self._steps()
            self.world.restore()
        self.kills.append(fatal.name)
        before = self._steps()
        self.world.live(night)
        return [*before, *self._steps()]

    def _steps(self) -> list[Step]:
        path = self.world.work / "steps.jsonl"
        return read_steps(path) if path.exists() else []

    def _listed(self, night: date) -> list[str]:
        rows = self.read(RETENTION_LISTS)
        return [
            row["user_id"] for row in rows if (row["as_of"], row["assignment"]) == (night, "listed")
        ]

    def _let_act(self, night: date) -> None:
        """Simulate the day that begins with a night, all calls so far being known."""
        reached = read_reached(self.team.write("all.csv", self.team.contacts))
        continue_log(self.log, Period(night, 1), contacts=reached)

    def live_undisturbed(self) -> Path:
        """Live it once more, each call told once; returns the folder of the killed month.

        In the same place, which MLflow writes into its tables; the killed one is moved aside.
        """
        killed = self.world.lakehouse.rename(self.world.work / "killed")
        incoming = self.world.work / "incoming"
        rmtree(incoming)
        settings = [f"lakehouse={self.world.lakehouse}", *LIGHT, *_OVERRIDES]
        with open_job("nightly", "local", settings) as context:
            for night in self.nights:
                self.world.deliver(night)
                flow.nightly(context, night, str(incoming))
                if rows := self.team.made.get(night):
                    file = self.team.write(f"once-{night}.csv", rows)
                    record_contacts.run(context.lakehouse, file)
        return killed

    def lived(self) -> Lived:
        """What the lists, the team and the simulator tell of it."""
        users = read_truth(self.log, "users").to_pylist()
        contacted = read_truth(self.log, "contacted").to_pylist()
        return Lived(
            self.read(RETENTION_LISTS),
            self.team.contacts,
            {row["user_id"]: row["cancel_ts"] for row in users if row["cancel_ts"] is not None},
            {row["user_id"]: row["untreated_cancel_ts"] for row in contacted},
        )

    def read(self, spec: TableSpec) -> list[dict[str, Any]]:
        """All rows of a table."""
        table = self.world.lakehouse / spec.path
        rows: list[dict[str, Any]] = DeltaTable(str(table)).to_pyarrow_table().to_pylist()
        return rows


def find_faults(month: Month, lived: Lived) -> list[str]:
    """What lists, contacts, effect and page say otherwise than what was done."""
    effect = month.read(EFFECT)
    return [
        *faults_of_lists(lived, month.nights),
        *faults_of_contacts(lived, month.read(CONTACTS)),
        *faults_of_effect(lived, effect),
        *_faults_of_page(month, effect),
    ]


def _faults_of_page(month: Month, effect: list[dict[str, Any]]) -> Iterator[str]:
    """Counts that the page of the last night lacks."""
    page = (month.world.lakehouse / "reports" / "monitoring.html").read_text(encoding="utf-8")
    newest = _newest_total(effect)
    for said in (f"{newest['n_listed']:,} were listed", f"{newest['n_control']:,} withheld"):
        if said not in page:
            yield f"the page of the last night doesn't say: {said}"


def _newest_total(effect: list[dict[str, Any]]) -> dict[str, Any]:
    """All listed users of all weeks, as the last night that knew one more has counted them."""
    key = ("total", "all", "listed")
    totals = [row for row in effect if (row["period"], row["slice"], row["basis"]) == key]
    return max(totals, key=lambda row: row["run_date"])


def say_effect(month: Month, lived: Lived) -> None:
    """What the month has come to, beside the truth."""
    weeks = lived.count_effect()
    total = _newest_total(month.read(EFFECT))
    counted = [n for monday, n in weeks.items() if monday <= total["week_start"]]
    sums = sum(counted, Counter[str]())
    ends = "no interval yet"
    if total["always_low"] is not None:
        ends = f"{total['always_low']:.1%} to {total['always_high']:.1%}"
    console.print(
        f"  {total['n_weeks']} weeks counted: {total['n_listed']} listed, {total['n_contacted']} "
        f"of them reached, {total['n_listed_cancel']} cancelled ({sums['would_cancel']} had nobody "
        f"called); {total['n_control']} withheld, {total['n_control_cancel']} cancelled; saved "
        f"{total['saved']:.1%} ({ends}), in truth "
        f"{(sums['would_cancel'] - sums['n_listed_cancel']) / sums['n_listed']:.1%}"
    )


@judged
def main(
    nights: Annotated[
        int, typer.Option(min=_FEWEST, help="From 29 on two weeks of lists are counted.")
    ] = 30,
    users: Annotated[int, typer.Option(help="Of the log.")] = 450,
    seed: Annotated[int, typer.Option(help="Of the log, the calls and the kills.")] = 23,
    work: Annotated[Path | None, typer.Option(help="Folder to leave all in; else none.")] = None,
) -> None:
    """Rehearse a month, and say whether anything was lost or counted twice."""
    with tempfile.TemporaryDirectory(prefix="churn_spark-") as folder:
        month = Month.begin((work or Path(folder)).resolve(), nights, users, seed)
        for line in month.rehearse():
            console.print(f"  {line}")
        lived = month.lived()
        faults = find_faults(month, lived)
        console.print(
            f"{nights} nights of {users:,} users, each killed once at a write and done again; "
            f"{len(lived.contacts)} calls, each told four times, by file and by service; lists, "
            f"contacts, effect and page are as counted by hand: {holds(not faults)}"
        )
        for fault in faults:
            console.print(f"  {fault}")
        say_effect(month, lived)
        killed = BuiltLakehouse(month.live_undisturbed())
        differing = say_tables(BuiltLakehouse(month.world.lakehouse), killed)
        console.print(f"The same tables as undisturbed: {holds(not differing)}")


if __name__ == "__main__":
    typer.run(main)
