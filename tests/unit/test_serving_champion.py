"""The champion is exchanged whole, and only for a model that has shown what it can."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from serving_builders import (
    FakeSource,
    build_service,
    fill_tables,
    make_bundle,
    make_config,
    running,
)

from churn_spark.config import Config, load_config
from churn_spark.contracts.champion import Published
from churn_spark.errors import RequestError
from churn_spark.models.bundle import ModelBundle
from churn_spark.serving.champion import ChampionWatch
from churn_spark.serving.watching import Watcher

OLD = replace(make_bundle(seed=0), version="1")
NEW = replace(make_bundle(seed=50), version="2")
BROKEN = replace(NEW, native_text="tree\nnonsense", version="3")
ROW = {"num_downgrades": 17.0, "tenure_days": 40.0}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return make_config(tmp_path, require_key=False, poll_seconds=0.02)


def answers_of(*bundles: ModelBundle) -> dict[str, float]:
    watch_of = {}
    for bundle in bundles:
        watch = ChampionWatch(FakeSource(bundle), load_config().scoring)
        watch.look()
        watch_of[bundle.version] = watch.current().predict_one(ROW)
    return watch_of


def test_nothing_answers_before_the_first_champion(config: Config) -> None:
    source = FakeSource(None)
    watch = ChampionWatch(source, config.scoring)
    watch.look()
    with pytest.raises(RequestError, match="no champion is published") as caught:
        watch.current()
    assert caught.value.status == 503
    source.bundle = OLD
    watch.look()
    assert (watch.current().bundle.version, watch.problem) == ("1", "")


def test_champion_is_loaded_once(config: Config) -> None:
    source = FakeSource(OLD)
    watch = ChampionWatch(source, config.scoring)
    for _ in range(3):
        watch.look()
    assert source.n_loads == 1
    source.bundle = NEW
    watch.look()
    assert (watch.current().bundle.version, source.n_loads) == ("2", 2)


def test_broken_champion_leaves_the_old_one_and_is_tried_again_later(config: Config) -> None:
    source, clock = FakeSource(OLD), Clock()
    watch = ChampionWatch(source, config.scoring, clock)
    watch.look()
    source.bundle = BROKEN
    for _ in range(3):
        watch.look()
    assert (watch.current().bundle.version, source.n_loads) == ("1", 2)
    assert "version 3 is champion and can't answer" in watch.problem
    clock.now = 61.0
    source.bundle = replace(NEW, version="3")
    watch.look()
    assert (watch.current().bundle.version, watch.problem) == ("3", "")


def test_return_to_the_old_champion_clears_the_problem(config: Config) -> None:
    source = FakeSource(OLD)
    watch = ChampionWatch(source, config.scoring)
    for bundle in (OLD, BROKEN, OLD):
        source.bundle = bundle
        watch.look()
    assert (watch.current().bundle.version, watch.problem) == ("1", "")


def test_pointer_that_can_not_be_read_leaves_the_champion(config: Config) -> None:
    source = FakeSource(OLD)
    watch = ChampionWatch(source, config.scoring)
    watch.look()
    source.newest = fail  # type: ignore[method-assign]
    watch.look()
    assert watch.current().bundle.version == "1"
    assert watch.problem == "the published champion can't be read: gone"


def fail() -> Published:
    raise OSError("gone")


def test_watcher_goes_on_after_a_look_that_failed() -> None:
    looked, twice = [], threading.Event()

    def look() -> None:
        looked.append(1)
        if len(looked) == 2:
            twice.set()
        raise ValueError("one bad look")

    watcher = Watcher([look], 0.001)
    watcher.start()
    assert twice.wait(5)
    watcher.stop()
    n = len(looked)
    assert not threading.Event().wait(0.02)
    assert len(looked) == n


@contextmanager
def asking(address: str) -> Iterator[list[tuple[int, str, float]]]:
    """Requests without pause while the block runs: status, version and probability of each."""
    found: list[tuple[int, str, float]] = []
    stopping = threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=address) as client:
            while not stopping.is_set():
                answer = client.post("/predict", json=ROW)
                body = answer.json()
                found.append((answer.status_code, body["model_version"], body["churn_probability"]))

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    yield found
    stopping.set()
    for thread in threads:
        thread.join()


def wait_for(address: str, detail: str) -> httpx.Response:
    for _ in range(1000):
        answer = httpx.get(f"{address}/ready")
        if detail in answer.text:
            return answer
    raise AssertionError(answer.text)


def wait_until_longer(found: list[tuple[int, str, float]], length: int) -> None:
    pause = threading.Event()
    for _ in range(1000):
        if len(found) > length:
            return
        pause.wait(0.01)
    raise AssertionError(f"only {len(found)} answers")


def test_champion_is_exchanged_under_load_without_a_mixed_or_failed_answer(
    config: Config,
) -> None:
    source = FakeSource(OLD)
    fill_tables(config, OLD, n_users=5, n_dates=1)
    expected = answers_of(OLD, NEW)
    assert expected["1"] != expected["2"]
    with running(build_service(config, source)) as address:
        wait_for(address, "version 1")
        with asking(address) as found:
            wait_until_longer(found, 20)
            source.bundle = NEW
            wait_for(address, "version 2")
            source.bundle = BROKEN
            answer = wait_for(address, "version 3 is champion and can't answer")
            wait_until_longer(found, len(found) + 20)
    assert answer.status_code == 200
    assert {status for status, _, _ in found} == {200}
    assert {version for _, version, _ in found} == {"1", "2"}
    assert {(version, value) for _, version, value in found} == set(expected.items())
    order = [version for _, version, _ in found]
    assert order[-1] == "2"
