"""What the measurements of speed say: dearer nights, pages with figures, processes' CPU."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console
from typer.testing import CliRunner

from bench import many_nights, smoke, speed
from bench.delivered_log import split
from bench.lived_so_far import LivedSoFar
from bench.measured_night import MeasuredNight, Step
from bench.processes import CpuMeter, Usage
from bench.smoke import STORED, Cost
from bench.speed_page import BEGIN, END, Size, describe, draw, update_page
from bench.speed_run import NIGHTS, PIPELINE, Run
from churn_spark.pipeline import console

NIGHT = MeasuredNight("2018-12-02", [Step("start", 3.0, 5.0, 0, 0.0), Step("x", 1.0, 2.0, 7, 4.5)])


def _run(who: str, wall_s: float, night: str = NIGHTS[0]) -> Run:
    steps = [vars(step) for step in NIGHT.steps]
    return Run(who, night, wall_s, 7.0, 900.0, 800.0, 100.0, steps, [])


@pytest.fixture
def sizes() -> list[Size]:
    """Two logs with two nights each and a script beside the first."""
    return [
        Size(
            "A log",
            users,
            80.0,
            "2 cores",
            "make bench-speed",
            [_run(PIPELINE, 30), _run("DuckDB", 10), _run(PIPELINE, 20, NIGHTS[1])],
        )
        for users in (226, 2250)
    ]


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (Cost(110, 55.0), []),
        (Cost(111, 50.0), ["Spark jobs: found 111, expected at most 1.1 x 100"]),
        (Cost(100, 56.0), ["CPU in calibration loops: found 56, expected at most 1.1 x 50"]),
        (Cost(10, 5.0), []),
    ],
)
def test_night_is_dearer_beyond_a_tenth(now: Cost, told: list[str]) -> None:
    assert now.grown_beyond(Cost(100, 50.0)) == told


def test_cost_is_the_same_when_stored_and_read(tmp_path: Path) -> None:
    Cost(100, 50.5).write(tmp_path / "cost.json")
    assert Cost.read(tmp_path / "cost.json") == Cost(100, 50.5)
    assert Cost.read(STORED).jobs > 0


def test_totals_are_over_all_steps() -> None:
    assert (NIGHT.total("wall_s"), NIGHT.total("jobs")) == (4.0, 7)
    text = json.dumps({"night": NIGHT.night, "steps": [vars(step) for step in NIGHT.steps]})
    assert MeasuredNight.from_json(text) == NIGHT


def test_page_holds_the_figures_between_its_marks(sizes: list[Size]) -> None:
    figures = describe(sizes)
    page = update_page(f"before\n{BEGIN}\nold\n{END}\nafter\n", figures)
    assert page.startswith(f"before\n{BEGIN}\n![Wall time](speed.svg)\n\n### A log: 226 users")
    assert page.count("Machine: 2 cores. Command: `make bench-speed`.") == 2
    assert page.endswith(f"{END}\nafter\n")
    assert "first night, 3.0 times DuckDB" in page
    assert "| x | 1.0 | 2.0 | 7 | 4.5 | 1.0 | 2.0 | 7 | 4.5 |" in page
    assert update_page(page, figures) == page
    with pytest.raises(ValueError, match="expected both"):
        update_page("no marks", figures)


def test_page_says_where_the_start_of_others_was_not_measured(sizes: list[Size]) -> None:
    assert "is without their start" not in describe(sizes)
    peer = replace(_run("DuckDB", 10), steps=[vars(NIGHT.steps[1])])
    old = replace(sizes[1], runs=[_run(PIPELINE, 30), peer])
    assert describe([sizes[0], old]).count("CPU of scripts and engines is without their start") == 1


def test_start_of_a_script_counts_from_where_its_process_begins() -> None:
    work = "from bench.peers.shared import Stopwatch; import json, time; watch = Stopwatch()\n"
    work += "with watch.stage('x'): time.sleep(0.1)\nprint(json.dumps(watch.steps))"
    said = subprocess.run([sys.executable, "-c", work], capture_output=True, check=True).stdout
    start, stage = json.loads(said)
    assert (start["name"], stage["name"]) == ("start", "x")
    # LightGBM and pandas are imported before the stopwatch is made.
    assert stage["cpu_s"] < start["cpu_s"]


def test_short_run_leaves_the_other_figures_as_they_are(
    sizes: list[Size], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "speed.md"
    page.write_text(f"{BEGIN}\n{END}\n")
    speed.write_sizes(page, sizes)
    log = SimpleNamespace(size=90e6)
    monkeypatch.setattr(speed, "make_log", lambda *_: ("The mini log", log))
    monkeypatch.setattr(speed, "describe_machine", lambda: "8 cores")
    again = [_run(PIPELINE, 60), _run("DuckDB", 15), _run(PIPELINE, 25, NIGHTS[1])]
    monkeypatch.setattr(speed, "run_nights", lambda *_: iter(again))
    speed.main(only=["mini"], page=page, work=tmp_path)
    mini = Size("The mini log", 226, 90.0, "8 cores", "make bench-speed ONLY=mini", again)
    assert speed.read_sizes(page) == [mini, sizes[1]]
    assert page.read_text() == update_page(page.read_text(), describe([mini, sizes[1]]))
    assert page.read_text().count("Machine: 2 cores. Command: `make bench-speed`.") == 1


@pytest.mark.parametrize(("differences", "verdict"), [([], "holds"), (["os: 3 rows"], "FAILS")])
def test_features_of_a_peer_must_be_ours(
    differences: list[str], verdict: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    console = Console(record=True, width=200)
    monkeypatch.setattr(speed, "console", console)
    peer = replace(_run("DuckDB", 10), differences=differences)
    speed.say_features("mini", [_run(PIPELINE, 30), peer])
    said = f"mini: the features of DuckDB, first night, are ours: {verdict}\n"
    assert console.export_text() == said


@pytest.mark.parametrize(
    ("costs", "verdict"),
    [
        ({10: 50.0, 100: 70.0, 365: 60.0}, "holds"),
        ({10: 50.0, 365: 60.1}, "FAILS"),
        ({10: 50.0}, "FAILS"),
    ],
)
def test_last_nights_cost_no_more_than_a_fifth_above_the_tenth(
    costs: dict[int, float], verdict: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    console = Console(record=True, width=200)
    monkeypatch.setattr(many_nights, "console", console)
    many_nights.say_costs(40, costs)
    *rows, said = console.export_text().splitlines()
    assert len(rows) == len(costs)
    assert rows[0].endswith("night 10 took 50.0 CPU-seconds, 1.00 times as much as night 10")
    assert said == f"At most 1.2 times night 10: {verdict}"


def test_nights_that_were_broken_off_are_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nights 2 and 3 are measured; 0 and 1, and 4, share a process."""
    lived: list[int] = []

    def run(module: str, *arguments: str) -> Usage:
        if module == "bench.lived_nights":
            first, end = map(int, arguments[1:3])
            for number in range(first, end):
                lived.append(number)
                LivedSoFar.read(tmp_path).and_one().write(tmp_path)
                if number == 0 and len(lived) == 1:
                    raise SystemExit("broken off")
        else:
            lived.append(LivedSoFar.read(tmp_path).n_nights)
            if len(lived) == 4:
                raise SystemExit("broken off")
        return Usage(1.0, 1.0, 1.0, 0.0, json.dumps(asdict(NIGHT)))

    monkeypatch.setattr(many_nights, "run_watched", run)
    monkeypatch.setattr(many_nights, "deliver", lambda *_: None)
    for _ in range(2):
        with pytest.raises(SystemExit):
            many_nights.live(tmp_path, 5, [range(2, 4)], ())
    assert many_nights.live(tmp_path, 5, [range(2, 4)], ()) == {2: NIGHT, 3: NIGHT}
    # The third night was broken off before it was noted, so it was lived again.
    assert lived == [0, 1, 2, 3, 3, 4]


def test_picture_is_the_same_for_the_same_figures(sizes: list[Size], tmp_path: Path) -> None:
    for name in ("one.svg", "two.svg"):
        draw(sizes, tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


def test_log_is_split_before_its_newest_whole_day(tmp_path: Path) -> None:
    day = 86_400_000
    times = [number * day + i for number in (3, 0, 1, 2) for i in range(4)] + [4 * day]
    with gzip.open(tmp_path / "log.json.gz", "wt") as lines:
        lines.writelines(f'{{"ts": {ts}}}\n' for ts in times)
    log = split(tmp_path / "log.json.gz", tmp_path)
    log.deliver(tmp_path / "incoming", 0)
    assert (tmp_path / "incoming" / "first.json").read_text().count("\n") == 12
    log.deliver(tmp_path / "incoming", 1)
    found = (tmp_path / "incoming" / "last.json").read_text()
    assert [json.loads(line)["ts"] // day for line in found.splitlines()] == [3, 3, 3, 3, 4]


def test_cpu_seconds_of_a_process_that_has_ended_are_kept() -> None:
    meter = CpuMeter()
    work = "import time\nwhile time.process_time() < 1: pass"
    before = meter.read()
    # Whoever ignores its children isn't told what they took.
    parent = "import signal, subprocess, sys\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
    parent += f"subprocess.run([sys.executable, '-c', {work!r}])"
    subprocess.run([sys.executable, "-c", parent], check=True)
    assert meter.read() - before > 0.6


def test_listener_is_told_each_step_that_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    told: list[str] = []
    with console.each_step_told_to(lambda step, _: told.append(step)):
        with console.closing_line("score_users"):
            pass
        with pytest.raises(ZeroDivisionError), console.closing_line("monitor_model"):
            raise ZeroDivisionError
    with console.closing_line("later"):
        pass
    assert told == ["score_users"]


@pytest.mark.parametrize(
    ("found", "runs", "code"),
    [
        ([Cost(100, 50.0)], 1, 0),
        ([Cost(100, 60.0), Cost(100, 52.0)], 2, 0),
        ([Cost(100, 60.0), Cost(100, 58.0), Cost(100, 59.0)], 3, 1),
        ([Cost(150, 50.0), Cost(150, 50.0), Cost(150, 50.0)], 3, 1),
    ],
)
def test_smoke_fails_when_the_cheapest_of_three_nights_is_too_dear(
    found: list[Cost], runs: int, code: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    left = iter(found)
    Cost(100, 50.0).write(tmp_path / "smoke.json")
    monkeypatch.setattr(smoke, "STORED", tmp_path / "smoke.json")
    monkeypatch.setattr(smoke, "simulate_log", lambda *_: None)
    monkeypatch.setattr(smoke, "measure", lambda *_: next(left))
    done = CliRunner().invoke(smoke.app, [])
    assert (done.exit_code, len(list(left))) == (code, len(found) - runs)
    assert ("is dearer than smoke.json says" in done.output) is bool(code)


def test_smoke_stores_what_it_has_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(smoke, "STORED", tmp_path / "smoke.json")
    monkeypatch.setattr(smoke, "simulate_log", lambda *_: None)
    monkeypatch.setattr(smoke, "measure", lambda *_: Cost(700, 99.0))
    assert CliRunner().invoke(smoke.app, ["--store"]).exit_code == 0
    assert Cost.read(tmp_path / "smoke.json") == Cost(700, 99.0)
