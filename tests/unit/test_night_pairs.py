"""Two nights at once: what is compared, and when so many pairs are a success."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from rich.console import Console

from bench import night_pairs
from bench.night_pairs import NightPairs, Pair, kill, say_pairs

FIRST, DUE = date(2018, 11, 24), date(2018, 12, 1)
DAY = date(2018, 11, 25)


class World:
    """A lakehouse that holds the dates of its nights and the versions of its model."""

    nights = (FIRST, DUE)

    def __init__(self, versions: int = 2) -> None:
        self.lived: list[date] = []
        self.versions = versions

    def restore(self) -> None:
        self.lived.clear()

    def content(self) -> dict[str, str]:
        return {"scores": " ".join(map(str, self.lived))}

    def n_versions(self) -> int:
        return self.versions


def pairs_that_leave(world: World, left: list[date], monkeypatch: pytest.MonkeyPatch) -> NightPairs:
    """Pairs of which both nights end and leave some dates, the second one last."""

    class Done:
        pid, returncode = 2, 0

        def communicate(self) -> tuple[str, str]:
            return "", ""

    def begin(_: NightPairs, __: object, ___: float) -> tuple[Done, Done]:
        world.lived[:] = left
        return Done(), Done()

    monkeypatch.setattr(NightPairs, "_begin_both", begin)
    monkeypatch.setattr(NightPairs, "holder", lambda _: 2)
    given: Any = world
    return NightPairs(given, world.lived.append)


@pytest.mark.parametrize(("left", "found"), [([DAY, DAY], []), ([DAY], ["scores"])])
def test_pair_is_compared_by_what_it_has_left_itself(
    left: list[date], found: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # What is expected is lived in the same lakehouse, the first time that it is asked for.
    pairs = pairs_that_leave(World(), left, monkeypatch)
    assert pairs.differences((DAY, DAY), 0.0) == found
    pairs = pairs_that_leave(World(), left[:1], monkeypatch)
    assert pairs.differences_of_killed(DAY, 0.0, lambda first, _: first) == (True, [])
    assert pairs.differences_of_killed(DAY, 0.0, lambda *_: None) == (False, [])


@pytest.mark.parametrize(("versions", "found"), [(2, []), (1, ["version 2"])])
def test_pair_with_a_night_that_is_due_must_have_trained_a_challenger(
    versions: int, found: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = pairs_that_leave(World(versions), [DAY, DUE], monkeypatch)
    assert pairs.differences((DAY, DUE), 0.0) == found
    pairs = pairs_that_leave(World(1), [DAY, DAY], monkeypatch)
    assert pairs.differences((DAY, DAY), 0.0) == []


def test_night_that_has_ended_is_not_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[int] = []
    monkeypatch.setattr(night_pairs.os, "killpg", lambda pid, _: killed.append(pid))

    class Night:
        def __init__(self, pid: int, code: int | None) -> None:
            self.pid, self.poll = pid, lambda: code

    ended: Any = Night(1, 0)
    alive: Any = Night(2, None)
    assert (kill(ended), kill(alive), killed) == (None, alive, [2])


PLAIN = Pair("plain", [], is_challenged=False)
CHALLENGED = Pair("challenged", [], is_challenged=True)
KILLED = Pair("killed", [], is_challenged=False, is_killed=True)


@pytest.mark.parametrize(
    ("tried", "verdict"),
    [
        ([], "FAILS"),
        ([CHALLENGED], "holds"),
        ([PLAIN], "FAILS"),
        ([CHALLENGED, PLAIN, PLAIN, KILLED], "holds"),
        ([CHALLENGED, PLAIN, PLAIN, PLAIN], "FAILS"),
        ([CHALLENGED, PLAIN, PLAIN, KILLED, Pair("odd", ["scores"], True)], "FAILS"),
    ],
)
def test_pairs_hold_only_if_challengers_were_trained_and_nights_killed(
    tried: list[Pair], verdict: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    console = Console(record=True, width=300)
    monkeypatch.setattr(night_pairs, "console", console)
    say_pairs([PLAIN, *tried], len(tried))
    assert console.export_text().endswith(f": {verdict}\n")
