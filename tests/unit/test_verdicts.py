"""What the benches promise can be broken, by trying nothing too, and the exit code says so."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from rich.console import Console

from bench import campaign_years, effect, kills, loading_kills, model, soak, uplift
from bench.campaign_town import Setting
from bench.campaign_world import LIVES, Year
from bench.kills import KilledNights
from bench.load import Load
from bench.overrides import describe_overrides
from bench.promises import holds, judged, promise_nothing
from bench.season import alerts_of_change, overrides_of, plan_season, puts_away
from bench.serve import PROMISED_PER_S, is_fast, is_prompt
from bench.smoke import Cost
from bench.uplift import Found, Kind
from churn_spark.monitoring.alerts.alerts import Alert

BENCHES = {
    path.stem: path.read_text(encoding="utf-8")
    for path in sorted((Path(__file__).resolve().parents[2] / "bench").glob("*.py"))
}
SHARES = {f"{kind}, {looks}": 0.95 for kind in ("listing", "contact") for looks in
          ("one look", "all looks")}  # fmt: skip


def test_program_ends_with_1_where_a_promise_is_broken() -> None:
    @judged
    def main(figure: int) -> None:
        assert holds(figure < 2) == ("holds" if figure < 2 else "[bold red]FAILS[/]")
        holds(True)

    main(1)
    with pytest.raises(typer.Exit) as broken:
        main(figure=2)
    assert broken.value.exit_code == 1
    # What an earlier program has said is not the next one's.
    main(1)


def test_program_that_shows_nothing_has_kept_no_promise(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(typer.Exit) as broken:
        judged(lambda: None)()
    assert broken.value.exit_code == 1
    assert capsys.readouterr().err.startswith("error: found no figure, expected some")
    # One that only shows figures has done what it was asked for.
    judged(promise_nothing)()


def test_bench_of_a_log_that_is_not_there_says_so_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    console = Console(record=True, width=200)
    monkeypatch.setattr(model, "console", console)
    monkeypatch.setattr(model, "build_session", lambda *_: SimpleNamespace(stop=lambda: None))
    monkeypatch.delenv("CHURN_SAMPLE_DATA", raising=False)
    with pytest.raises(typer.Exit) as broken:
        model.main(only=["mini"], work=tmp_path)
    assert broken.value.exit_code == 1
    assert "No CHURN_SAMPLE_DATA: mini is left out" in console.export_text()


def test_loading_that_is_to_be_killed_judges_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading_kills, "load", lambda *_: None)
    with pytest.raises(typer.Exit) as ended:
        loading_kills.main(work=tmp_path, to_load=tmp_path)
    assert ended.value.exit_code == 0


def test_programs_that_mark_figures_are_judged() -> None:
    marking = [
        name for name, text in BENCHES.items() if "holds(" in text and "typer.run(main)" in text
    ]
    assert len(marking) > 10
    assert [name for name in marking if "\n@judged\ndef main(" not in BENCHES[name]] == []


def test_verdict_is_printed_by_what_knows_its_markup() -> None:
    def calls(node: ast.AST, name: str) -> list[ast.Call]:
        found = [one for one in ast.walk(node) if isinstance(one, ast.Call)]
        return [one for one in found if ast.unparse(one.func) == name]

    plain = [
        name
        for name, text in BENCHES.items()
        for echo in calls(ast.parse(text), "typer.echo")
        if calls(echo, "holds")
    ]
    assert plain == []


@pytest.mark.parametrize(
    ("saves", "seen", "is_kept"), [(0.3, 0.47, True), (0.3, 0.0, False), (0.0, 0.01, True)]
)
def test_intervals_must_say_something(saves: float, seen: float, is_kept: bool) -> None:
    found = {**SHARES, "ever called effective": seen}
    assert effect.keeps_promises(found, saves) is is_kept
    assert not effect.keeps_promises({**found, "ever called effective": 0.2}, saves)


@pytest.mark.parametrize("seen", [0.47, 0.0])
def test_bench_of_the_effect_fails_as_all_others_do(
    seen: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure(n_worlds: int, seed: int, saves: float) -> dict[str, float]:
        return {**SHARES, "ever called effective": seen if saves else 0.01}

    console = Console(record=True, width=200)
    monkeypatch.setattr(effect, "measure", measure)
    monkeypatch.setattr(effect, "console", console)
    with nullcontext() if seen else pytest.raises(typer.Exit):
        effect.main(worlds=3, seed=1)
    verdict = "holds" if seen else "FAILS"
    assert console.export_text().endswith(f"all promises kept: {verdict}\n")


def world(
    by_effect: float, by_risk: float, at_best: float, *, opens: bool, harmed: float = float("nan")
) -> Found:
    """Of a product whose interval reaches one to either side."""
    learnt: Any = SimpleNamespace(
        is_better=opens, difference=SimpleNamespace(value=0.0, always=SimpleNamespace(low=-1.0))
    )
    return Found(by_effect, by_risk, at_best, harmed, learnt)


@pytest.mark.parametrize(
    ("kind", "found", "is_kept"),
    [
        ("differ", world(2.5, 0.7, 2.6, opens=True, harmed=-4.0), True),
        ("differ", world(2.5, 0.7, 2.6, opens=True), False),
        ("differ", world(2.5, 0.7, 2.6, opens=False, harmed=-4.0), False),
        ("differ", world(2.5, 0.7, 2.6, opens=True, harmed=0.1), False),
        ("differ", world(1.2, 0.7, 2.6, opens=True, harmed=-4.0), False),
        ("proportional", world(0.74, 0.79, 0.86, opens=False), True),
        ("proportional", world(0.74, 0.79, 0.86, opens=True), False),
        ("proportional", world(0.1, 0.79, 0.86, opens=False), False),
        ("none", world(0.0, 0.0, 0.0, opens=False), True),
        ("none", world(-1.1, 0.0, 0.0, opens=False), False),
    ],
)
def test_gate_must_open_where_effects_differ(kind: Kind, found: Found, is_kept: bool) -> None:
    assert uplift.keeps_promises(kind, [found] * 10) is is_kept


@pytest.mark.parametrize(("n_alone", "is_kept"), [(5, True), (4, False)])
def test_class_that_is_left_alone_must_be_there_in_half_of_the_worlds(
    n_alone: int, is_kept: bool
) -> None:
    without = world(2.5, 0.7, 2.6, opens=True)
    alone = world(2.5, 0.7, 2.6, opens=True, harmed=-4.0)
    found = [alone] * n_alone + [without] * (10 - n_alone)
    assert uplift.keeps_promises("differ", found) is is_kept


@pytest.mark.parametrize(
    ("history_days", "said"),
    [(100, "training.history_days=49 (shipped: 7)"), (61, "settings as shipped")],
)
def test_season_says_what_of_its_settings_is_not_as_shipped(history_days: int, said: str) -> None:
    assert describe_overrides(overrides_of(plan_season(history_days, 60))) == said


def test_alerts_of_the_bad_model_are_none_of_the_change() -> None:
    season = plan_season(100, 60)

    def alert(days: int, key: str = "drift:songs") -> Alert:
        found: Any = SimpleNamespace(key=key, opened=season.change + timedelta(days=days))
        return found

    alerts = [alert(-3), alert(4), alert(4, "model:drifted"), alert(22), alert(29)]
    assert alerts_of_change(alerts, "drift:", season) == [alerts[1]]
    assert season.bad == date(2018, 10, 1) + timedelta(days=142)


@pytest.mark.parametrize(
    ("lost", "windows", "is_kept"), [(0, 12, True), (0, 0, False), (1, 12, False)]
)
def test_no_false_decision_among_no_window_is_no_promise_kept(
    lost: int, windows: int, is_kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    years = [Year([], 51), Year([5, 9, 30], 510), Year([7] * lost, windows)]
    for year in years:
        year.auc, year.off, year.off_on_list = [0.8], [0.001], [0.0]

    def live(*_: object) -> Iterator[dict[str, Year]]:
        yield {life.name: year for life, year in zip(LIVES, years, strict=True)}

    monkeypatch.setattr(campaign_years, "live_years", live)
    console = Console(record=True, width=200)
    main = judged(lambda: campaign_years.say_years([1], Setting(), console))
    with nullcontext() if is_kept else pytest.raises(typer.Exit):
        main()
    told = console.export_text()
    assert f"{lost} false decisions in {windows} judged windows" in told
    assert "policy.schedule_days=91 (shipped: 7)" in told
    assert "intervals of 20 draws (shipped: 400), F1 at a threshold of 0.2" in told
    assert f"as often as the other learner: {windows * 3 / 510:.2f}" in told


def test_requests_that_fail_are_no_answers() -> None:
    assert is_fast(Load(2.0 * PROMISED_PER_S, 1.0, 2.0, 0, 9.0))
    assert not is_fast(Load(2.0 * PROMISED_PER_S, 1.0, 2.0, 9000, 9.0))
    assert not is_fast(Load(PROMISED_PER_S - 1.0, 1.0, 2.0, 0, 9.0))
    assert is_prompt(Load(500.0, 1.0, 2.0, 0, 9.0))
    assert not is_prompt(Load(500.0, 1.0, 2.0, 1, 9.0))
    assert not is_prompt(Load(500.0, 1.0, 20.0, 0, 9.0))


@pytest.mark.parametrize(
    ("versions", "wrong", "is_right"),
    [("12", [], True), ("12", ["one"], False), ("1", [], False), ("", [], False)],
)
def test_both_champions_must_have_answered(versions: str, wrong: list[str], is_right: bool) -> None:
    assert soak.Findings(wrong=wrong, versions=Counter(versions)).are_right is is_right


@pytest.mark.parametrize(("kills_of_a_night", "verdict"), [(3, "holds"), (0, "FAILS")])
def test_night_that_was_never_killed_shows_nothing(
    kills_of_a_night: int, verdict: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(KilledNights, "prepare", lambda _: None)
    monkeypatch.setattr(KilledNights, "judged_challengers", lambda _: ["version 2: reject"])
    monkeypatch.setattr(kills, "find_differences", lambda *_: (kills_of_a_night, []))
    console = Console(record=True, width=300)
    kills.say_kills(tmp_path, console)
    assert console.export_text().endswith(f"registry and decision: {verdict}\n")


def test_night_that_does_nothing_is_no_cheap_one() -> None:
    stored = Cost(6, 39.3)
    assert Cost(6, 40.0).fallen_below(stored) == Cost(3, 20.0).fallen_below(stored) == []
    fallen = Cost(0, 0.0).fallen_below(stored)
    assert [one.split(":")[0] for one in fallen] == ["Spark jobs", "CPU in calibration loops"]


def test_champion_is_put_away_by_the_decision_that_names_another() -> None:
    def entry(before: str | None, after: str | None) -> Any:
        states = [version and SimpleNamespace(champion=version) for version in (before, after)]
        return SimpleNamespace(before=states[0], after=states[1])

    assert puts_away(entry("7", "8"), "7")
    for other in (entry("7", "7"), entry("6", "7"), entry(None, "7"), entry("7", None)):
        assert not puts_away(other, "7")
