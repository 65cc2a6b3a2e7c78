"""How faithful, how lawful, how fast the simulator is: `make bench-simulate`.

Takes about six minutes and 13 GB of disk on two cores. Compares with the published figures of
the full log, and with the mini log where CHURN_SAMPLE_DATA names its folder.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table
from scipy.stats import ks_2samp
from sklearn.metrics import average_precision_score, roc_auc_score

from bench.event_log import PAGES, REDIRECTS, EventLog, read_log
from bench.log_figures import PUBLISHED, hour_profile, measure_log
from bench.processes import Usage, run_watched
from bench.promises import holds, judged
from bench.two_samples import CATALOGUE_COLUMN, build_behaviour, tell_apart
from churn_spark.evaluation.expected import expected_average_precision, expected_roc_auc
from churn_spark.simulate.probabilities import build_probabilities
from churn_spark.simulate.settings import SimulationSettings
from churn_spark.simulate.truth import read_truth
from churn_spark.simulate.world import simulate_log

FULL_USERS = 22_277
FULL_SECONDS, FULL_MB, MINI_SECONDS = 8 * 60, 4096, 5
WORLDS_COMPARED = 5
MAX_AUC = 0.60
AS_OF = (date(2018, 10, 15), date(2018, 11, 1), date(2018, 11, 15))
OUTCOMES_DRAWN = 1000
console = Console(width=110)


def say_published(log: EventLog) -> None:
    """Compare with the full log's figures."""
    values = measure_log(log)
    table = Table("figure", "published", "simulated", "of the tolerance", "", title="The full log")
    for figure in PUBLISHED:
        value = values[figure.name]
        table.add_row(
            figure.name,
            f"{figure.published:,.4g}",
            f"{value:,.4g}",
            f"{figure.miss(value):.0%}",
            holds(figure.miss(value) <= 1.0),
        )
    console.print(table)


def timing_rules(log: EventLog) -> Iterator[tuple[str, int, int]]:
    """Count, for every rule of the clock, the events it is about and those that break it."""
    same_user = np.diff(log.user) == 0
    same_session = same_user & (np.diff(log.session) == 0)
    is_next = same_session & (np.diff(log.item) == 1)
    seconds = np.diff(log.ts)
    song = log.is_page("NextSong")
    redirect = np.isin(log.page, [PAGES.index(page) for page in REDIRECTS])
    about = is_next & song[:-1] & song[1:]
    wrong = about & (seconds != log.length[:-1].astype(np.int64))
    yield "a song starts int(length) s after the song before it", about.sum(), wrong.sum()
    # The last song before each event, as a position; a song never starts while it plays.
    last = np.maximum.accumulate(np.where(song, np.arange(len(song)), -1))[:-1]
    over = (log.user[last] == log.user[1:]) & (log.session[last] == log.session[1:]) & (last >= 0)
    about = over & song[1:]
    wrong = about & (log.ts[1:] < log.ts[last] + log.length[last].astype(np.int64))
    yield "no song starts while another plays", about.sum(), wrong.sum()
    about = is_next & redirect[1:]
    yield (
        "a redirect comes 1 s after the page before it",
        about.sum(),
        (about & (seconds != 1)).sum(),
    )
    about = same_user & ~same_session
    yield "30 min or more between two sessions", about.sum(), (about & (seconds < 1800)).sum()
    about = same_session
    yield "items of a session count up", about.sum(), (about & (np.diff(log.item) < 1)).sum()
    gone = log.is_page("Cancellation Confirmation")
    yield "no event after a cancellation", gone.sum(), (gone[:-1] & same_user).sum()
    first = np.flatnonzero(np.diff(log.user, prepend=-1))
    late = log.registered[first] >= log.ts[first]
    yield "registration before the first event", len(first), late.sum()


def say_rules(log: EventLog, folder: Path) -> None:
    """Check the rules of the clock on every event."""
    table = Table("rule", "cases", "broken", "", title=f"Rules, on {len(log.ts):,} events")
    users = read_truth(folder, "users")
    idle = sum(sessions < 1 for sessions in users["n_sessions"].to_pylist())
    for rule, cases, broken in [
        *timing_rules(log),
        ("no user without a session", len(users), idle),
    ]:
        table.add_row(rule, f"{cases:,}", f"{broken:,}", holds(broken == 0 and cases > 0))
    console.print(table)


def say_two_samples(given: EventLog, work: Path) -> None:
    """Try to tell simulated users from given ones."""
    expected = build_behaviour(given)
    behaviour = [name for name in expected if name != CATALOGUE_COLUMN]
    worlds = []
    for seed in range(42, 42 + WORLDS_COMPARED):
        simulate_log(SimulationSettings(users=given.n_users, seed=seed), work)
        log = read_log(work / "events")
        worlds.append((build_behaviour(log), hour_profile(log)))
    aucs, with_songs = (
        np.array([tell_apart(expected[chosen], found[chosen], seed=0) for found, _ in worlds])
        for chosen in (behaviour, list(expected))
    )
    console.print(
        f"Two-sample test against the mini log, {len(behaviour)} behaviour columns, "
        f"{WORLDS_COMPARED} worlds of {given.n_users} users: AUC {aucs.mean():.3f} "
        f"({aucs.min():.3f} to {aucs.max():.3f}), expected below {MAX_AUC}: "
        f"{holds(aucs.mean() < MAX_AUC)}"
    )
    console.print(
        f"  with the share of different songs, which is the catalogue's: {with_songs.mean():.3f}"
    )
    p_values = {
        name: min(
            ks_2samp(expected[name].dropna(), found[name].dropna()).pvalue for found, _ in worlds
        )
        for name in behaviour
    }
    worst = min(p_values, key=lambda name: p_values[name])
    console.print(
        f"  smallest Kolmogorov-Smirnov p-value of {len(behaviour) * WORLDS_COMPARED}: "
        f"{p_values[worst]:.4f} ({worst})"
    )
    profile = np.mean([hours for _, hours in worlds], axis=0)
    console.print(
        "  hour profile: correlation "
        f"{np.corrcoef(profile, hour_profile(given))[0, 1]:.3f}, largest difference "
        f"{100 * np.abs(profile - hour_profile(given)).max():.2f} points"
    )


def say_oracle(folder: Path, title: str) -> None:
    """Compare what the true probabilities reach with what they should."""
    table = Table(
        "as of", "users", "cancels", "expected", "AUC", "expected", "95 % of outcomes", "AP",
        "expected", "", title=title,
    )  # fmt: skip
    rng = np.random.default_rng(0)
    for as_of in AS_OF:
        rows = build_probabilities(folder, as_of, horizon_days=14, gap_days=1)
        known = rows.filter(rows["label"].is_valid())
        chance, label = known["cancel_probability"].to_numpy(), known["label"].to_numpy()
        drawn = rng.random((OUTCOMES_DRAWN, len(chance))) < chance
        low, high = np.percentile([roc_auc_score(d, chance) for d in drawn], [2.5, 97.5])
        auc = roc_auc_score(label, chance)
        table.add_row(
            str(as_of),
            f"{len(label):,}",
            f"{label.sum():,}",
            f"{chance.sum():,.1f}",
            f"{auc:.4f}",
            f"{expected_roc_auc(chance, chance):.4f}",
            f"{low:.4f} to {high:.4f}",
            f"{average_precision_score(label, chance):.4f}",
            f"{expected_average_precision(chance, chance):.4f}",
            holds(low <= auc <= high),
        )
    console.print(table)


def say_usage(what: str, usage: Usage, seconds: float, memory_mb: float | None) -> None:
    """Compare time and memory with what is expected."""
    is_so = usage.seconds < seconds and (memory_mb is None or usage.peak_mb < memory_mb)
    console.print(f"{what}: {' '.join(usage.last_line.split())}")
    console.print(
        f"  {usage.seconds:.1f} s wall with start, peak {usage.peak_mb:,.0f} MiB in all; expected "
        f"below {seconds:.0f} s{f' and {memory_mb:,.0f} MiB' if memory_mb else ''}: {holds(is_so)}"
    )


@judged
def main(
    users: Annotated[int, typer.Option(help="Users of the full log.")] = FULL_USERS,
    work: Annotated[Path | None, typer.Option(help="Where to write; a temporary folder.")] = None,
) -> None:
    """Print what is promised of the simulator, and whether it holds."""
    folder = Path(tempfile.mkdtemp(prefix="churn_spark-", dir=work))
    try:
        mini = run_watched("jobs.simulate_events", "--out", str(folder / "mini"))
        say_usage("The mini log", mini, MINI_SECONDS, None)
        full = folder / "full"
        usage = run_watched("jobs.simulate_events", "--users", str(users), "--out", str(full))
        say_usage("The full log", usage, FULL_SECONDS, FULL_MB)
        size = sum(path.stat().st_size for path in full.glob("events/*/*.json"))
        console.print(f"  {size / 1e9:.2f} GB in events/")
        log = read_log(full / "events")
        say_published(log)
        say_rules(log, full)
        del log
        say_oracle(full, "The true probabilities, memoryless; 14 days after a gap of one")
        fading = SimulationSettings(users=8192, regime="degrading", growth=0.0)
        simulate_log(fading, folder / "fading")
        say_oracle(folder / "fading", "The true probabilities, degrading; 14 days, a gap of one")
        sample = os.environ.get("CHURN_SAMPLE_DATA")
        if sample:
            given = read_log(Path(sample) / "customer_churn_mini.json.gz")
            say_two_samples(given, folder / "world")
        else:
            console.print("No CHURN_SAMPLE_DATA: the mini log isn't there to compare with")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    typer.run(main)
